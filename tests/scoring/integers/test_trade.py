"""Integer trades of cycles: by the pools' arithmetic, against all inputs, and against the general search."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError
from core.reasons import Reason
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import MAX_RESERVE, UniswapV2Pool
from scoring.curves import curve_of
from scoring.cycles import Edge
from scoring.exact import best_integers, profit_of, run_forward
from scoring.integers.pairs import pair_rows
from scoring.integers.trade import PairTrade, best_pair_trade, best_pair_trades
from scoring.sizing import size_cycle

TOKENS = ((18, 1.0), (6, 1.0), (6, 1.0), (8, 40_000.0), (9, 0.003), (18, 12.0))
Row = tuple[int, int, int]

small = st.tuples(st.integers(1, 60), st.integers(1, 60), st.sampled_from((0, 500, 3000, 100_000)))
extreme = st.integers(0, 112).map(lambda bits: 2**bits - 1)


def realistic(chance: random.Random, hops: int) -> list[Row]:
    """Pairs of ten thousand to ten million dollars around a start token of 18 decimals, slightly off."""
    tokens = [(18, 2000.0), *chance.sample(TOKENS, hops - 1), (18, 2000.0)]
    rows = []
    for (decimals_in, worth_in), (decimals_out, worth_out) in pairwise(tokens):
        dollars, noise = 10 ** chance.uniform(4, 7), math.exp(chance.gauss(0, 0.004))
        reserve_in, reserve_out = dollars / worth_in * 10**decimals_in, dollars / worth_out * 10**decimals_out
        rows.append((int(reserve_in), int(reserve_out * noise), chance.choice((500, 2500, 3000))))
    return rows


def profitable(seed: int, hops: int, count: int) -> list[tuple[list[Row], PairTrade]]:
    chance, found = random.Random(seed), list[tuple[list[Row], PairTrade]]()
    while len(found) < count:
        rows = realistic(chance, hops)
        trade = best(rows)
        if isinstance(trade, PairTrade) and trade.profit > 10**13:
            found.append((rows, trade))
    return found


def best(rows: list[Row]) -> PairTrade | Reason:
    return best_pair_trade(pair_rows(rows), np.arange(len(rows)))


def pools_of(rows: list[Row]) -> tuple[dict[str, Pool], list[Edge]]:
    pools: dict[str, Pool] = {}
    edges = []
    for hop, (reserve_in, reserve_out, fee) in enumerate(rows):
        ends = f"0xt{hop}", f"0xt{(hop + 1) % len(rows)}"
        spec = PoolSpec("uniswap_v2", f"0xp{hop}", f"0xp{hop}", ends, fee)
        pools[spec.pool_id] = UniswapV2Pool(spec, reserve_in, reserve_out)
        edges.append(Edge(spec.pool_id, *ends))
    return pools, edges


def profit_at(rows: list[Row], amount_in: int) -> int:
    amount = amount_in
    for reserve_in, reserve_out, fee in rows:
        kept = amount * (1_000_000 - fee)
        amount = kept * reserve_out // (reserve_in * 1_000_000 + kept)
    return amount - amount_in


@pytest.mark.parametrize("hops", [2, 3, 4, 5])
def test_amounts_are_what_the_pools_pay_and_the_profit_is_below_its_bound(hops: int) -> None:
    for rows, trade in profitable(1, hops, 40):
        made = run_forward(*pools_of(rows), trade.amounts[0])
        assert trade.amounts == (made[0].amount_in, *(hop.amount_out for hop in made))
        assert trade.profit == profit_of(made) <= trade.upper_bound


@settings(deadline=None, max_examples=400)
@given(st.lists(small, min_size=2, max_size=4))
def test_where_all_trades_are_few_the_best_of_all_is_found(rows: list[Row]) -> None:
    most = max(profit_at(rows, amount_in) for amount_in in range(1, 2000))
    found = best(rows)
    assert (found.profit if isinstance(found, PairTrade) else 0) == max(most, 0)


@pytest.mark.parametrize("hops", [2, 3, 4])
def test_the_general_search_never_earns_more_than_a_billionth_beyond(hops: int) -> None:
    worse = []
    for rows, trade in profitable(2, hops, 25):
        pools, edges = pools_of(rows)
        curves = [curve_of(pools[edge.pool_id], edge.token_in, edge.token_out) for edge in edges]
        size = size_cycle(curves)
        assert not isinstance(size, Reason)
        general = profit_of(best_integers(pools, edges, curves, size))
        worse.append((general - trade.profit) / trade.profit)
        assert trade.upper_bound <= size.upper_bound
    assert max(worse) <= 1e-9


def test_a_list_of_cycles_gives_what_each_gives_alone() -> None:
    chance = random.Random(3)
    cycles = [realistic(chance, chance.randrange(2, 5)) for _ in range(60)]
    pairs = pair_rows(row for rows in cycles for row in rows)
    hops = np.full((len(cycles), 4), len(pairs) - 1)
    first = 0
    for place, rows in enumerate(cycles):
        hops[place, : len(rows)] = np.arange(first, first + len(rows))
        first += len(rows)
    together = best_pair_trades(pairs, hops)
    alone = [best(rows) for rows in cycles]
    assert list(together) == alone
    assert together.profits == [trade.profit if isinstance(trade, PairTrade) else 0 for trade in alone]
    assert {type(trade) for trade in together} == {PairTrade, Reason}


@pytest.mark.parametrize("row", [-1, 3])
def test_a_hop_that_is_no_row_is_refused(row: int) -> None:
    pairs = pair_rows([(10**9, 10**9, 0)] * 2)
    with pytest.raises(InputError):
        best_pair_trade(pairs, np.array([0, row]))
    with pytest.raises(InputError):
        best_pair_trades(pairs, np.array([[0, 1], [0, row]]))


def test_cycles_that_cannot_be_traded_say_why() -> None:
    assert best([(10**9, 10**9, 0), (0, 10**9, 0)]) is Reason.ZERO_LIQUIDITY
    assert best([(10**9, 0, 0), (10**9, 10**9, 0)]) is Reason.ZERO_LIQUIDITY
    assert best([(10**9, 10**9, 3000), (10**9, 10**9, 3000)]) is Reason.RATE_BELOW_ONE
    assert best([(10, 11, 0), (10, 10, 0)]) is Reason.DUST_PROFIT
    assert best([(MAX_RESERVE, 10**30, 0), (1, 10**30, 0)]) is Reason.AMOUNT_TOO_LARGE


@settings(deadline=None)
@given(st.lists(st.tuples(extreme, extreme, st.just(3000)), min_size=2, max_size=5))
def test_any_reserves_give_a_trade_that_earns_or_a_reason(rows: list[Row]) -> None:
    found = best(rows)
    if isinstance(found, PairTrade):
        made = run_forward(*pools_of(rows), found.amounts[0])
        assert 0 < found.profit == profit_of(made) <= found.upper_bound
