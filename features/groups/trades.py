"""Trades of a block: how many, how much ether, and how many transactions traded more than one pool."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from chain.blocks import Address
from market.events import EventBase, PairSwap, V3Swap, VaultSwap
from market.pools.pool import Pool


@dataclass(frozen=True, slots=True)
class Trades:
    """What the swaps of one block come to.

    Parameters
    ----------
    swaps
        Their number.
    paid_in, paid_out
        Raw WETH that pools took in and paid out, over all swaps.
    multi_pool
        Transactions that swapped in two or more pools: arbitrage, or a routed trade.
    """

    swaps: int
    paid_in: int
    paid_out: int
    multi_pool: int


_SWAPS = (PairSwap, V3Swap, VaultSwap)


def sum_up(events: Iterable[EventBase], pools: Mapping[str, Pool], weth: Address | None) -> Trades:
    """Return the trades among a block's events."""
    swaps = paid_in = paid_out = 0
    traded: dict[int, set[str]] = defaultdict(set)
    for event in events:
        if not isinstance(event, _SWAPS):
            continue
        swaps += 1
        traded[event.transaction_index].add(event.pool_id)
        amount = _weth_paid(event, pools, weth)
        if amount > 0:
            paid_in += amount
        else:
            paid_out -= amount
    return Trades(swaps, paid_in, paid_out, sum(len(places) > 1 for places in traded.values()))


def _weth_paid(event: PairSwap | V3Swap | VaultSwap, pools: Mapping[str, Pool], weth: Address | None) -> int:
    """Return raw WETH the pool took in; negative if it paid out."""
    if isinstance(event, VaultSwap):
        return (event.amount_in if event.token_in == weth else 0) - (
            event.amount_out if event.token_out == weth else 0
        )
    token0, token1 = pools[event.pool_id].tokens
    if weth == token0:
        return event.amount0 if isinstance(event, V3Swap) else event.amount0_in - event.amount0_out
    if weth == token1:
        return event.amount1 if isinstance(event, V3Swap) else event.amount1_in - event.amount1_out
    return 0
