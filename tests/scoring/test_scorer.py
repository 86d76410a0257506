"""The scorer: order, certificates, incremental rescoring, rollback."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from scipy.optimize import minimize_scalar

from chain.blocks import Block, RawLog
from core.errors import InvariantBroken, MarketError, SwapRefused
from core.reasons import Reason, Refusal
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import UniswapV2Pool
from market.pools.uniswap_v3 import NOTHING_KNOWN, UniswapV3Pool
from market.state import MarketState
from scoring.exact import profit_of, run_forward
from scoring.scorer import CpuScorer, ScoreResult

SYNC_TOPIC = bytes.fromhex("1c411e9a96e071241c2f21f7726b17ae89e3cab4c78be50e062b03a9fffbbad1")


def scorer_of(markets, pools, **options) -> CpuScorer:
    return CpuScorer(pools, (markets.weth,), **options)


def without_time(result: ScoreResult):
    return (
        [replace(opportunity, found_at_ns=0) for opportunity in result.opportunities],
        result.refusals,
    )


def sync_block(markets, state: MarketState, changes: dict[str, tuple[int, int]], salt: int = 0) -> Block:
    head = state.head
    logs = tuple(
        RawLog(
            head.number + 1, index, 0, bytes(32), pool_id, (SYNC_TOPIC,),
            reserve0.to_bytes(32, "big") + reserve1.to_bytes(32, "big"),
        )
        for index, (pool_id, (reserve0, reserve1)) in enumerate(changes.items())
    )  # fmt: skip
    return Block(markets.header(head.number + 1, head.hash, salt), logs, 0)


def shaken(rng: random.Random, state: MarketState) -> dict[str, tuple[int, int]]:
    pairs = [pool for pool in state.pools.values() if isinstance(pool, UniswapV2Pool)]
    chosen = rng.sample(pairs, min(len(pairs), rng.randint(1, 2)))
    return {
        pool.pool_id: (
            int(pool.reserve0 * rng.uniform(0.98, 1.02)),
            int(pool.reserve1 * rng.uniform(0.98, 1.02)),
        )
        for pool in chosen
    }


def test_opportunities_come_best_first_and_ties_by_id(markets):
    pools = markets.pools(0)
    found = scorer_of(markets, pools).rescore(markets.state(pools), None, found_at_ns=7).opportunities
    assert len(found) > 10
    assert [o.gross_profit for o in found] == sorted((o.gross_profit for o in found), reverse=True)
    keys = [(-o.gross_profit, o.cycle_id) for o in found]
    assert keys == sorted(keys)
    assert {o.found_at_ns for o in found} == {7}
    assert {o.state_block for o in found} == {100}


def test_every_amount_is_what_the_pools_pay_and_every_certificate_adds_up(markets):
    for seed in range(15):
        pools = markets.pools(seed)
        state = markets.state(pools)
        scorer = scorer_of(markets, pools)
        cycles = {cycle.cycle_id: cycle for cycle in scorer.index.cycles}
        for found in scorer.rescore(state, None, found_at_ns=0).opportunities:
            assert found.hops == run_forward(state.pools, cycles[found.cycle_id].edges, found.amount_in)
            assert found.amount_in == found.hops[0].amount_in
            assert found.amount_out == found.hops[-1].amount_out
            assert found.gross_profit == found.amount_out - found.amount_in > 0
            assert found.certificate.gap == found.certificate.upper_bound - found.gross_profit >= 0


def test_an_outside_optimiser_on_the_exact_integers_finds_nothing_better(markets):
    rng = random.Random(4)
    for seed in range(12):
        pools = markets.pools(seed)
        state = markets.state(pools)
        scorer = scorer_of(markets, pools)
        found = {o.cycle_id: o for o in scorer.rescore(state, None, found_at_ns=0).opportunities}
        for cycle in rng.sample(scorer.index.cycles, min(20, len(scorer.index.cycles))):

            def loss(amount: float, cycle=cycle, state=state) -> float:
                try:
                    return -float(profit_of(run_forward(state.pools, cycle.edges, max(int(amount), 1))))
                except SwapRefused:
                    return float(amount)

            best = found.get(cycle.cycle_id)
            most = 3.0 * best.amount_in if best else float(markets.amount(markets.weth, 1e5))
            outside = -minimize_scalar(loss, bounds=(1.0, most), method="bounded", options={"xatol": 1e6}).fun
            if best is None:
                assert outside <= 0
            else:
                assert outside <= best.certificate.upper_bound
                assert best.gross_profit >= outside - max(2e-3 * outside, 10**12)


def test_rescoring_what_was_touched_equals_scoring_everything(markets):
    for seed in range(6):
        rng = random.Random(seed)
        pools = [
            *markets.pools(seed, count=7),
            *(markets.v2(rng, f"0xf{n}", (markets.weth, markets.dai), 0.01) for n in "12"),
        ]
        state = markets.state(pools)
        scorer = scorer_of(markets, pools)
        scorer.rescore(state, None, found_at_ns=0)
        for _ in range(5):
            applied = state.apply(sync_block(markets, state, shaken(rng, state)))
            result = scorer.rescore(state, applied.touched, found_at_ns=1)
            fresh = scorer_of(markets, pools).rescore(state, None, found_at_ns=0)
            assert without_time(result) == without_time(fresh)
            assert result.cycles_considered == len(scorer.index.touched(applied.touched))
            assert result.cycles_considered <= fresh.cycles_considered


def test_a_reorg_leaves_no_trace_even_if_nobody_says_what_it_touched(markets):
    for hint in ("told", "forgotten"):
        rng = random.Random(1)
        pools = [*markets.pools(1, count=6), markets.v2(rng, "0xf1", (markets.weth, markets.dai), 0.02)]
        state = markets.state(pools)
        scorer = scorer_of(markets, pools)
        before = scorer.rescore(state, None, found_at_ns=0)
        state.apply(sync_block(markets, state, shaken(rng, state)))
        orphan = scorer.rescore(state, None, found_at_ns=0)
        assert without_time(orphan) != without_time(before)
        moved = state.rollback(100)
        after = scorer.rescore(state, moved if hint == "told" else (), found_at_ns=0)
        assert without_time(after) == without_time(before)


def test_an_untouched_opportunity_is_kept_and_belongs_to_the_new_head(markets):
    pools = markets.pools(0)
    state = markets.state(pools)
    scorer = scorer_of(markets, pools)
    before = scorer.rescore(state, None, found_at_ns=5)
    state.apply(Block(markets.header(101, state.head.hash), (), 0))
    after = scorer.rescore(state, (), found_at_ns=6)
    assert after.cycles_considered == 0
    assert {o.state_block for o in after.opportunities} == {101}
    assert {o.certificate.state_block for o in after.opportunities} == {101}
    assert {o.found_at_ns for o in after.opportunities} == {5}
    assert [o.hops for o in after.opportunities] == [o.hops for o in before.opportunities]


def test_every_cycle_is_either_an_opportunity_or_refused_with_a_reason(markets):
    for seed in range(20):
        pools = markets.pools(seed)
        scorer = scorer_of(markets, pools)
        result = scorer.rescore(markets.state(pools), None, found_at_ns=0)
        assert len(result.opportunities) + sum(result.refusals.values()) == len(scorer.index)


def test_dead_pools_say_why(markets):
    pair = tuple(sorted((markets.weth, markets.dai)))
    empty = UniswapV2Pool(spec=PoolSpec("uniswap_v2", "0x1", "0x1", pair, 3000), reserve0=0, reserve1=0)
    unseen = UniswapV3Pool(
        spec=PoolSpec("uniswap_v3", "0x2", "0x2", pair, 3000, 60),
        sqrt_price_x96=0, tick=0, liquidity=0, ticks={}, known=NOTHING_KNOWN,
    )  # fmt: skip
    alive = markets.v2(random.Random(0), "0x3", pair, 0.0)
    for dead, reason in ((empty, Reason.ZERO_LIQUIDITY), (unseen, Reason.UNKNOWN_TICKS)):
        pools = [dead, alive]
        result = scorer_of(markets, pools).rescore(markets.state(pools), None, found_at_ns=0)
        assert result.refusals == {reason: 2}


def test_tolerance_trades_profit_for_time_but_never_the_bound(markets):
    pools = markets.pools(0)
    state = markets.state(pools)
    exact = scorer_of(markets, pools).rescore(state, None, found_at_ns=0).opportunities
    quick = scorer_of(markets, pools, tolerance=10**12).rescore(state, None, found_at_ns=0).opportunities
    profits = {o.cycle_id: o for o in quick}
    for found in exact:
        other = profits.get(found.cycle_id)
        if other is None:
            assert found.gross_profit < 10**12
            continue
        assert other.certificate.upper_bound == found.certificate.upper_bound
        assert found.gross_profit - other.gross_profit <= 2 * 10**12


def test_a_market_without_cycles_gives_an_empty_result(markets):
    pools = [markets.v2(random.Random(0), "0x1", (markets.weth, markets.dai), 0.0)]
    result = scorer_of(markets, pools).rescore(markets.state(pools), None, found_at_ns=0)
    assert result == ScoreResult((), {}, 0)


def test_a_state_without_head_or_without_a_pool_is_refused(markets):
    pools = markets.pools(0)
    with pytest.raises(MarketError, match="no head block"):
        scorer_of(markets, pools).rescore(MarketState(pools, markets.tokens), None, found_at_ns=0)
    with pytest.raises(MarketError, match="same pools"):
        scorer_of(markets, pools).rescore(markets.state(pools[1:]), None, found_at_ns=0)


def test_an_integer_profit_above_its_bound_is_never_passed_on(markets, monkeypatch):
    import scoring.one_cycle as module

    original = module.size_cycle

    def too_low(curves):
        size = original(curves)
        return size if isinstance(size, Reason) else replace(size, upper_bound=size.profit * 0.9)

    monkeypatch.setattr(module, "size_cycle", too_low)
    pools = markets.pools(0)
    with pytest.raises(InvariantBroken, match="exceeds its bound"):
        scorer_of(markets, pools).rescore(markets.state(pools), None, found_at_ns=0)


def test_cycles_through_a_suspended_pool_are_not_scored_until_it_is_admitted(markets):
    pools = markets.pools(0)
    state = markets.state(pools)
    scorer = scorer_of(markets, pools)
    before = scorer.rescore(state, None, found_at_ns=0)
    assert before.opportunities
    chosen = before.opportunities[0].hops[0].pool_id
    state.apply(sync_block(markets, state, {}))
    state.suspend(chosen, Refusal(Reason.MISSED_LOG, "a test says so"))
    during = scorer.rescore(state, (), found_at_ns=0)
    assert not any(hop.pool_id == chosen for found in during.opportunities for hop in found.hops)
    assert during.refusals[Reason.POOL_QUARANTINED] == sum(
        any(edge.pool_id == chosen for edge in cycle.edges) for cycle in scorer.index.cycles
    )
    state.restore(state.pools[chosen])
    state.admit(chosen)
    after = scorer.rescore(state, (), found_at_ns=0)
    assert [each.cycle_id for each in after.opportunities] == [each.cycle_id for each in before.opportunities]


def test_a_pool_in_an_impossible_state_is_refused_and_the_others_are_scored(markets):
    pools = markets.pools(0)
    before = scorer_of(markets, pools).rescore(markets.state(pools), None, found_at_ns=0)
    tokens = before.opportunities[0].hops[0].token_in, before.opportunities[0].hops[0].token_out
    spec = PoolSpec("uniswap_v3", "0x" + "ee" * 20, "0x" + "ee" * 20, tuple(sorted(tokens)), 500, 10)
    # liquidity that the ticks take away without having given it
    broken = UniswapV3Pool(spec, 2**96 + 1, 0, 1, {-10: 5, 10: -(10**20)})
    result = scorer_of(markets, [*pools, broken]).rescore(
        markets.state([*pools, broken]), None, found_at_ns=0
    )
    assert [each.gross_profit for each in before.opportunities] == [
        each.gross_profit
        for each in result.opportunities
        if all(hop.pool_id != spec.pool_id for hop in each.hops)
    ]
