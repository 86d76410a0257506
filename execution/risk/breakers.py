"""Stops by itself when something is wrong that no single check can see."""

from __future__ import annotations

from core.errors import ConfigError
from core.reasons import Reason
from execution.command import Settlement, Verdict
from execution.risk.chain import Candidate, passed, refused


class RevertBreaker:
    """Refuses everything after several reverts on chain in a row, until a person resets it.

    Relays drop bundles that revert. If ours revert in blocks all the same, our simulation does
    not see what the chain sees, and each further attempt costs gas.

    Parameters
    ----------
    limit
        Reverts in a row that stop trading.

    Raises
    ------
    ConfigError
        If the limit is below one.
    """

    name = "revert_breaker"

    def __init__(self, limit: int = 3) -> None:
        if limit < 1:
            raise ConfigError("a breaker needs a limit of one revert at least", problems=["limit below 1"])
        self._limit = limit
        self._in_a_row = 0

    def observe(self, settlement: Settlement) -> None:
        """Count a settlement; one that landed ends the row, others say nothing about reverts."""
        if settlement.verdict is Reason.REVERTED:
            self._in_a_row += 1
        elif settlement.verdict is Reason.LANDED and self._in_a_row < self._limit:
            self._in_a_row = 0

    def reset(self) -> None:
        """Allow trading again."""
        self._in_a_row = 0

    def check(self, candidate: Candidate) -> Verdict:
        """Refuse with ``PAUSED``."""
        detail = f"{self._in_a_row} reverts in a row, limit {self._limit}"
        if self._in_a_row >= self._limit:
            return refused(self.name, Reason.PAUSED, f"{detail}; find out why, then reset")
        return passed(self.name, detail)
