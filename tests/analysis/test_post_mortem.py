"""The journal alone says why a bundle was lost, what would have won, and what was known when it bid."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.post_mortem import (
    PostMortem,
    auctions_known_to,
    bids_learned_from,
    dearest_loss,
    explain,
    post_mortems,
)
from analysis.report import LANDED_FIRST
from core.errors import ExecutionError
from core.reasons import Reason
from core.seams import Ids, Randomness
from execution.bundle import make_bundle
from execution.command import Decision, Settlement
from execution.relays.auction import Entry
from execution.settlement import BlockFacts, Rival, settle
from models.bidding import BidModel
from scoring.opportunity import Certificate, Hop, Opportunity

ETH = 10**18
WETH, POOLS = "0x" + "ee" * 20, ("0x" + "a1" * 20, "0x" + "a2" * 20)


def decision(number: int = 1, *, gross: int = ETH, bid: int = ETH // 5, gas: int = 200_000) -> Decision:
    hops = (Hop(POOLS[0], WETH, "0xda", ETH, 5 * ETH), Hop(POOLS[1], "0xda", WETH, 5 * ETH, ETH + gross))
    cycle = Opportunity("c0", WETH, hops, ETH, ETH + gross, gross, Certificate(gross, 0, 99), 99, 7)
    return Decision(f"decision-{number}", cycle, 99 + number, gas, gas * 10**10, bid, 0.5, 0.0, ())


def settled(one: Decision, *rivals: Rival) -> PostMortem:
    """Settle as the live loop does, from what the block holds."""
    bundle = make_bundle(Ids(), one.decision_id, [b"\x02"], one.target_block)
    facts = BlockFacts(one.target_block, None, rivals, accepted=True, late=False)
    return PostMortem(one, settle(bundle, one, facts, executor="0xec", weth=WETH))


def landed(one: Decision) -> PostMortem:
    lost = settled(one).settlement
    return PostMortem(one, replace(lost, verdict=Reason.LANDED, detail="", winning_bid=one.bid))


def arbitrage(payment: int | None, gas: int = 250_000) -> Rival:
    return Rival(b"\x01" * 32, 0, POOLS, gas, payment)


@given(
    ours=st.integers(21_000, 1_000_000),
    theirs=st.integers(21_000, 1_000_000),
    paid=st.integers(0, 10 * ETH),
)
def test_the_least_winning_bid_is_ranked_first_by_a_builder_and_a_wei_less_is_not(
    ours: int, theirs: int, paid: int
) -> None:
    # a bid of nothing is outbid by anybody
    lost = settled(decision(bid=0, gas=ours), arbitrage(paid, theirs))
    assert lost.verdict is Reason.OUTBID
    least = lost.least_winning_bid
    assert least is not None

    def price(payment: int, gas: int) -> Fraction:
        return Entry(b"", "0x", (), gas, payment, None).exact_price

    assert price(least, ours) > price(paid, theirs) >= price(least - 1, ours)
    assert lost.forgone == max(0, ETH - ours * 10**10 - least)


def test_what_was_lost_is_explained_with_what_would_have_won() -> None:
    lost = settled(decision(), arbitrage(ETH // 2))
    assert (lost.share, lost.winning_share, lost.winners_gas) == (0.2, 0.5, 250_000)
    assert lost.least_winning_bid == 4 * ETH // 10 + 1
    assert lost.left_after(lost.decision.bid) == ETH - ETH // 500 - ETH // 5
    assert explain(lost) == (
        "We offered 0.2 ETH, 20.0% of the gross profit. A competitor paid 0.5 ETH, 50.0%. "
        "0.4 ETH would have won and left 0.598 ETH after gas."
    )
    too_dear = settled(decision(), arbitrage(2 * ETH))
    assert too_dear.forgone == 0
    assert explain(too_dear).endswith("1.6 ETH would have won and cost 0.602 ETH more than it brings.")


def test_what_the_journal_does_not_know_is_not_made_up() -> None:
    secret = settled(decision(), arbitrage(None))
    assert (secret.verdict, secret.winning_share, secret.least_winning_bid) == (Reason.OUTBID, None, None)
    assert explain(secret).endswith("A competitor took it; what it paid is not known.")
    known = settled(decision(), arbitrage(ETH // 2))
    old = PostMortem(known.decision, replace(known.settlement, rival_payment=None, rival_gas=None))
    assert (old.winning_share, old.least_winning_bid, old.winners_gas) == (0.5, None, None)
    assert explain(old).endswith("A competitor took it; its price of gas is not known.")
    moved = settled(decision(), Rival(b"\x02" * 32, 0, POOLS[:1], 90_000, 0))
    assert (moved.verdict, moved.least_winning_bid, moved.forgone) == (Reason.STATE_MOVED, None, 0)
    assert POOLS[0] in explain(moved)


@pytest.mark.parametrize("verdict", LANDED_FIRST)
def test_every_verdict_has_a_sentence(verdict: Reason) -> None:
    one = settled(decision())
    assert explain(PostMortem(one.decision, replace(one.settlement, verdict=verdict))).endswith(".")


def test_bundles_come_in_the_order_of_their_blocks_and_the_dearest_loss_is_found() -> None:
    cases = [
        settled(decision(3, gross=2 * ETH), arbitrage(ETH // 2)),
        landed(decision(1, gross=9 * ETH)),
        settled(decision(2), arbitrage(ETH // 2)),
    ]
    found = post_mortems([each.decision for each in cases], [each.settlement for each in cases])
    assert [each.block_number for each in found] == [100, 101, 102]
    assert dearest_loss(found) == cases[0]
    assert dearest_loss(found[:1]) is None


def test_a_settlement_without_its_decision_is_refused() -> None:
    settlement: Settlement = settled(decision()).settlement
    with pytest.raises(ExecutionError, match="no decision"):
        post_mortems([], [settlement])


def test_what_was_known_when_it_bid_is_what_the_live_model_had_learned() -> None:
    live = BidModel(Randomness(5))
    cases: list[PostMortem] = []
    told: list[float] = []
    for number in range(1, 60):
        gross = ETH + number * 10**16
        choice = live.choose(gross, 2 * 10**15)
        told.append(choice.win_probability)
        one = replace(decision(number, gross=gross, bid=choice.bid), win_probability=choice.win_probability)
        rival = arbitrage(gross * (number % 7) // 10, 200_000)
        assert rival.payment is not None
        # the builder's own rule: the higher bid wins
        cases.append(landed(one) if choice.bid > rival.payment else settled(one, rival))
        # the live loop settles a block's bundle only after the next one has left
        if len(cases) > 1:
            last = cases[-2]
            paid = last.settlement.winning_bid if last.lost else None
            live.observe(last.gross, last.decision.bid, not last.lost, paid)
    assert {each.verdict for each in cases} == {Reason.LANDED, Reason.OUTBID}
    for each, chance in zip(cases, told, strict=True):
        assert bids_learned_from(auctions_known_to(each, cases)).win_probability(each.share) == pytest.approx(
            chance, abs=1e-12
        )
