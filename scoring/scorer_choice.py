"""Which scorer a market gets, and why."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from chain.blocks import Address
from market.pools.pool import Pool
from scoring.cycles import Tradable
from scoring.pair_lane import warm_up
from scoring.scorer import CpuScorer, Scorer
from scoring.search_scorer import SearchScorer

MOST_CYCLES_ONE_BY_ONE = 2_000
"""Up to so many cycles they are scored one by one.

With kernels at hand, searching is the faster way from about 1,000 cycles on if ten pools move in a block,
and from a few thousand if one does. Below, scoring one by one compiles little and tells what became of each
cycle.
"""

_LEAST_SEARCHED, _MOST_SEARCHED = 2, 4


@dataclass(frozen=True, slots=True)
class ChosenScorer:
    """A scorer, and for people what it is and why it was chosen."""

    scorer: Scorer
    name: str
    why: str


def make_scorer(
    pools: Iterable[Pool], start_token: Address, max_hops: int = 4, tolerance: int = 0
) -> ChosenScorer:
    """Return the scorer for a market of this size.

    Both order what they find alike. The search returns the best only. Kernels are compiled here, which takes
    some seconds where none are kept, and up to half a minute for the search.

    Parameters
    ----------
    pools
        Pools of the market.
    start_token
        The wrapped native token, to profit in.
    max_hops
        Longest cycle, in swaps; more than four are always scored one by one.
    tolerance
        Raw units of the start token that are not worth looking for.

    Raises
    ------
    InputError
        If a pool comes twice or the length is below two.
    """
    warm_up()
    listed = tuple(pools)
    if not _LEAST_SEARCHED <= max_hops <= _MOST_SEARCHED:
        why = f"only cycles of up to {_MOST_SEARCHED} hops are searched for"
        return _one_by_one(listed, start_token, max_hops, tolerance, why)
    cycles = cycles_at_most(listed, start_token, max_hops)
    why = f"at most {cycles:,} cycles; those of a market with up to {MOST_CYCLES_ONE_BY_ONE:,} are listed"
    if cycles <= MOST_CYCLES_ONE_BY_ONE:
        return _one_by_one(listed, start_token, max_hops, tolerance, why)
    search = SearchScorer(listed, {start_token: 1.0}, max_hops=max_hops, tolerance=tolerance)
    return ChosenScorer(search, "search", why)


def cycles_at_most(pools: Iterable[Tradable], start: Address, max_hops: int) -> int:
    """Return how many cycles start in a token, or a few more where pools hold more than two tokens.

    Cycles that use no token twice are counted by their tokens, without listing them; that a pool of several
    tokens may be used only once is looked at for two hops alone.

    Parameters
    ----------
    pools
        The market.
    start
        Where cycles start.
    max_hops
        Longest cycle, 2 to 4 swaps.

    Examples
    --------
    >>> from market.pools.spec import PoolSpec
    >>> pairs = {"0x1": ("0xa", "0xb"), "0x2": ("0xa", "0xb"), "0x3": ("0xb", "0xc"), "0x4": ("0xa", "0xc")}
    >>> pools = [PoolSpec("uniswap_v2", name, name, pair, 3000) for name, pair in pairs.items()]
    >>> cycles_at_most(pools, "0xa", 2), cycles_at_most(pools, "0xa", 3)
    (2, 6)
    """
    joining: dict[Address, Counter[Address]] = defaultdict(Counter)
    for pool in pools:
        for token in pool.tokens:
            joining[token].update(other for other in pool.tokens if other != token)
    first = joining[start]
    there, squares = Counter[Address](), Counter[Address]()
    for near, ways in first.items():
        for far, further in joining[near].items():
            if far != start:
                there[far] += ways * further
                squares[far] += (ways * further) ** 2
    by_hops = (
        sum(ways * (ways - 1) for ways in first.values()),
        sum(ways * first[far] for far, ways in there.items() if far in first),
        sum(ways**2 - squares[far] for far, ways in there.items()),
    )
    return sum(by_hops[: max_hops - 1])


def _one_by_one(
    pools: tuple[Pool, ...], start_token: Address, max_hops: int, tolerance: int, why: str
) -> ChosenScorer:
    return ChosenScorer(CpuScorer(pools, (start_token,), max_hops, tolerance), "one by one", why)
