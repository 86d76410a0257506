"""Searching finds what scoring every cycle finds, whatever moved the market and whatever went wrong."""

from __future__ import annotations

import random
from dataclasses import replace
from math import inf
from operator import attrgetter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scoring.search_scorer as search_scorer_module
from chain.blocks import Block, BlockHeader
from core.errors import InputError, InvariantBroken, MarketError
from core.reasons import Reason, Refusal
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import UniswapV2Pool
from market.state import MarketState
from scoring.opportunity import Opportunity
from scoring.ranking import PricedMarket
from scoring.scorer import CpuScorer, ScoreResult
from scoring.search_scorer import SearchScorer
from tests.random_blocks import A, B, RandomChain
from tests.random_pools import DOLLARS, FAMILIES, NOW, TOKENS, USDC, WETH, random_pool
from tests.scoring.market_stories import rescored, step

POOLS = 12
HEAD = BlockHeader(100, bytes(32), b"", NOW, 10**9, 0, 30_000_000)
ALL = 10_000
WORTH = {
    token: DOLLARS[token] / DOLLARS[WETH] * 10 ** (18 - TOKENS[token].decimals) for token in (WETH, USDC)
}


def pools_of(seed: int) -> list[Pool]:
    """Return pools of families drawn in turn, so that a dozen seeds hold all of them."""
    rng = random.Random(seed)
    families = [list(FAMILIES)[(seed * POOLS + place) % len(FAMILIES)] for place in range(POOLS)]
    return [
        random_pool(family, rng, name=f"0x{place + 1:040x}", noise=0.02)
        for place, family in enumerate(families)
    ]


def cpu_opportunities(state: MarketState, tokens: tuple[str, ...], **options: Any) -> list[Opportunity]:
    scorer = CpuScorer(state.pools.values(), tokens, **options)
    return list(scorer.rescore(state, None, found_at_ns=0).opportunities)


def outcome(result: ScoreResult) -> Any:
    return [replace(found, found_at_ns=0) for found in result.opportunities], result.refusals


@pytest.mark.parametrize("count", [1, 7, ALL])
@pytest.mark.parametrize("seed", range(12))
def test_opportunities_are_the_first_of_all_in_markets_of_every_family(seed: int, count: int) -> None:
    state = MarketState(pools_of(seed), TOKENS, HEAD)
    scorer = SearchScorer(state.pools.values(), {WETH: 1.0}, count=count)
    result = scorer.rescore(state, None, found_at_ns=0)
    assert list(result.opportunities) == cpu_opportunities(state, (WETH,))[:count]
    assert scorer.proven


@pytest.mark.parametrize(("max_hops", "tolerance"), [(2, 0), (3, 10**12)])
def test_length_and_tolerance_mean_what_they_mean_to_the_other_scorer(max_hops: int, tolerance: int) -> None:
    state = MarketState(pools_of(3), TOKENS, HEAD)
    options = {"max_hops": max_hops, "tolerance": tolerance}
    result = SearchScorer(state.pools.values(), {WETH: 1.0}, **options).rescore(state, None, found_at_ns=0)
    assert list(result.opportunities) == cpu_opportunities(state, (WETH,), **options)[:100]
    assert result.opportunities


@pytest.mark.parametrize("seed", range(4))
def test_with_several_start_tokens_and_costs_the_order_is_what_trades_net(seed: int) -> None:
    state = MarketState(pools_of(seed), TOKENS, HEAD)
    costs = {pool_id: random.Random(pool_id).choice([0, 10**14, 3 * 10**15]) for pool_id in state.pools}
    market = PricedMarket(state.pools, WORTH, costs, HEAD.number)
    priced = [market.priced(found) for found in cpu_opportunities(state, tuple(WORTH))]
    priced = sorted(
        (each for each in priced if each.net > 0), key=lambda each: (-each.net, each.opportunity.cycle_id)
    )
    for count in (5, ALL):
        scorer = SearchScorer(state.pools.values(), WORTH, costs=costs, count=count)
        result = scorer.rescore(state, None, found_at_ns=0)
        assert list(result.opportunities) == [each.opportunity for each in priced[:count]]


def searching(chain: RandomChain, count: int = 5) -> SearchScorer:
    return SearchScorer(chain.followed(), {A: 1.0, B: 1.0}, max_hops=3, count=count)


@settings(max_examples=25, deadline=None)
@given(st.lists(step, min_size=1, max_size=6))
def test_rescoring_what_moved_equals_a_scan_of_everything(steps: list[Any]) -> None:
    chain = RandomChain()
    state = chain.state()
    for result, now in rescored(state, searching(chain), chain, steps):
        assert outcome(result) == outcome(searching(now).rescore(state, None, found_at_ns=0))
        assert outcome(result)[0] == cpu_opportunities(state, (A, B), max_hops=3)[:5]


def test_pools_come_and_go_by_suspension() -> None:
    state = MarketState(pools_of(3), TOKENS, HEAD)
    scorer = SearchScorer(state.pools.values(), {WETH: 1.0})
    before = outcome(scorer.rescore(state, None, found_at_ns=0))
    pool_id = before[0][0].hops[0].pool_id
    state.suspend(pool_id, Refusal(Reason.POOL_QUARANTINED, "under test"))
    without = scorer.rescore(state, (), found_at_ns=0)
    assert all(hop.pool_id != pool_id for found in without.opportunities for hop in found.hops)
    assert without.refusals[Reason.POOL_QUARANTINED] == 2
    assert outcome(without)[0] == cpu_opportunities(state, (WETH,))[:100]
    state.apply(Block(BlockHeader(101, b"", HEAD.hash, NOW, 10**9, 0, 30_000_000), (), 0))
    state.restore(state.pools[pool_id])
    state.admit(pool_id)
    again = outcome(scorer.rescore(state, (), found_at_ns=0))
    assert (again[0], again[1]) == (cpu_opportunities(state, (WETH,))[:100], before[1])


def test_an_untouched_opportunity_is_kept_and_belongs_to_the_new_head() -> None:
    chain = RandomChain()
    state, scorer = chain.state(), searching(chain, count=100)
    state.apply(chain.block([(0, 1, 0.02, True), (3, 1, 0.1, True)]))
    before = scorer.rescore(state, None, found_at_ns=5)
    state.apply(chain.block([]))
    after = scorer.rescore(state, (), found_at_ns=6)
    assert (before.cycles_considered > 0, after.cycles_considered) == (True, 0)
    assert after.opportunities
    assert {found.state_block for found in after.opportunities} == {102}
    assert {found.certificate.state_block for found in after.opportunities} == {102}
    assert {found.found_at_ns for found in after.opportunities} == {5}
    state.apply(chain.block([(0, 1, 1e-3, True)]))
    moved = scorer.rescore(state, (), found_at_ns=7)
    mover = chain.followed()[0].pool_id
    for found in moved.opportunities:
        assert found.found_at_ns == (7 if any(hop.pool_id == mover for hop in found.hops) else 5)
    assert {found.found_at_ns for found in moved.opportunities} == {5, 7}


@pytest.mark.parametrize("broken", ["score_cycle", "EdgeTable.update"])
@pytest.mark.parametrize("undo", [False, True])
def test_a_call_that_failed_leaves_nothing_stale_behind(
    monkeypatch: pytest.MonkeyPatch, undo: bool, broken: str
) -> None:
    chain = RandomChain()
    state, scorer = chain.state(), searching(chain)
    state.apply(chain.block([(0, 1, 0.02, True)]))
    before = outcome(scorer.rescore(state, None, found_at_ns=0))
    assert before[0]
    later = chain.fork()
    state.apply(later.block([(0, 1, 0.1, True), (2, 1, 0.1, True)]))
    original, calls = attrgetter(broken)(search_scorer_module), 0

    def fails_the_second_time(*given: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise InvariantBroken("under test")
        return original(*given, **named)

    with monkeypatch.context() as patch:
        patch.setattr(f"{search_scorer_module.__name__}.{broken}", fails_the_second_time)
        with pytest.raises(InvariantBroken):
            scorer.rescore(state, (), found_at_ns=0)
    if undo:
        state.rollback(chain.head.number)
        assert outcome(scorer.rescore(state, (), found_at_ns=0)) == before
    else:
        assert outcome(scorer.rescore(state, (), found_at_ns=0)) == outcome(
            searching(later).rescore(state, None, found_at_ns=0)
        )


def test_equal_trades_come_by_cycle_id_however_many_there_are() -> None:
    spec = [PoolSpec("uniswap_v2", f"0x{at:040x}", f"0x{at:040x}", (A, B), 3000) for at in range(12)]
    pools = [UniswapV2Pool(each, 10**21, (11 if at % 2 else 10) * 10**20) for at, each in enumerate(spec)]
    state = RandomChain().state()
    state = MarketState(pools, state.tokens, state.head)
    expected = cpu_opportunities(state, (A,))
    assert (len(expected), len({found.gross_profit for found in expected})) == (36, 1)
    scorer = SearchScorer(pools, {A: 1.0}, count=4)
    assert list(scorer.rescore(state, None, found_at_ns=0).opportunities) == expected[:4]
    assert scorer.proven


def test_bounds_that_say_nothing_end_the_block_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    state = MarketState(pools_of(3), TOKENS, HEAD)
    scorer = SearchScorer(state.pools.values(), {WETH: 1.0}, count=1)
    best = scorer.rescore(state, None, found_at_ns=0).opportunities
    monkeypatch.setattr(search_scorer_module, "rounding_worth", lambda *_: inf)
    monkeypatch.setattr(search_scorer_module, "_MOST_ROUNDS", 1)
    assert scorer.rescore(state, None, found_at_ns=0).opportunities == best
    assert not scorer.proven


def test_a_state_without_a_head_or_with_other_pools_is_refused() -> None:
    pools = pools_of(0)
    scorer = SearchScorer(pools, {WETH: 1.0})
    with pytest.raises(MarketError, match="no head block"):
        scorer.rescore(MarketState(pools, TOKENS), None, found_at_ns=0)
    with pytest.raises(MarketError, match="lacks a pool"):
        scorer.rescore(MarketState(pools[1:], TOKENS, HEAD), None, found_at_ns=0)


def test_a_market_without_cycles_offers_nothing() -> None:
    chain = RandomChain()
    for pools in ([], list(chain.followed()[:1])):
        state = MarketState(pools, chain.state().tokens, chain.head)
        scorer = SearchScorer(pools, {A: 1.0})
        result = scorer.rescore(state, None, found_at_ns=0)
        assert result.opportunities == ()
        assert scorer.proven


@pytest.mark.parametrize(
    "wrong", [{"count": 0}, {"max_hops": 5}, {"max_hops": 1}, {"worth": {WETH: -1.0}}, {"worth": {WETH: inf}}]
)
def test_senseless_wishes_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        SearchScorer(pools_of(0), **({"worth": {WETH: 1.0}} | wrong))
