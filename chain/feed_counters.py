"""What a feed had to repair, in numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from core.reasons import Reason

_COUNTED = {
    Reason.DUPLICATE_LOG: "duplicate_logs",
    Reason.REORDERED_LOG: "reordered_logs",
    Reason.CONTRADICTORY_LOG: "contradictory_logs",
    Reason.FOREIGN_LOG: "foreign_logs",
    Reason.CORRUPT_LOG: "corrupt_logs",
    Reason.LATE_LOG: "late_logs",
}


@dataclass(slots=True)
class FeedCounters:
    """What a feed had to repair.

    Parameters
    ----------
    blocks
        Blocks delivered.
    backfilled
        Blocks delivered that had to be asked for, because nothing announced them.
    late_logs
        Logs that the node served before the subscription announced them.
    unserved_logs
        Logs that were announced but never served; they are delivered all the same.
    reorgs
        Times a delivered block was replaced.
    vanished
        Heads that were gone before they could be fetched.
    reconnects
        Connections made again after the first.
    silent
        Subscriptions found dead while the chain went on.
    duplicate_logs, reordered_logs
        Logs that came twice and were dropped, or out of order and were put in their place.
    contradictory_logs, foreign_logs, corrupt_logs
        Times the node was asked again because two logs claimed one place, a log belonged to
        another block or contract, or a log could not be read.
    """

    blocks: int = 0
    backfilled: int = 0
    late_logs: int = 0
    unserved_logs: int = 0
    reorgs: int = 0
    vanished: int = 0
    reconnects: int = 0
    silent: int = 0
    duplicate_logs: int = 0
    reordered_logs: int = 0
    contradictory_logs: int = 0
    foreign_logs: int = 0
    corrupt_logs: int = 0

    def count(self, reason: Reason, times: int = 1) -> None:
        """Count something about a log; other reasons have no counter here."""
        if reason in _COUNTED:
            name = _COUNTED[reason]
            setattr(self, name, getattr(self, name) + times)

    def snapshot(self) -> dict[str, int]:
        """Return all counts by name."""
        return asdict(self)
