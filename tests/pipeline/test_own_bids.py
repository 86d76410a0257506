"""A journal's bids, judged: each verdict says what it says of bids, and no more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from core.database import open_database
from core.reasons import Reason, Refusal
from core.seams import Ids, ManualClock, Randomness
from execution.bid_draws import BidDraw
from execution.bundle import make_bundle
from execution.command import Settlement
from execution.journal import Journal
from models.bidding import BidModel
from models.drawn_bid import bids_of
from models.off_policy import PolicyValue
from pipeline.drawing import sent_draw
from pipeline.own_bids import judge_own_bids
from tests.execution.conftest import Case

GROSS, GAS_COST = 10**17, 10**16


@pytest.fixture
def journal() -> Iterator[Journal]:
    engine = open_database("sqlite://")
    yield Journal(engine, ManualClock())
    engine.dispose()


def record(
    journal: Journal,
    number: int,
    draw: BidDraw | None,
    bid: int,
    verdict: Reason,
    winning: int | None,
    rivals_gas: int = 200_000,
) -> None:
    decision = Case().decision(number, bid=bid, gas_cost=GAS_COST)
    bundle = make_bundle(Ids({"bundle": number - 1}), decision.decision_id, [number.to_bytes(4)], 100)
    rival = None if verdict is Reason.LANDED else winning
    journal.record_decision(decision, draw)
    journal.claim(bundle)
    money = (0, 200_000, GAS_COST, bid, winning)
    told = (rival, None if rival is None else rivals_gas)
    journal.record_settlement(
        Settlement(bundle.bundle_id, decision.decision_id, verdict, "", 100, *money, *told)
    )


def play(journal: Journal, rivals: np.ndarray, *, exploration: float, told: bool = True) -> list[BidDraw]:
    """Send a bid into each auction and record what became of it."""
    model, draws = BidModel(Randomness(1), exploration=exploration), []
    for number, rival in enumerate(rivals.tolist(), 1):
        drawn = model.choose(GROSS, GAS_COST)
        draw = sent_draw(f"decision-{number:06d}", drawn, GROSS, lambda bid: bid <= 8 * GROSS // 10)
        if draw.sendable <= draw.action:
            continue
        won = drawn.bid > rival
        verdict = Reason.LANDED if won else Reason.OUTBID
        record(journal, number, draw, drawn.bid, verdict, drawn.bid if won else rival if told else None)
        draws.append(draw)
    return draws


def test_fixed_shares_are_worth_what_they_would_have_kept(journal: Journal) -> None:
    rivals = np.random.default_rng(1).integers(0, GROSS, 100)
    play(journal, rivals, exploration=0.2)
    judged = judge_own_bids(journal)
    assert judged.auctions > 90
    assert judged.not_drawn == 0
    assert 0 < judged.tries < judged.auctions / 2
    assert judged.policies == {"counted shares 1": judged.auctions}
    rows = {row.policy: row.kept for row in judged.rows}
    for policy, share in (("always 50 %", 5), ("always 70 %", 7)):
        value = rows[policy]
        assert isinstance(value, PolicyValue)
        bid = share * GROSS // 10
        truth = (rivals < bid).mean() * (GROSS - GAS_COST - bid) / (GROSS - GAS_COST)
        assert value.doubly_robust.value == pytest.approx(truth, abs=0.08)
    # no check lets it through, so it never bids, and that is known
    value = rows["always 90 %"]
    assert isinstance(value, PolicyValue)
    assert value.doubly_robust.value == 0
    assert value.effective_rows == judged.auctions


def test_what_met_no_rival_is_counted_and_not_judged(journal: Journal) -> None:
    rivals = np.random.default_rng(1).integers(0, GROSS, 60)
    draws = play(journal, rivals, exploration=0.0)
    before = judge_own_bids(journal)
    for number, verdict in enumerate((Reason.LATE, Reason.NEVER_SIMULATED), 101):
        draw = replace(draws[0], decision_id=f"decision-{number:06d}")
        record(journal, number, draw, GROSS // 2, verdict, None)
    record(journal, 110, None, GROSS // 2, Reason.LANDED, GROSS // 2)
    after = judge_own_bids(journal)
    assert after.set_aside == {"late": 1, "never_simulated": 1}
    assert after.not_drawn == 1
    assert (after.auctions, after.kept, after.tries) == (before.auctions, before.kept, 0)


def test_a_loss_to_an_unknown_bid_is_no_certain_loss_of_higher_bids(journal: Journal) -> None:
    rivals = np.full(60, 8 * GROSS // 10)
    play(journal, rivals, exploration=0.0, told=False)
    (judged,) = [row.kept for row in judge_own_bids(journal).rows if row.policy == "always 70 %"]
    assert isinstance(judged, PolicyValue)
    assert judged.doubly_robust.value > 0.02


def test_who_wins_is_decided_by_the_price_of_gas(journal: Journal) -> None:
    drawn = BidModel(Randomness(1), exploration=0.0).choose(GROSS, GAS_COST)
    half, rivals_gas = drawn.bid // 2, 80_000
    for number in range(1, 41):
        draw = sent_draw(f"decision-{number:06d}", drawn, GROSS, lambda bid: bid < GROSS)
        # half of our bid for two fifths of our gas: 1.25 times our price
        record(journal, number, draw, drawn.bid, Reason.OUTBID, half, rivals_gas)
    judged = judge_own_bids(journal)
    rows = {row.policy: row.kept for row in judged.rows}
    assert (judged.unknown, judged.outranked) == (0, 0)
    bids = bids_of(GROSS, drawn.shares_ppm)
    for policy, share in (
        ("without tries", drawn.share_ppm),
        ("always 50 %", 500_000),
        ("always 70 %", 700_000),
    ):
        value, bid = rows[policy], bids[drawn.shares_ppm.index(share)]
        assert isinstance(value, PolicyValue)
        wins = bid * rivals_gas > half * 200_000
        kept = (GROSS - GAS_COST - bid) / (GROSS - GAS_COST)
        assert value.doubly_robust.value == pytest.approx(kept if wins else 0)
    assert drawn.share_ppm < 500_000 < drawn.share_ppm * 1.25 < 700_000


def test_a_bid_that_was_ranked_first_and_lost_shows_that_no_share_would_have_won(journal: Journal) -> None:
    draws = play(journal, np.full(60, GROSS // 4), exploration=0.0)
    before = judge_own_bids(journal)
    for number in range(101, 161):
        draw = replace(draws[0], decision_id=f"decision-{number:06d}")
        record(journal, number, draw, draws[0].share_ppm * GROSS // 10**6, Reason.STATE_MOVED, GROSS // 100)
    after = judge_own_bids(journal)
    assert (after.auctions, after.outranked) == (before.auctions + 60, 60)
    kept = [
        next(row.kept for row in judged.rows if row.policy == "always 70 %") for judged in (before, after)
    ]
    assert all(isinstance(value, PolicyValue) for value in kept)
    assert kept[1].doubly_robust.value == pytest.approx(kept[0].doubly_robust.value / 2)


def test_without_tries_the_share_that_a_check_refuses_is_not_bid(journal: Journal) -> None:
    model = BidModel(Randomness(1), exploration=0.5)
    for _ in range(200):
        model.observe(GROSS, GROSS // 10, False, 8 * GROSS // 10)
    number = 0
    while number < 40:
        drawn = model.choose(GROSS, 0)
        if drawn.share_ppm > 500_000:
            continue
        number += 1
        draw = sent_draw(f"decision-{number:06d}", drawn, GROSS, lambda bid: bid <= GROSS // 2)
        assert draw.untried is not None
        assert draw.shares_ppm[draw.untried] > 800_000
        record(journal, number, draw, drawn.bid, Reason.OUTBID, 8 * GROSS // 10)
    judged = judge_own_bids(journal)
    assert judged.tries == 40
    (value,) = [row.kept for row in judged.rows if row.policy == "without tries"]
    assert isinstance(value, PolicyValue)
    assert value.effective_rows == 40
    assert value.doubly_robust.value == 0


def test_a_loss_of_which_a_journal_says_no_price_leaves_higher_shares_open(journal: Journal) -> None:
    drawn = BidModel(Randomness(1), exploration=0.0).choose(GROSS, GAS_COST)
    for number in range(1, 41):
        draw = sent_draw(f"decision-{number:06d}", drawn, GROSS, lambda bid: bid < GROSS)
        record(journal, number, draw, drawn.bid, Reason.STATE_MOVED, None)
    judged = judge_own_bids(journal)
    assert (judged.auctions, judged.unknown) == (40, 40)
    rows = {row.policy: row.kept for row in judged.rows}
    own, higher = rows["without tries"], rows["always 70 %"]
    assert isinstance(own, PolicyValue)
    assert isinstance(higher, PolicyValue)
    assert (own.doubly_robust.lower, own.doubly_robust.upper) == (0, 0)
    left = 1 - 7 * GROSS // 10 / (GROSS - GAS_COST)
    assert (higher.doubly_robust.lower, higher.doubly_robust.upper) == pytest.approx((0, left))


def test_a_journal_without_draws_judges_nothing(journal: Journal) -> None:
    record(journal, 1, None, GROSS // 2, Reason.LANDED, GROSS // 2)
    judged = judge_own_bids(journal)
    assert (judged.auctions, judged.not_drawn, judged.rows, judged.kept) == (0, 1, (), None)


def test_few_bids_are_told_as_few(journal: Journal) -> None:
    play(journal, np.full(5, GROSS // 4), exploration=0.0)
    judged = judge_own_bids(journal)
    assert judged.auctions == 5
    refused = [row.kept for row in judged.rows if isinstance(row.kept, Refusal)]
    assert {one.reason for one in refused} <= {Reason.FEW_EFFECTIVE_ROWS, Reason.NO_OVERLAP}
    assert len(refused) == len(judged.rows)
    written = judged.to_dict()["rows"][0]["kept"]
    assert written["reason"] in ("few_effective_rows", "no_overlap")
