"""What a source says of a pool before anybody has looked at it."""

from __future__ import annotations

from dataclasses import dataclass

from core.reasons import Refusal
from market.pools.spec import PoolSpec


@dataclass(frozen=True, slots=True)
class Listing:
    """A pool that a source has announced, or listed, and why it is refused if it is.

    Parameters
    ----------
    spec
        As complete as the announcement; a family of ``""`` is not known yet.
    block
        Block of the announcement, or at which the list was read.
    place
        Log index, or place in the list.
    refusal
        ``None`` as long as nothing speaks against the pool.
    """

    spec: PoolSpec
    block: int
    place: int
    refusal: Refusal | None = None
