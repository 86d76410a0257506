"""The checks of one candidate: does it pay, also if the market moves, is the state the newest, may we."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.errors import ConfigError
from core.reasons import Reason
from core.settings import RiskSettings
from execution.command import Verdict
from execution.risk.breakers import RevertBreaker
from execution.risk.chain import Candidate, RiskChain, passed, refused

_PPM = 1_000_000


@dataclass(frozen=True, slots=True)
class RiskLimits:
    """What a person allows.

    Parameters
    ----------
    min_profit_wei
        Least that must be left after gas and bid.
    max_slippage_ppm
        Parts per million of the gross profit that may be lost to a state that moved; beyond it
        the contract reverts.
    max_state_age_blocks
        How many blocks the state of an opportunity may be behind the head.
    kill_switch_file
        While this file exists nothing is sent.
    max_reverts_in_a_row
        Bundles reverted on chain, none landed between them, that stop trading.

    Raises
    ------
    ConfigError
        If a number is negative, the slippage exceeds one million, or not one revert is allowed.
    """

    min_profit_wei: int
    max_slippage_ppm: int
    max_state_age_blocks: int
    kill_switch_file: Path
    max_reverts_in_a_row: int = 3

    @classmethod
    def from_settings(cls, risk: RiskSettings) -> RiskLimits:
        """Return the limits that a configuration sets."""
        return cls(
            min_profit_wei=risk.min_profit_wei,
            max_slippage_ppm=risk.max_slippage_ppm,
            max_state_age_blocks=risk.max_state_age_blocks,
            kill_switch_file=risk.kill_switch_file,
            max_reverts_in_a_row=risk.max_reverts_in_a_row,
        )

    def __post_init__(self) -> None:
        problems = [
            f"risk.{name} must not be negative"
            for name in ("min_profit_wei", "max_slippage_ppm", "max_state_age_blocks")
            if getattr(self, name) < 0
        ]
        if self.max_slippage_ppm > _PPM:
            problems.append(f"risk.max_slippage_ppm must not exceed {_PPM}")
        if self.max_reverts_in_a_row < 1:
            problems.append("risk.max_reverts_in_a_row must be one at least")
        if problems:
            raise ConfigError("; ".join(problems), problems=problems)


def profit_after_slippage(gross_profit: int, max_slippage_ppm: int) -> int:
    """Return the least gross profit, in wei, that the allowed slippage leaves.

    Examples
    --------
    >>> profit_after_slippage(1_000_000, 1_000), profit_after_slippage(-5, 1_000)
    (999000, -5)
    """
    if gross_profit <= 0:
        return gross_profit
    return gross_profit * (_PPM - max_slippage_ppm) // _PPM


@dataclass(frozen=True, slots=True)
class NetProfitCheck:
    """Gross profit less gas and bid must reach a minimum, in wei."""

    min_profit_wei: int
    name: str = "net_profit"

    def check(self, candidate: Candidate) -> Verdict:
        """Refuse with ``PROFIT_BELOW_COST``."""
        gross = candidate.opportunity.gross_profit
        net = gross - candidate.gas_cost - candidate.bid
        detail = (
            f"net {net} wei = gross {gross} - gas {candidate.gas_cost} - bid {candidate.bid}, "
            f"minimum {self.min_profit_wei}"
        )
        if net < self.min_profit_wei:
            return refused(self.name, Reason.PROFIT_BELOW_COST, detail)
        return passed(self.name, detail)


@dataclass(frozen=True, slots=True)
class SlippageCheck:
    """Even with all the slippage that the contract will tolerate, gas and bid must be covered."""

    max_slippage_ppm: int
    name: str = "slippage"

    def check(self, candidate: Candidate) -> Verdict:
        """Refuse with ``SLIPPAGE_TOO_LARGE``."""
        worst = profit_after_slippage(candidate.opportunity.gross_profit, self.max_slippage_ppm)
        left = worst - candidate.gas_cost - candidate.bid
        detail = f"{left} wei left after gas and bid if {self.max_slippage_ppm} ppm of the profit are lost"
        if left < 0:
            return refused(self.name, Reason.SLIPPAGE_TOO_LARGE, detail)
        return passed(self.name, detail)


@dataclass(frozen=True, slots=True)
class FreshnessCheck:
    """The state must be of the head, or few blocks behind it."""

    max_state_age_blocks: int
    name: str = "freshness"

    def check(self, candidate: Candidate) -> Verdict:
        """Refuse with ``STATE_STALE``, also for a state ahead of the head (an orphaned branch)."""
        state = candidate.opportunity.state_block
        age = candidate.head - state
        detail = f"state of block {state}, head {candidate.head}, limit {self.max_state_age_blocks} blocks"
        if not 0 <= age <= self.max_state_age_blocks:
            return refused(self.name, Reason.STATE_STALE, detail)
        return passed(self.name, detail)


class KillSwitchCheck:
    """Nothing is sent while a file exists or someone pulled the switch in this process.

    The file is looked up at every check: whoever can create a file can stop trading, whatever
    state this process is in.
    """

    name = "kill_switch"

    def __init__(self, file: Path) -> None:
        self._file = file
        self._pulled_because = ""

    def pull(self, why: str) -> None:
        """Stop trading until :meth:`release`."""
        self._pulled_because = why or "no reason given"

    def release(self) -> None:
        """Allow trading again, unless the file still exists."""
        self._pulled_because = ""

    def check(self, candidate: Candidate) -> Verdict:
        """Refuse with ``KILL_SWITCH``; a file that cannot be looked up counts as there."""
        if self._pulled_because:
            return refused(self.name, Reason.KILL_SWITCH, f"pulled: {self._pulled_because}")
        try:
            self._file.stat()
        except (FileNotFoundError, NotADirectoryError):
            return passed(self.name, f"no file {self._file}")
        except OSError as error:
            return refused(self.name, Reason.KILL_SWITCH, f"cannot look up {self._file}: {error.strerror}")
        return refused(self.name, Reason.KILL_SWITCH, f"file {self._file} exists; remove it to trade")


def standard_chain(limits: RiskLimits, kill_switch: KillSwitchCheck | None = None) -> RiskChain:
    """Return the checks that every trade has to pass.

    Whoever trades tells the chain's ``observe`` of every settlement: bundles that revert in a row
    stop it.

    Parameters
    ----------
    limits
        What a person allows.
    kill_switch
        A switch that someone holds; a new one on the limits' file by default.
    """
    breaker = RevertBreaker(limits.max_reverts_in_a_row)
    return RiskChain(
        checks=(
            NetProfitCheck(limits.min_profit_wei),
            SlippageCheck(limits.max_slippage_ppm),
            FreshnessCheck(limits.max_state_age_blocks),
            breaker,
            kill_switch or KillSwitchCheck(limits.kill_switch_file),
        ),
        observers=(breaker.observe,),
    )
