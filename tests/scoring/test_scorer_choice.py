"""Small markets are listed, large ones searched, and either gives the same trades in the same order."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scoring.scorer_choice as scorer_choice_module
from core.errors import InputError
from market.pools.spec import PoolSpec
from scoring.cycles import CycleIndex
from scoring.scorer import CpuScorer
from scoring.scorer_choice import cycles_at_most, make_scorer
from scoring.search_scorer import SearchScorer
from tests.random_blocks import B, RandomChain

NAMES = "abcdef"


def specs(rng: random.Random, count: int, most_tokens: int) -> list[PoolSpec]:
    return [
        PoolSpec("weighted", f"{at}", f"{at}", tuple(rng.sample(NAMES, rng.randint(2, most_tokens))), 3000)
        for at in range(count)
    ]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(0, 14), max_hops=st.integers(2, 4))
def test_cycles_of_pairs_are_counted_exactly(seed: int, count: int, max_hops: int) -> None:
    pools = specs(random.Random(seed), count, 2)
    assert cycles_at_most(pools, "a", max_hops) == len(CycleIndex(pools, ["a"], max_hops))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(0, 6), max_hops=st.integers(2, 4))
def test_cycles_are_never_undercounted(seed: int, count: int, max_hops: int) -> None:
    pools = specs(random.Random(seed), count, 4)
    assert cycles_at_most(pools, "a", max_hops) >= len(CycleIndex(pools, ["a"], max_hops))


def test_the_choice_goes_by_the_number_of_cycles_and_does_not_show_in_the_trades(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chain = RandomChain()
    state = chain.state()
    state.apply(chain.block([(0, 1, 0.1, True), (2, 1, 0.02, False)]))
    listed = make_scorer(chain.followed(), B, 3)
    monkeypatch.setattr(scorer_choice_module, "MOST_CYCLES_ONE_BY_ONE", 10)
    searched = make_scorer(chain.followed(), B, 3)
    assert isinstance(listed.scorer, CpuScorer)
    assert isinstance(searched.scorer, SearchScorer)
    assert (listed.name, searched.name) == ("one by one", "search")
    assert "cycles" in listed.why
    trades = [each.scorer.rescore(state, None, found_at_ns=0).opportunities for each in (listed, searched)]
    assert trades[0] == trades[1] != ()


def test_longer_cycles_than_the_search_knows_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scorer_choice_module, "MOST_CYCLES_ONE_BY_ONE", 0)
    assert isinstance(make_scorer(RandomChain().followed(), B, 5).scorer, CpuScorer)


@pytest.mark.parametrize("max_hops", [0, 1])
def test_cycles_of_less_than_two_hops_are_refused(max_hops: int) -> None:
    with pytest.raises(InputError):
        make_scorer(RandomChain().followed(), B, max_hops)
