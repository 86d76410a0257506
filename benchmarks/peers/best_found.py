"""A long search for the best integer input of a cycle of pairs, in Python's integers: slow, independent."""

from __future__ import annotations

from math import sqrt

from benchmarks.peers.cases import Case
from market.pools.uniswap_v2 import UniswapV2Pool

TRIES = 2000
_NEAR = 1e-3
_GOLDEN = (sqrt(5.0) - 1.0) / 2.0
_PPM = 1_000_000

Row = tuple[int, int, int]
"""Reserve in, reserve out, and what is kept of a million units of input."""


def rows_of(case: Case) -> list[Row]:
    """Return the pairs of a case in the direction they are used."""
    rows = []
    for pool, token_in in zip(case.pools, case.path, strict=False):
        assert isinstance(pool, UniswapV2Pool)
        reserves = pool.reserve0, pool.reserve1
        reserve_in, reserve_out = reserves if token_in == pool.tokens[0] else reserves[::-1]
        rows.append((reserve_in, reserve_out, _PPM - pool.spec.fee))
    return rows


def profit_of(rows: list[Row], amount_in: int) -> int:
    """Return what an input earns, raw units."""
    amount = amount_in
    for reserve_in, reserve_out, kept in rows:
        amount = amount * kept * reserve_out // (reserve_in * _PPM + amount * kept)
    return amount - amount_in


def best_profit(rows: list[Row], known: int) -> int:
    """Return the largest profit found around the amounts of a known good input.

    Inputs are the smallest for amounts of the hop whose unit costs most of the start token; half of these
    are the nearest to that of the known input, and half are spread around it.
    """
    hop, amount = _dearest(rows, known)
    best = profit_of(rows, known)
    for attempt in range(TRIES):
        near = attempt - TRIES // 4
        if attempt > TRIES // 2:
            near = int((2.0 * (attempt * _GOLDEN % 1.0) - 1.0) * _NEAR * amount)
        amount_in = _smallest_input(rows[: hop + 1], amount + near) if amount + near > 0 else 0
        if amount_in > 0:
            best = max(best, profit_of(rows, amount_in))
    return best


def _dearest(rows: list[Row], amount_in: int) -> tuple[int, int]:
    """Return the hop whose output costs most a unit, and how much it gives."""
    amount, rate, found = amount_in, 1.0, (0, 0)
    least = float("inf")
    for hop, (reserve_in, reserve_out, kept) in enumerate(rows):
        grown = reserve_in * _PPM + amount * kept
        rate *= kept * reserve_out / grown * (reserve_in * _PPM / grown)
        amount = amount * kept * reserve_out // grown
        if rate < least:
            least, found = rate, (hop, amount)
    return found


def _smallest_input(rows: list[Row], amount_out: int) -> int:
    """Return the smallest input of some hops that gives an output, 0 if none does."""
    amount = amount_out
    for reserve_in, reserve_out, kept in reversed(rows):
        if amount >= reserve_out:
            return 0
        amount = -(-reserve_in * amount * _PPM // ((reserve_out - amount) * kept))
    return amount
