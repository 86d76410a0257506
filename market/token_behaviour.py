"""What a token does when it is bought, passed on and sold, and which reason follows from it.

The executor passes on exactly what it was given, so a token that keeps a unit on the way makes its
routes revert. These are the records of a probe (``execution.token_probe`` takes it) and its verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from chain.blocks import Address
from core.reasons import Reason, Refusal

PPM = 1_000_000
ROUNDING_UNITS = 2
"""Units that a token whose balances are shares of a total may lose or gain in a transfer."""
HONEYPOT_PPM = 500_000
"""A sale that keeps this part of the tokens is as good as none."""


class Stage(IntEnum):
    """Steps of a probe, in the contract's numbers."""

    FUND = 0
    BUY = 1
    HOLD = 2
    SEND = 3
    RETURN = 4
    SELL = 5


@dataclass(frozen=True, slots=True)
class Step:
    """What one step of a probe moved.

    Parameters
    ----------
    ok
        Whether it did not revert.
    gas_used
        Gas of the step with the probe's own readings; on a node exact, cold slots included.
    sent, received
        What left the giver and what arrived, raw units of the token. FUND: wei, and raw units of
        the hub token. HOLD: the balance, twice.
    hub_amount
        Raw units of the hub token that BUY paid or SELL got; 0 elsewhere.
    failure
        Why it reverted, as a person reads it; empty if it did not.
    """

    ok: bool
    gas_used: int
    sent: int
    received: int
    hub_amount: int
    failure: str

    @property
    def tax_ppm(self) -> int:
        """Part of what was sent that did not arrive, in parts per million, rounded up.

        Examples
        --------
        >>> Step(True, 0, 3_000_000, 2_910_000, 0, "").tax_ppm
        30000
        >>> Step(True, 0, 10**18, 10**18 - 1, 0, "").tax_ppm
        1
        """
        return 0 if self.sent == 0 else -(-max(self.sent - self.received, 0) * PPM // self.sent)

    @property
    def rounded(self) -> bool:
        """Whether what arrived is not what was sent, by units that only rounding explains.

        Examples
        --------
        >>> Step(True, 0, 10**18, 10**18 - 1, 0, "").rounded, Step(True, 0, 10, 9, 0, "").rounded
        (True, False)
        """
        missing = self.sent - self.received
        return 0 < abs(missing) <= ROUNDING_UNITS and abs(missing) * PPM < self.sent


@dataclass(frozen=True, slots=True)
class Round:
    """The steps of one probe: buy, hold, pass on, sell.

    Parameters
    ----------
    steps
        By stage; HOLD is the second reading.
    bought
        HOLD just after buying.
    held_blocks
        Blocks between the two readings; 0 if both are of the same block, so that neither a rebase
        nor a ban on selling in the block of the purchase can be told.
    """

    steps: Mapping[Stage, Step]
    bought: Step
    held_blocks: int


@dataclass(frozen=True, slots=True)
class TokenBehaviour:
    """Verdict about a token, and what it rests on.

    Parameters
    ----------
    chain_id, token, pool
        The token and the pool through which it was traded (its pool id).
    holder
        Address at which the probe stood; a blacklist knows addresses.
    block
        Height of the state it was probed on.
    reason
        Why it should not be traded; ``None`` if it behaves.
    detail
        One sentence with the numbers or the revert reason that decided it. Of a token that behaves
        empty, or what could not be looked at.
    buy_tax_ppm, sell_tax_ppm, transfer_tax_ppm
        What was lost on the way, parts per million of what was sent, rounded up; of the two
        transfers the higher. ``None`` if that step failed.
    gas
        Gas of buying and selling, the probe's own readings included.
    held_blocks
        See :class:`Round`.
    """

    chain_id: int
    token: Address
    pool: str
    holder: Address
    block: int
    reason: Reason | None
    detail: str
    buy_tax_ppm: int | None
    sell_tax_ppm: int | None
    transfer_tax_ppm: int | None
    gas: int
    held_blocks: int

    @property
    def behaves(self) -> bool:
        """Whether nothing speaks against trading it."""
        return self.reason is None


def judge(probe: Round) -> Refusal | None:
    """Return why the probed token should not be traded, ``None`` if it behaves.

    The first that applies: the probe could not be paid for or the pool is empty
    (``probe_impossible``), it cannot be bought, its balance moved by itself (``rebasing``), it
    cannot be sold (``honeypot``), it cannot be passed on (``transfer_blocked``), units were lost
    (``fee_on_transfer``) or rounded (``rebasing``).

    Examples
    --------
    >>> fine = Step(True, 0, 3_200_000, 3_200_000, 7, "")
    >>> judge(Round({stage: fine for stage in Stage}, fine, 10)) is None
    True
    """
    steps = probe.steps
    fund, buy = steps[Stage.FUND], steps[Stage.BUY]
    if not fund.ok or fund.received == 0:
        return _refusal(Reason.PROBE_IMPOSSIBLE, "no hub tokens to buy with", fund)
    if not buy.ok or (buy.sent > 0 and buy.received == 0):
        return _refusal(Reason.CANNOT_BUY, "buying failed", buy)
    if buy.sent == 0:
        return _refusal(Reason.PROBE_IMPOSSIBLE, "the pool has nothing to sell", buy)
    return _judge_holding(probe) or _judge_leaving(steps) or _judge_amounts(steps)


def _judge_holding(probe: Round) -> Refusal | None:
    bought, held = probe.bought, probe.steps[Stage.HOLD]
    if not (bought.ok and held.ok):
        return _refusal(Reason.HONEYPOT, "the balance cannot be read", held if bought.ok else bought)
    if bought.received == held.received:
        return None
    detail = (
        f"the balance went from {bought.received} to {held.received} in {probe.held_blocks} blocks "
        "without a transfer"
    )
    return Refusal(Reason.REBASING, detail)


def _judge_leaving(steps: Mapping[Stage, Step]) -> Refusal | None:
    sell = steps[Stage.SELL]
    if not sell.ok or sell.received == 0 or sell.hub_amount == 0:
        return _refusal(Reason.HONEYPOT, "selling failed", sell)
    if sell.tax_ppm >= HONEYPOT_PPM:
        return Refusal(Reason.HONEYPOT, f"a sale loses {sell.tax_ppm} ppm of the tokens")
    for stage in (Stage.SEND, Stage.RETURN):
        if not steps[stage].ok or steps[stage].received == 0:
            return _refusal(
                Reason.TRANSFER_BLOCKED, f"a transfer failed ({stage.name.lower()})", steps[stage]
            )
    return None


def _judge_amounts(steps: Mapping[Stage, Step]) -> Refusal | None:
    moves = [(stage, steps[stage]) for stage in (Stage.BUY, Stage.SEND, Stage.RETURN, Stage.SELL)]
    differing = [(stage, step) for stage, step in moves if step.sent != step.received]
    taxed = [step for _, step in differing if step.tax_ppm and not step.rounded]
    if not differing:
        return None
    detail = "; ".join(
        f"{stage.name.lower()}: {step.sent} left, {step.received} arrived" for stage, step in differing
    )
    return Refusal(Reason.FEE_ON_TRANSFER if taxed else Reason.REBASING, detail)


def _refusal(reason: Reason, what: str, step: Step) -> Refusal:
    return Refusal(reason, f"{what}: {step.failure or 'nothing arrived'}")
