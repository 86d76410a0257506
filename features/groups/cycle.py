"""One cycle of pools: how far it is from balance, for how long, and how fast it returns.

A couple of pools of one pair is a cycle of two.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

from chain.blocks import Address
from core.errors import InputError
from features.feature import Feature
from features.groups.flow import WEI_PER_ETHER
from features.groups.group import Observed
from features.groups.limits import MOST_BLOCKS, MOST_COUNT, MOST_LOG, MOST_PPM, MOST_SECONDS
from features.groups.means import follow, half_life_of, step_of
from features.groups.prices import PPM
from market.pools.spec import PoolSpec

_FEE_UNIT = 1_000_000
SHORT, MIDDLE, LONG = 10, 30, 100
SHORT_STEP, MIDDLE_STEP, LONG_STEP = map(step_of, (SHORT, MIDDLE, LONG))
_QUOTES, _TOUCHED = ("quotes",), ("touched", "timestamp")
_DEAD = "A pool of the cycle has no price."

FEATURES = (
    Feature(
        "cycle_gap_ppm",
        "ppm",
        "Log of what one unit becomes around the cycle in its better direction, before fees.",
        inputs=_QUOTES,
        absent=_DEAD,
        low=0,
        high=MOST_PPM,
    ),
    Feature(
        "cycle_excess_ppm",
        "ppm",
        "cycle_gap_ppm less the pools' fees.",
        inputs=_QUOTES,
        absent=_DEAD,
        low=-MOST_PPM,
        high=MOST_PPM,
    ),
    Feature(
        "cycle_age_blocks",
        "blocks",
        "Blocks since the cycle went from one side of its fees to the other, or changed direction.",
        inputs=_QUOTES,
        absent=_DEAD,
        low=0,
        high=MOST_BLOCKS,
    ),
    Feature(
        "cycle_gap_mean",
        "ppm",
        f"Mean of the gap with its sign, half-life {SHORT} blocks.",
        SHORT,
        inputs=_QUOTES,
        absent="The cycle has had no gap yet.",
        low=-MOST_PPM,
        high=MOST_PPM,
    ),
    Feature(
        "cycle_gap_volatility",
        "ppm",
        f"Root of the mean squared change of the gap per block, half-life {MIDDLE} blocks.",
        MIDDLE,
        inputs=_QUOTES,
        absent="The cycle has not had two gaps in succession yet.",
        low=0,
        high=MOST_PPM,
    ),
    Feature(
        "cycle_half_life",
        "blocks",
        "Blocks after which half of a deviation of the gap from its mean is gone.",
        LONG,
        inputs=_QUOTES,
        absent="Too few gaps have been seen, or they have not changed.",
        low=0,
        high=10_000,
    ),
    Feature(
        "cycle_depth_log",
        "log ether",
        "Log of the WETH around the price of the cycle's shallowest pool that holds any.",
        inputs=("depths",),
        absent="No pool of the cycle has a known depth of WETH.",
        low=-MOST_LOG,
        high=MOST_LOG,
    ),
    Feature(
        "cycle_touch_seconds",
        "seconds",
        "Time since one of its pools changed.",
        inputs=_TOUCHED,
        absent="None has changed yet.",
        low=0,
        high=MOST_SECONDS,
    ),
    Feature(
        "cycle_touch_rate",
        "pools per block",
        f"Mean number of its pools that a block changes, half-life {MIDDLE} blocks.",
        MIDDLE,
        inputs=("touched",),
        low=0,
        high=MOST_COUNT,
    ),
)


@dataclass(frozen=True, slots=True)
class Cycle:
    """Pools to walk through, back to the first token.

    Parameters
    ----------
    hops
        (pool id, token in, token out) of each; two or more, each beginning where the one before ends.
    cost
        Log of what the fees leave of one unit, sign turned: at least 0.

    Raises
    ------
    InputError
        If the hops do not lead back to the start.
    """

    hops: tuple[tuple[str, Address, Address], ...]
    cost: float

    def __post_init__(self) -> None:
        ends = [token_out for _, _, token_out in self.hops]
        starts = [token_in for _, token_in, _ in self.hops]
        if len(self.hops) < 2 or starts != [*ends[-1:], *ends[:-1]]:
            raise InputError("the hops of a cycle lead from token to token and back", hops=list(self.hops))

    @classmethod
    def through(cls, path: Iterable[tuple[PoolSpec, Address, Address]]) -> Cycle:
        """Return the cycle through pools of which the descriptions are given; fees are the static ones."""
        path = tuple(path)
        cost = 0.0
        for spec, _, _ in path:
            cost -= math.log1p(-spec.fee / _FEE_UNIT)
        return cls(tuple((spec.pool_id, token_in, token_out) for spec, token_in, token_out in path), cost)

    @property
    def name(self) -> str:
        """Pool ids in order; the subject of the cycle's rows."""
        return ">".join(pool_id for pool_id, _, _ in self.hops)


def couples(specs: Iterable[PoolSpec]) -> tuple[Cycle, ...]:
    """Return the cycle of every two pools that share two tokens, in order of ids."""
    found = []
    ordered = sorted(specs, key=lambda spec: spec.pool_id)
    for one, other in combinations(ordered, 2):
        for base, quote in combinations(sorted(set(one.tokens) & set(other.tokens)), 2):
            found.append(Cycle.through(((one, base, quote), (other, quote, base))))
    return tuple(found)


class CycleGroup:
    """Features of one cycle."""

    def __init__(self, cycle: Cycle) -> None:
        self._cycle = cycle
        self._pools = frozenset(pool_id for pool_id, _, _ in cycle.hops)
        self._side: tuple[bool, bool] | None = None
        self._age = 0
        self._last: float | None = None
        self._short: float | None = None
        self._long: float | None = None
        self._squared_change: float | None = None
        self._deviation: float | None = None
        self._product: float | None = None
        self._square: float | None = None
        self._touched_at: int | None = None
        self._touches: float | None = None

    def update(self, observed: Observed) -> tuple[float | None, ...]:
        """Take in the next block; values in the order of ``FEATURES``."""
        gap = self._gap(observed)
        self._grow_old(gap)
        self._learn(gap)
        return (
            None if gap is None else abs(gap) * PPM,
            None if gap is None else (abs(gap) - self._cycle.cost) * PPM,
            None if gap is None else float(self._age),
            None if self._short is None else self._short * PPM,
            None if self._squared_change is None else math.sqrt(self._squared_change) * PPM,
            half_life_of(self._product, self._square),
            self._depth(observed.depths),
            *self._touch(observed),
        )

    def _gap(self, observed: Observed) -> float | None:
        total = 0.0
        for pool_id, token_in, token_out in self._cycle.hops:
            forward = token_in < token_out
            pair = (token_in, token_out) if forward else (token_out, token_in)
            quote = observed.book.quotes[pair].get(pool_id)
            if quote is None:
                return None
            total = total + quote if forward else total - quote
        return total

    def _grow_old(self, gap: float | None) -> None:
        side = None if gap is None else (gap > 0, abs(gap) > self._cycle.cost)
        self._age = self._age + 1 if side is not None and side == self._side else 0
        self._side = side

    def _learn(self, gap: float | None) -> None:
        if gap is not None and self._last is not None:
            change = gap - self._last
            self._squared_change = follow(self._squared_change, change * change, MIDDLE_STEP)
        deviation = None if gap is None or self._long is None else gap - self._long
        if deviation is not None and self._deviation is not None:
            self._product = follow(self._product, deviation * self._deviation, LONG_STEP)
            self._square = follow(self._square, self._deviation * self._deviation, LONG_STEP)
        self._last, self._deviation = gap, deviation
        self._short = follow(self._short, gap, SHORT_STEP)
        self._long = follow(self._long, gap, LONG_STEP)

    def _depth(self, depths: Mapping[str, float]) -> float | None:
        known = [depths[pool_id] for pool_id in self._pools if pool_id in depths]
        return math.log(min(known) / WEI_PER_ETHER) if known else None

    def _touch(self, observed: Observed) -> tuple[float | None, float | None]:
        now = observed.block.header.timestamp
        touched = len(self._pools.intersection(observed.touched))
        if touched:
            self._touched_at = now
        self._touches = follow(self._touches, float(touched), MIDDLE_STEP)
        return None if self._touched_at is None else float(now - self._touched_at), self._touches
