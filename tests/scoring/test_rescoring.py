"""Scoring what moved equals scoring everything, whatever moved it and whatever went wrong before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scoring.one_cycle as one_cycle
from core.errors import InvariantBroken
from core.reasons import Reason
from market.state import MarketState
from scoring.scorer import CpuScorer, ScoreResult
from tests.random_blocks import A, B, RandomChain
from tests.scoring.market_stories import rescored, step


def scorer_of(chain: RandomChain) -> CpuScorer:
    return CpuScorer(chain.followed(), (A, B), max_hops=3)


def outcome(result: ScoreResult) -> Any:
    return [replace(found, found_at_ns=0) for found in result.opportunities], result.refusals


def from_nothing(chain: RandomChain, state: MarketState) -> Any:
    return outcome(scorer_of(chain).rescore(state, None, found_at_ns=0))


@settings(max_examples=25, deadline=None)
@given(st.lists(step, min_size=1, max_size=6))
def test_rescoring_what_moved_equals_a_scan_of_everything(steps: list[Any]) -> None:
    chain = RandomChain()
    state = chain.state()
    for result, now in rescored(state, scorer_of(chain), chain, steps):
        assert outcome(result) == from_nothing(now, state)


def shifted(place: int, size: float) -> list[Any]:
    return [(place, 1, size, True)]


@pytest.mark.parametrize("undo", [False, True])
def test_a_call_that_failed_leaves_nothing_stale_behind(monkeypatch: pytest.MonkeyPatch, undo: bool) -> None:
    chain = RandomChain()
    state, scorer = chain.state(), scorer_of(chain)
    state.apply(chain.block(shifted(0, 0.02)))
    before = outcome(scorer.rescore(state, None, found_at_ns=0))
    assert before[0]
    later = chain.fork()
    state.apply(later.block([*shifted(0, 0.1), *shifted(2, 0.1)]))
    original, calls = one_cycle.size_cycle, 0

    def fails_in_the_middle(curves: Any) -> Any:
        nonlocal calls
        calls += 1
        size = original(curves)
        return size if isinstance(size, Reason) or calls < 5 else replace(size, upper_bound=0.0)

    with monkeypatch.context() as patch:
        patch.setattr(one_cycle, "size_cycle", fails_in_the_middle)
        with pytest.raises(InvariantBroken):
            scorer.rescore(state, None, found_at_ns=0)
    if undo:
        state.rollback(chain.head.number)
        assert outcome(scorer.rescore(state, (), found_at_ns=0)) == before
    else:
        assert outcome(scorer.rescore(state, (), found_at_ns=0)) == from_nothing(later, state)
