"""Stops by itself when something is wrong that no single candidate shows."""

from __future__ import annotations

from core.reasons import Reason
from execution.command import Settlement, Verdict
from execution.risk.chain import Candidate, passed, refused


class RevertBreaker:
    """Refuses everything once several bundles reverted on chain and none landed between them.

    Relays drop bundles that revert. If ours revert in blocks all the same, our simulation does
    not see what the chain sees, and each further attempt costs gas. So an open breaker stays
    open, whatever happens, until a person has found out why and starts the process again.

    Parameters
    ----------
    limit
        Reverts in a row that stop trading.
    """

    name = "revert_breaker"

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._reverted: set[str] = set()
        self._open = False

    def observe(self, settlement: Settlement) -> None:
        """Count a settlement; one that landed ends the row, others say nothing about reverts.

        A bundle that is settled again after a reorganisation counts once, as it came out last.
        """
        if settlement.verdict is Reason.REVERTED:
            self._reverted.add(settlement.bundle_id)
        elif settlement.verdict is Reason.LANDED:
            self._reverted.clear()
        else:
            self._reverted.discard(settlement.bundle_id)
        self._open = self._open or len(self._reverted) >= self._limit

    def check(self, candidate: Candidate) -> Verdict:
        """Refuse with ``PAUSED``."""
        if self._open:
            return refused(
                self.name,
                Reason.PAUSED,
                f"{self._limit} bundles in a row reverted on chain; find out why, then start again",
            )
        return passed(self.name, f"{len(self._reverted)} reverts in a row, limit {self._limit}")
