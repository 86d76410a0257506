"""A bid that was drawn, with the chance that every share had."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class DrawnBid:
    """A bid and how it came about, as an off-policy estimate needs it.

    Parameters
    ----------
    policy, version
        Name of the policy that drew it, and the version of its rule.
    bid
        Wei.
    action
        Place of its share in ``shares_ppm``.
    shares_ppm
        Shares of the value that may be bid, ascending, in parts per million.
    win_probabilities
        Forecast chance that each share wins.
    propensities
        Chance with which each share was drawn; they sum to one.
    untried
        Place of the share that would have been bid without tries.
    """

    policy: str
    version: str
    bid: int
    action: int
    shares_ppm: tuple[int, ...]
    win_probabilities: tuple[float, ...]
    propensities: tuple[float, ...]
    untried: int

    @property
    def share_ppm(self) -> int:
        """Share of the value that is bid, in parts per million."""
        return self.shares_ppm[self.action]

    @property
    def win_probability(self) -> float:
        """Forecast chance that this bid wins."""
        return self.win_probabilities[self.action]

    @property
    def propensity(self) -> float:
        """Chance with which this share was drawn; one where nothing else could have been."""
        return self.propensities[self.action]


def bids_of(value: int, shares_ppm: Sequence[int]) -> list[int]:
    """Return the bid of each share, in wei, rounded up: none is below the share that it is logged as.

    Examples
    --------
    >>> bids_of(1_001, (0, 500_000, 1_000_000))
    [0, 501, 1001]
    """
    return [-(-value * share // MILLION) for share in shares_ppm]
