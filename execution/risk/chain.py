"""The last word before money moves: every check is asked, every answer is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from core.reasons import Reason
from execution.command import Settlement, Verdict
from scoring.opportunity import Opportunity


@dataclass(frozen=True, slots=True)
class Candidate:
    """A trade that asks for permission.

    Parameters
    ----------
    opportunity
        What was found.
    gas_cost, bid
        Wei.
    head
        Height of the newest block we know.
    """

    opportunity: Opportunity
    gas_cost: int
    bid: int
    head: int


class RiskCheck(Protocol):
    """One reason not to trade."""

    @property
    def name(self) -> str:
        """Name shown to people."""
        ...

    def check(self, candidate: Candidate) -> Verdict:
        """Return whether the candidate may be traded, and the numbers that decided it."""
        ...


@dataclass(frozen=True, slots=True)
class RiskChain:
    """Checks in the order in which they are reported.

    One refusal is enough to stop a trade, but all checks run: a person who looks at a refused
    trade wants to know everything that stood against it, not only what came first.

    Parameters
    ----------
    checks
        All of them.
    observers
        Told of every settlement; checks that learn from what became of earlier trades.
    """

    checks: Sequence[RiskCheck]
    observers: Sequence[Callable[[Settlement], None]] = ()

    def run(self, candidate: Candidate) -> tuple[Verdict, ...]:
        """Return every check's verdict, in order."""
        return tuple(check.check(candidate) for check in self.checks)

    def observe(self, settlement: Settlement) -> None:
        """Tell the checks what became of a bundle; call it for every settlement, also a revised one."""
        for observer in self.observers:
            observer(settlement)


def passed(name: str, detail: str) -> Verdict:
    """Return a verdict that lets a candidate through."""
    return Verdict(name, True, None, detail)


def refused(name: str, reason: Reason, detail: str) -> Verdict:
    """Return a verdict that stops a candidate."""
    return Verdict(name, False, reason, detail)
