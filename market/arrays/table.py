"""Pools written into columns and read back: one row per pool, whatever its family."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from core.errors import MarketError
from core.reasons import Reason
from market.arrays.balances import balance_columns, read_balances, write_balances, write_tokens
from market.arrays.concentrated import EVERYTHING_KNOWN, concentrated_columns, read_price, write_price
from market.arrays.journal import BALANCES, CONCENTRATED, PAIR, REST, RowColumns, Tables
from market.arrays.pairs import pair_columns, read_pair, write_pair
from market.arrays.sizing import cut, with_slots
from market.arrays.ticks import HIGHEST_GROSS, packed, read_ticks, tick_columns, write_ticks
from market.pools.balancer_v3 import BalancerV3Pool
from market.pools.composable_stable import ComposableStablePool
from market.pools.concentrated import ConcentratedPool
from market.pools.curve_stable import CurveStablePool
from market.pools.pool import Pool
from market.pools.solidly import SolidlyPool
from market.pools.uniswap_v2 import UniswapV2Pool
from market.pools.uniswap_v3 import UniswapV3Pool
from market.pools.v3_math import MAX_TICK
from market.pools.v3_ticks import TickMap
from market.pools.weighted import WeightedPool

_NO_TICKS = TickMap()


def shape_of(pool: Pool) -> int:
    """Return the columns that hold a pool's numbers, ``REST`` if none do."""
    match pool:
        case UniswapV2Pool() | SolidlyPool():
            return PAIR
        case UniswapV3Pool() | ConcentratedPool():
            return CONCENTRATED
        case WeightedPool() | CurveStablePool() | ComposableStablePool() | BalancerV3Pool():
            return BALANCES
    return REST


def lane_of(pool: Pool) -> int:
    """Return the columns in which a pool's events are followed, ``REST`` if its own Python follows them.

    The whole state of a pool that is followed in columns is in them. A V3 pool of which only some ticks
    are known is not: what a swap reveals about the others takes its arithmetic.
    """
    if type(pool) in (UniswapV2Pool, WeightedPool):
        return shape_of(pool)
    if type(pool) is not UniswapV3Pool or pool.known is not None:
        return REST
    ticks = pool.tick_map
    fits = max(ticks.gross.values(), default=0) <= HIGHEST_GROSS and abs(pool.tick) <= MAX_TICK
    return CONCENTRATED if fits else REST


class PoolTable:
    """Rows of pools, in the order in which they were added."""

    def __init__(self) -> None:
        rows = RowColumns(np.zeros(0, np.int8), np.zeros(0, np.int32), np.zeros(0, np.bool_))
        columns = pair_columns(0), concentrated_columns(0), tick_columns(0, 0), balance_columns(0, 0)
        self.tables = Tables(rows, *columns)
        self.ids: list[str] = []
        self.places: dict[str, int] = {}
        self._shapes: list[int] = []
        self._used = dict.fromkeys((REST, PAIR, CONCENTRATED, BALANCES), 0)
        self._templates: list[Pool | None] = []
        self._mirrored: dict[int, TickMap] = {}

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[tuple[int, Pool | None]]:
        return iter(enumerate(self._templates))

    def add(self, pool: Pool) -> int:
        """Add a pool and return its lane."""
        row, lane, shape = len(self), lane_of(pool), shape_of(pool)
        slot = self._used[shape]
        self._used[shape] += 1
        tokens = len(pool.tokens) if shape == BALANCES else 0
        self.tables = with_slots(self.tables, row + 1, self._used, tokens)
        self.ids.append(pool.pool_id)
        self.places[pool.pool_id] = row
        self._shapes.append(shape)
        self._templates.append(None)
        self.tables.rows.lane[row], self.tables.rows.slot[row] = lane, slot
        if shape == BALANCES:
            write_tokens(self.tables.balances, slot, pool.tokens)
        self.write(row, pool)
        return lane

    def template(self, row: int) -> Pool | None:
        """Return a pool of the same description in an old state; ``None`` if Python follows it."""
        return self._templates[row]

    def shape(self, row: int) -> int:
        """Return the columns that hold a row."""
        return self._shapes[row]

    def view(self, row: int) -> Pool:
        """Return the pool that a row followed in columns holds."""
        template, slot = self._templates[row], int(self.tables.rows.slot[row])
        match template:
            case UniswapV2Pool():
                return UniswapV2Pool(template.spec, *read_pair(self.tables.pairs, slot))
            case UniswapV3Pool():
                ticks = read_ticks(self.tables.ticks, slot)
                return UniswapV3Pool(template.spec, *read_price(self.tables.concentrated, slot), ticks)
            case WeightedPool():
                return replace(template, balances=read_balances(self.tables.balances, slot))
        raise MarketError("the columns do not hold all of this pool", pool_id=self.ids[row])

    def write(self, row: int, pool: Pool, *, same_ticks: bool = False) -> None:
        """Take over a pool's numbers.

        Parameters
        ----------
        row, pool
            Where, and what; of the same family as before.
        same_ticks
            Whether the columns hold its ticks already.
        """
        slot = int(self.tables.rows.slot[row])
        match pool:
            case UniswapV2Pool() | SolidlyPool():
                write_pair(self.tables.pairs, slot, pool.reserve0, pool.reserve1)
            case UniswapV3Pool() | ConcentratedPool():
                self._write_concentrated(row, slot, pool, same_ticks)
            case WeightedPool() | CurveStablePool() | ComposableStablePool():
                write_balances(self.tables.balances, slot, pool.balances)
            case BalancerV3Pool():
                write_balances(self.tables.balances, slot, pool.account.balances)
        if self.tables.rows.lane[row] != REST:
            self._templates[row] = _template(pool)

    def check_fits(self, row: int, pool: Pool) -> None:
        """Refuse a pool that cannot be followed in the columns of its row.

        Raises
        ------
        MarketError
            If it is of another family, of only part of its ticks, or of more liquidity than any contract
            lets end at one tick.
        """
        if lane_of(pool) != self.tables.rows.lane[row]:
            raise MarketError(
                "the columns of this pool cannot hold what it has become; load the market again",
                pool_id=pool.pool_id,
                reason=Reason.EVENT_CONTRADICTS_STATE,
            )

    def pack(self, needed: int = 0) -> None:
        """Move all ticks together, leaving so many free places."""
        self.tables = self.tables._replace(ticks=packed(self.tables.ticks, needed))

    def trim(self) -> None:
        """Give back what was reserved for more pools."""
        self.tables = cut(self.tables, len(self), self._used)
        self.pack()

    def _write_concentrated(
        self, row: int, slot: int, pool: UniswapV3Pool | ConcentratedPool, same_ticks: bool
    ) -> None:
        tables, ticks = self.tables, pool.tick_map
        write_price(tables.concentrated, slot, pool.sqrt_price_x96, pool.tick, pool.liquidity)
        known = pool.known if isinstance(pool, UniswapV3Pool) else None
        tables.concentrated.known[slot] = known or EVERYTHING_KNOWN
        if same_ticks or self._mirrored.get(row) is ticks:
            return
        if not write_ticks(tables.ticks, slot, ticks):
            self.pack(2 * len(ticks) + len(tables.ticks.tick) // 4)
            write_ticks(self.tables.ticks, slot, ticks)
        if tables.rows.lane[row] == REST:
            self._mirrored[row] = ticks


def _template(pool: Pool) -> Pool:
    """Return what the columns do not hold of a pool."""
    return UniswapV3Pool(pool.spec, 0, 0, 0, _NO_TICKS) if isinstance(pool, UniswapV3Pool) else pool
