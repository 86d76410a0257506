"""Facts of many blocks in columns: what features are made of, one array per input.

Numbers that come from pools, such as log prices, are taken from the same :class:`~features.observer.Observer`
as the stream's. From here on the batch path is its own code.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chain.blocks import Address, Block, next_base_fee
from core.errors import MarketError
from core.reasons import Reason
from features.groups.cex import DollarScale
from features.groups.flow import WEI_PER_ETHER
from features.groups.group import Observed, Pending
from features.observer import Observer
from market.context import NO_CONTEXT, BlockContext
from market.pools.spec import PoolSpec
from market.state import Applied, MarketState
from market.tokens import Token

Slot = tuple[Address, Address, str]
"""A pair, the lower address first, and one of its pools."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_INTEGER_END = 2**63
_SCALARS = {
    "number": np.int64,
    "timestamp": np.int64,
    "known_at_ns": np.int64,
    "base_fee": np.int64,
    "next_base_fee": np.int64,
    "gas_used": np.int64,
    "gas_limit": np.int64,
    "winning_bid_ether": np.float64,
    "builder": np.int64,
    "candle_time": np.int64,
    "candle_open": np.float64,
    "candle_high": np.float64,
    "candle_low": np.float64,
    "candle_close": np.float64,
    "candle_volume": np.float64,
    "swaps": np.int64,
    "net_ether": np.float64,
    "gross_ether": np.float64,
    "multi_pool": np.int64,
    "move": np.float64,
    "pending_swaps": np.float64,
    "pending_net_ether": np.float64,
}


@dataclass(frozen=True, slots=True)
class FactColumns:
    """Facts of consecutive blocks.

    Parameters
    ----------
    columns
        One array per input, a row per block. ``base_fee`` and ``next_base_fee`` are in wei, ``move`` is a log
        ratio, times are in seconds; NaN where nobody recorded it, -1 for an unknown builder.
    quotes
        ``float64[block, slot]``: log prices; NaN without one.
    depths
        ``float64[block, pool]``: raw WETH around the price; 0 without a known depth.
    touched
        ``bool[block, pool]``: whether the block changed the pool.
    pools, slots
        What the places of these arrays mean; pools are in order of ids, slots in order of pairs.
    reference
        Places of the slots of the reference pair.
    scale
        From their mean to dollars.
    """

    columns: Mapping[str, NDArray[Any]]
    quotes: Floats
    depths: Floats
    touched: NDArray[np.bool_]
    pools: tuple[str, ...]
    slots: tuple[Slot, ...]
    reference: tuple[int, ...]
    scale: DollarScale

    def __len__(self) -> int:
        return len(self.quotes)

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.columns[name]

    @property
    def builders(self) -> int:
        """Number of builders that have a number."""
        return int(self["builder"].max(initial=-1)) + 1

    @property
    def pair_of(self) -> Integers:
        """Number of each slot's pair."""
        pairs = {slot[:2]: number for number, slot in enumerate(self.slots)}
        return np.array([pairs[slot[:2]] for slot in self.slots], dtype=np.int64)

    @property
    def pool_of(self) -> Integers:
        """Place of each slot's pool."""
        places = {pool_id: place for place, pool_id in enumerate(self.pools)}
        return np.array([places[slot[2]] for slot in self.slots], dtype=np.int64)

    def head(self, count: int) -> FactColumns:
        """Return the facts of the first ``count`` blocks."""
        return FactColumns(
            {name: column[:count] for name, column in self.columns.items()},
            self.quotes[:count],
            self.depths[:count],
            self.touched[:count],
            self.pools,
            self.slots,
            self.reference,
            self.scale,
        )


class FactRecorder:
    """Collects the facts of blocks, one row each.

    Parameters
    ----------
    tokens, specs
        As for :class:`features.stream.FeatureStream`.
    """

    def __init__(self, tokens: Mapping[Address, Token], specs: Iterable[PoolSpec]) -> None:
        specs = tuple(specs)
        self._observer = Observer(tokens, specs)
        self._scale = DollarScale.of(tokens)
        self._pools = tuple(sorted(spec.pool_id for spec in specs))
        book = self._observer.book
        self._slots = tuple(
            (*pair, pool_id)
            for pair in sorted(book.quotes)
            for pool_id in self._pools
            if book.covers(pair, pool_id)
        )
        self._builders: dict[str, int] = {}
        self._rows: list[tuple[float, ...]] = []
        self._quotes: list[list[float]] = []
        self._depths: list[list[float]] = []
        self._touched: list[tuple[str, ...]] = []
        self._seen: Observed | None = None

    def add(
        self,
        block: Block,
        context: BlockContext = NO_CONTEXT,
        *,
        state: MarketState,
        applied: Applied,
        pending: Pending | None = None,
    ) -> None:
        """Add the next block; ``state`` is the market after it.

        Raises
        ------
        MarketError
            If it does not follow the last one, or the market is not the one after this block.
        """
        last = self._seen.block.header if self._seen else None
        if state.head != block.header or (last is not None and block.number != last.number + 1):
            raise MarketError("give each block in order, with the market after it", block=block.number)
        if last is not None and block.header.timestamp < last.timestamp:
            raise MarketError(
                f"block {block.number} is older than its parent; fetch its header again",
                block=block.number,
                reason=Reason.TIME_WENT_BACK,
            )
        if max(block.header.base_fee, next_base_fee(block.header)) >= _INTEGER_END:
            raise MarketError(
                "a base fee does not fit into 64 bits; fetch the header again", block=block.number
            )
        before, seen = self._seen, self._observer.see(block, context, state, applied, pending)
        self._rows.append(self._scalars(seen))
        unmoved = before is not None and seen.book is before.book
        self._quotes.append(self._quotes[-1] if unmoved else self._quotes_of(seen))
        unmoved = before is not None and seen.depths is before.depths
        self._depths.append(
            self._depths[-1] if unmoved else [seen.depths.get(pool_id, 0.0) for pool_id in self._pools]
        )
        self._touched.append(seen.touched)
        self._seen = seen

    def columns(self) -> FactColumns:
        """Return the facts of all blocks so far."""
        table = list(zip(*self._rows, strict=True)) if self._rows else [()] * len(_SCALARS)
        columns = {
            name: np.array(column, dtype=dtype)
            for (name, dtype), column in zip(_SCALARS.items(), table, strict=True)
        }
        count, places = len(self._rows), {pool_id: place for place, pool_id in enumerate(self._pools)}
        touched = np.zeros((count, len(self._pools)), dtype=np.bool_)
        for row, pools in enumerate(self._touched):
            touched[row, [places[pool_id] for pool_id in pools if pool_id in places]] = True
        pair = self._observer.pair
        return FactColumns(
            columns,
            np.array(self._quotes, dtype=np.float64).reshape(count, len(self._slots)),
            np.array(self._depths, dtype=np.float64).reshape(count, len(self._pools)),
            touched,
            self._pools,
            self._slots,
            tuple(place for place, slot in enumerate(self._slots) if slot[:2] == pair),
            self._scale,
        )

    def _quotes_of(self, seen: Observed) -> list[float]:
        return [seen.book.quotes[low, high].get(pool_id, np.nan) for low, high, pool_id in self._slots]

    def _scalars(self, seen: Observed) -> tuple[float, ...]:
        header, context, trades, pending = seen.block.header, seen.context, seen.trades, seen.pending
        candle, paid = context.candle, context.winning_bid
        unknown = np.nan
        shape = (
            (candle.open, candle.high, candle.low, candle.close, candle.volume) if candle else (unknown,) * 5
        )
        return (
            header.number,
            header.timestamp,
            seen.block.known_at_ns,
            header.base_fee,
            next_base_fee(header),
            header.gas_used,
            header.gas_limit,
            unknown if paid is None else paid / WEI_PER_ETHER,
            self._builder(context.builder),
            candle.close_time if candle else 0,
            *shape,
            trades.swaps,
            (trades.paid_in - trades.paid_out) / WEI_PER_ETHER,
            (trades.paid_in + trades.paid_out) / WEI_PER_ETHER,
            trades.multi_pool,
            unknown if seen.move is None else seen.move,
            unknown if pending is None else pending.swaps,
            unknown if pending is None else (pending.weth_in - pending.weth_out) / WEI_PER_ETHER,
        )

    def _builder(self, label: str | None) -> int:
        return -1 if label is None else self._builders.setdefault(label, len(self._builders))
