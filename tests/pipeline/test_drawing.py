from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ExecutionError
from core.seams import Randomness
from models.bidding import BidModel
from models.drawn_bid import bids_of
from pipeline.drawing import OneDraw, sent_draw

ETHER = 10**18


@given(
    gross=st.integers(1, 10**21),
    cost=st.floats(0, 0.99),
    seed=st.integers(0, 50),
    exploration=st.sampled_from([0.0, 0.05, 0.9]),
    limit=st.floats(0, 1),
)
def test_chances_of_a_sent_bid_are_those_among_the_shares_that_pass(
    gross: int, cost: float, seed: int, exploration: float, limit: float
) -> None:
    drawn = BidModel(Randomness(seed), exploration=exploration).choose(gross, int(cost * gross))
    most = max(drawn.bid, int(limit * gross))
    draw = sent_draw("decision-1", drawn, gross, lambda bid: bid <= most)
    passing = [bid <= most for bid in bids_of(gross, drawn.shares_ppm)]
    assert draw.sendable == sum(passing)
    assert sum(draw.propensities) == pytest.approx(1)
    assert draw.propensity > 0
    assert all(chance == 0 for chance, ok in zip(draw.propensities, passing, strict=True) if not ok)
    likeliest = max(range(len(passing)), key=draw.propensities.__getitem__)
    assert exploration > 0 or likeliest == draw.action


def test_chances_of_sent_bids_are_the_frequencies_of_those_that_pass() -> None:
    model = BidModel(Randomness(3), exploration=0.8)
    draws = []
    for number in range(6000):
        drawn = model.choose(ETHER, 0)
        if drawn.bid <= ETHER * 6 // 10:
            draws.append(sent_draw(f"decision-{number}", drawn, ETHER, lambda bid: bid <= ETHER * 6 // 10))
    for place in (0, 10, 24, 30):
        often = sum(draw.action == place for draw in draws) / len(draws)
        assert often == pytest.approx(draws[0].propensities[place], abs=0.02)


def test_one_draw_answers_as_its_policy_and_keeps_how() -> None:
    draw = OneDraw(BidModel(Randomness(1), exploration=0.0))
    with pytest.raises(ExecutionError, match="no bid was drawn"):
        _ = draw.drawn
    assert draw.bid(ETHER, 0) == (draw.drawn.bid, draw.drawn.win_probability)
    assert draw.drawn.policy == "counted shares"
