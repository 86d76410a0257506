"""The slow ways that fast ones are held against, on markets small enough to work out by hand."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from benchmarks.scoring_market import BenchMarket, make_market
from benchmarks.scoring_parameters import REFERENCE
from benchmarks.scoring_searching import blocks, brute_force, put
from scoring.columns import moebius_columns

KEEP = 0.997


def two_pairs(cost: float) -> BenchMarket:
    """Two pairs of the first hub and one other token, 4 % apart."""
    market = make_market(1, 20, REFERENCE)
    first, second = np.zeros(2, np.int32), np.full(2, 7, np.int32)
    reserves = ((10**21, 10**21), (10**21, 104 * 10**19))
    held = np.array(reserves, dtype=np.float64)
    tokens = np.stack([first, second], axis=1)
    edges, pieces = moebius_columns(
        (KEEP * held[:, ::-1] / held).reshape(-1),
        (KEEP / held).reshape(-1),
        np.repeat(np.arange(2, dtype=np.int32), 2),
        tokens.reshape(-1),
        tokens[:, ::-1].reshape(-1),
        np.full(4, cost),
    )
    fees = np.full(2, 3000)
    return BenchMarket(
        market.tokens,
        market.decimals,
        market.price,
        market.worth,
        first,
        second,
        reserves,
        fees,
        edges,
        pieces,
    )


def test_brute_force_finds_the_one_loop_between_two_pairs_and_its_net() -> None:
    rate, bend = KEEP**2 * 1.04, KEEP / 1e21 * (1 + KEEP * 1.04)
    gain = (sqrt(rate) - 1) ** 2 / bend
    (loop,) = brute_force(two_pairs(1e15)).items()
    assert loop[0] == frozenset({2, 1})
    assert loop[1] == pytest.approx(gain - 2e15, rel=1e-9)


def test_brute_force_leaves_out_what_does_not_earn_its_costs() -> None:
    assert brute_force(two_pairs(1e18)) == {}


def test_blocks_start_from_the_market_that_they_were_made_of() -> None:
    market = make_market(3, 200, REFERENCE)
    rate = market.edges.rate.copy()
    for change in blocks(market, 3, 10):
        assert len(set((change.edges // 2).tolist())) == 10
        assert np.log(change.rates / rate[change.edges]) == pytest.approx(0, abs=0.02)
        put(market.edges, change)
    assert (market.edges.terms[:-1, 0] == market.edges.rate[:-1]).all()
