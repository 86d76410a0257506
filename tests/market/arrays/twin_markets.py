"""A market in columns and one of records, side by side: every block, undo and refusal must agree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chain.blocks import Block
from core.errors import OmniArbError
from market.arrays.journal import BALANCES, CONCENTRATED, PAIR
from market.arrays.limbs import from_limbs
from market.arrays.market import MarketArrays
from market.pools.pool import Pool
from market.state import MarketState
from tests.random_blocks import TOKENS, RandomChain


class Twins:
    """Both markets over one chain's pools."""

    def __init__(self, chain: RandomChain, pools: tuple[Pool, ...] | None = None) -> None:
        pools = chain.followed() if pools is None else pools
        self.records = MarketState(pools, TOKENS, chain.head)
        self.columns = MarketArrays(iter(pools), TOKENS, chain.head)

    def apply(self, block: Block) -> None:
        told, done = outcome(lambda: self.records.apply(block)), outcome(lambda: self.columns.apply(block))
        if isinstance(told, tuple):
            assert done == told
            return
        assert set(done.touched) == set(told.touched)
        assert len(done.touched) == len(told.touched)
        counts = len(told.events), told.unknown, told.passed_over
        assert (done.events, done.unknown, done.passed_over) == counts

    def rollback(self, height: int) -> None:
        told = outcome(lambda: self.records.rollback(height))
        done = outcome(lambda: self.columns.rollback(height))
        if told and isinstance(told[0], type):
            assert done == told
        else:
            assert set(done) == set(told)

    def agree(self) -> None:
        assert self.columns.head == self.records.head
        assert dict(self.columns.suspended) == dict(self.records.suspended)
        assert self.columns.frozen == self.records.frozen
        for pool_id, pool in self.records.pools.items():
            assert self.columns.view(pool_id) == pool
            assert expected(pool) == numbers(self.columns, pool_id)


def outcome(act: Callable[[], Any]) -> Any:
    """Return what came of it: its result, or the kind, words and fields of its error."""
    try:
        return act()
    except OmniArbError as error:
        return type(error), error.message, error.fields


def numbers(market: MarketArrays, pool_id: str) -> list[tuple[int, float]]:
    """Return the integers that columns hold of a pool, each with the float beside it."""
    shape, slot = market.place(pool_id)
    tables = market.tables
    if shape == PAIR:
        return list(
            zip(from_limbs(tables.pairs.reserves[slot]), tables.pairs.reserve_floats[slot], strict=True)
        )
    if shape == BALANCES:
        held = slice(0, tables.balances.length[slot])
        floats = tables.balances.balance_floats[slot, held]
        return list(zip(from_limbs(tables.balances.balances[slot, held]), floats, strict=True))
    assert shape == CONCENTRATED
    pools, ticks = tables.concentrated, tables.ticks
    here = slice(ticks.start[slot], ticks.start[slot] + ticks.length[slot])
    assert list(ticks.tick[here]) == sorted(ticks.tick[here])
    return [
        (from_limbs(pools.sqrt_price[slot : slot + 1])[0], pools.sqrt_price_floats[slot]),
        (from_limbs(pools.liquidity[slot : slot + 1])[0], pools.liquidity_floats[slot]),
        *zip(from_limbs(ticks.net[here], signed=True), ticks.net_floats[here], strict=True),
    ]


def expected(pool: Any) -> Any:
    """Return what :func:`numbers` must give for a pool."""
    if hasattr(pool, "reserve0"):
        values = [pool.reserve0, pool.reserve1]
    elif hasattr(pool, "sqrt_price_x96"):
        values = [pool.sqrt_price_x96, pool.liquidity, *pool.ticks.values()]
    else:
        values = list(pool.balances)
    return [(value, _Near(float(value))) for value in values]


class _Near(float):
    """Equal to a float that is at most one unit in the last place away."""

    def __eq__(self, other: object) -> bool:
        return bool(abs(float(other) - float(self)) <= np.spacing(abs(float(self))))  # type: ignore[arg-type]

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = float.__hash__
