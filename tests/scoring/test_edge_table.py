"""A market in columns against the objects of its curves, and kept up against made anew."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError, MarketError, SwapRefused
from core.reasons import Reason
from market.pools.amplification import Amplification
from market.pools.concentrated import ConcentratedPool
from market.pools.curve_stable import CurveStablePool, Generation
from market.pools.pool import Pool
from market.pools.solidly import SolidlyPool
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import UniswapV2Pool
from market.pools.uniswap_v3 import UniswapV3Pool
from market.pools.v3_math import MAX_SQRT_RATIO, MIN_SQRT_RATIO, tick_at_sqrt_ratio
from market.pools.weighted import WeightedPool
from market.quotes.concentrated import segments_of
from scoring.columns import MOEBIUS, EdgeColumns, PieceColumns
from scoring.curves import curve_of
from scoring.edge_table import EdgeTable
from scoring.kernels.curves import evaluate
from tests.random_pools import FAMILIES, TICKED, TOKENS, random_pool

seeds = st.integers(0, 10**9)
SAME = 1e-14


def market(seed: int, count: int = 8) -> list[Pool]:
    rng = random.Random(seed)
    return [random_pool(rng.choice(list(FAMILIES)), rng, f"0x{at:02x}", 0.02) for at in range(count)]


def pieces_of_row(table: EdgeTable, row: int) -> PieceColumns:
    first, stop = table.edges.first[row], table.edges.stop[row]
    return PieceColumns(*(column[first:stop] for column in table.pieces))


def assert_same(one: EdgeTable, other: EdgeTable) -> None:
    for name in EdgeColumns._fields:
        if name not in ("first", "stop"):
            assert np.array_equal(getattr(one.edges, name), getattr(other.edges, name)), name
    for row in range(len(one)):
        assert one.why_dead(row) is other.why_dead(row)
        for mine, theirs in zip(pieces_of_row(one, row), pieces_of_row(other, row), strict=True):
            assert np.array_equal(mine, theirs)


def moved(pool: Pool, rng: random.Random) -> Pool:
    """The pool after a swap or, where it has ticks, sometimes after a new position."""
    if isinstance(pool, ConcentratedPool) and rng.random() < 0.5:
        spacing = pool.spec.tick_spacing
        base = pool.tick // spacing * spacing
        widths = [base + rng.randint(-40, 40) * spacing for _ in range(2)]
        lower, upper = min(widths), max(widths) + spacing
        return pool.after_position(lower, upper, 10 ** rng.randint(3, 20))
    token_in, token_out = rng.sample(pool.tokens, 2)
    try:
        return pool.swap(token_in, token_out, 10 ** rng.randint(3, 19)).pool
    except SwapRefused:
        return pool


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_columns_give_what_the_curves_give_and_no_less_than_the_contracts(family, seed):
    rng = random.Random(seed)
    pool = random_pool(family, rng, noise=0.02)
    table = EdgeTable([pool], TOKENS)
    for row in range(len(table)):
        edge = table.edge(row)
        curve = curve_of(pool, edge.token_in, edge.token_out)
        assert table.edges.excess[row] == curve.excess
        for amount in [0.0, *(float(int(10.0 ** rng.uniform(0, 27))) for _ in range(6))]:
            out, rate = evaluate(table.edges, table.pieces, row, amount)
            wanted = curve.evaluate(amount)
            assert out == pytest.approx(wanted[0], rel=SAME, abs=0.0)
            assert rate == pytest.approx(wanted[1], rel=1e-12, abs=0.0)
            try:
                paid = pool.swap(edge.token_in, edge.token_out, int(amount)).amount_out
            except SwapRefused:
                continue
            assert paid <= out + curve.excess


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_a_table_kept_up_is_the_table_made_anew(seed):
    rng = random.Random(seed)
    pools = {pool.pool_id: pool for pool in market(seed)}
    table = EdgeTable(pools.values(), TOKENS, 3.0)
    for _ in range(12):
        pool = moved(pools[rng.choice(sorted(pools))], rng)
        pools[pool.pool_id] = pool
        change = table.update(pool)
        assert change.edges.tolist() == list(table.rows_of(pool.pool_id))
        assert np.array_equal(change.rates, table.edges.rate[change.edges])
        assert np.array_equal(change.bends, table.edges.bend[change.edges])
    assert_same(table, EdgeTable(pools.values(), TOKENS, 3.0))


def test_an_edge_that_outgrows_its_room_takes_the_others_along():
    pools = [random_pool("uniswap_v3", random.Random(seed), f"0x{seed}") for seed in range(4)]
    table = EdgeTable(pools, TOKENS)
    before, pool = table.pieces, pools[1]
    base = pool.tick // pool.spec.tick_spacing * pool.spec.tick_spacing
    for step in range(1, 80):
        width = step * pool.spec.tick_spacing
        pool = pool.after_position(base - width, base + width, 10**6 + step)
    table.update(pool)
    assert table.pieces is not before
    assert_same(table, EdgeTable([pools[0], pool, *pools[2:]], TOKENS))


@pytest.mark.parametrize("family", TICKED)
@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_pieces_are_the_segments_of_the_quotes(family, seed):
    pool = random_pool(family, random.Random(seed), noise=0.02)
    table = EdgeTable([pool], TOKENS)
    for row in range(len(table)):
        pieces = pieces_of_row(table, row)
        segments = segments_of(pool, zero_for_one=table.edge(row).token_in == pool.tokens[0])
        assert len(pieces.a) == len(segments.a)
        for mine, theirs in zip(
            (pieces.a, pieces.c, pieces.start_in, pieces.start_out, pieces.width_in),
            (segments.a, segments.c, segments.starts_in, segments.starts_out, segments.widths_in),
            strict=True,
        ):
            assert np.allclose(mine, theirs, rtol=1e-12, atol=0.0)


def test_rows_are_in_the_order_of_pool_and_tokens_and_the_last_gives_back_what_it_gets():
    pools = market(7)
    table = EdgeTable(pools, TOKENS, {pool.pool_id: float(at) for at, pool in enumerate(pools)})
    names = [(edge.pool_id, edge.token_in, edge.token_out) for edge in map(table.edge, range(len(table)))]
    assert names == sorted(names)
    assert [table.row(*name) for name in names] == list(range(len(table)))
    for row, (pool_id, token_in, token_out) in enumerate(names):
        assert row in table.rows_of(pool_id)
        assert table.pool_ids[table.edges.pool[row]] == pool_id
        assert table.tokens[table.edges.token_in[row]] == token_in
        assert table.tokens[table.edges.token_out[row]] == token_out
        assert table.edges.cost[row] == float(int(pool_id, 16))
    last = len(table)
    assert evaluate(table.edges, table.pieces, last, 12.5) == (12.5, 1.0)
    assert [column[last] for column in (table.edges.pool, table.edges.token_in, table.edges.token_out)] == [
        -1
    ] * 3
    assert table.edges.cost[last] == 0.0


def test_nothing_is_traded_in_a_suspended_pool_until_it_is_no_more():
    pools = market(3)
    table, name = EdgeTable(pools, TOKENS), pools[2].pool_id
    assert not table.update(pools[2], suspended=True).rates.any()
    assert {table.why_dead(row) for row in table.rows_of(name)} == {Reason.POOL_QUARANTINED}
    assert_same(table, EdgeTable(pools, TOKENS, suspended=[name]))
    table.update(pools[2])
    assert_same(table, EdgeTable(pools, TOKENS))


def test_a_wrong_market_is_refused_with_what_to_do():
    pools = market(1)
    with pytest.raises(InputError, match="twice"):
        EdgeTable([*pools, pools[0]], TOKENS)
    with pytest.raises(InputError, match="add it"):
        EdgeTable(pools, ())
    with pytest.raises(InputError, match="cost"):
        EdgeTable(pools, TOKENS, {})
    table = EdgeTable(pools[1:], TOKENS)
    with pytest.raises(MarketError, match="same pools"):
        table.update(pools[0])
    with pytest.raises(MarketError, match="same pools"):
        table.row(pools[0].pool_id, *pools[0].tokens[:2])


SIZES = (0, 1, 2, 2**112 - 1, 2**255)


def hostile() -> list[Pool]:
    pair = ("0xa", "0xb")

    def spec(family: str, **fields: object) -> PoolSpec:
        return PoolSpec(family, "0xp", "0xp", pair, 100, **fields)  # type: ignore[arg-type]

    pools: list[Pool] = []
    for x in SIZES:
        for y in SIZES:
            weights = spec("weighted", weights=(10**16, 99 * 10**16))
            curve = spec("curve_stable")
            level = Amplification(200, 200, 0, 0)
            for make in (
                lambda x=x, y=y: UniswapV2Pool(spec("uniswap_v2"), x, y),
                lambda x=x, y=y: SolidlyPool(spec("solidly_volatile"), x, y, (18, 6)),
                lambda x=x, y=y: SolidlyPool(spec("solidly_stable"), x, y, (18, 6)),
                lambda x=x, y=y, spec=weights: WeightedPool(spec, (x, y), (18, 6)),
                *(
                    lambda x=x, y=y, spec=curve, level=level, kind=kind: CurveStablePool(
                        replace(spec, variant=str(kind)),
                        (x, y),
                        (10**18, 10**30),
                        level,
                        10**6,
                        0,
                        kind,
                        10**11,
                        9,
                    )
                    for kind in Generation
                ),
            ):
                try:
                    pools.append(make())
                except MarketError:
                    continue
    for price in (MIN_SQRT_RATIO, MAX_SQRT_RATIO - 1):
        for depth in (0, 1, 2**112):
            ticked, tick = spec("uniswap_v3", tick_spacing=1), tick_at_sqrt_ratio(price)
            pools.append(UniswapV3Pool(ticked, price, tick, depth, {}))
    return pools


def test_hostile_pools_leave_no_number_that_is_none_in_the_columns():
    pools = hostile()
    assert len(pools) > 100
    dead = 0
    for pool in pools:
        table = EdgeTable([pool], pool.tokens)
        for column in (*table.edges, *table.pieces):
            assert np.isfinite(column).all()
        for row in range(len(table)):
            assert (table.why_dead(row) is None) == (table.edges.rate[row] > 0.0)
            assert table.edges.bend[row] > 0.0
            dead += table.why_dead(row) is not None
            if table.why_dead(row):
                assert table.edges.kind[row] == MOEBIUS
            for amount in (0.0, 1.0, 1e18, 1e77):
                assert np.isfinite(evaluate(table.edges, table.pieces, row, amount)).all()
    assert 0 < dead < 2 * len(pools)
