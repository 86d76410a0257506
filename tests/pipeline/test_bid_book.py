"""What a bundle's end teaches the bid model, and how long it can be taken back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import pipeline.bid_book
from core.database import open_database
from core.reasons import Reason
from core.seams import Ids, ManualClock, Randomness
from execution.bundle import make_bundle
from execution.command import Bundle, Decision
from execution.journal import Journal
from execution.settlement import BlockFacts, Rival
from market.state import JOURNAL_DEPTH
from models.bidding import BidModel
from pipeline.bid_book import BidBook, OpenBundle
from tests.execution.conftest import DAI, PAIR, POOL, SPECS, WETH, Case

GROSS = 10**17


class Stage:
    """A book over an empty journal; blocks hold what ``rivals`` says, in place of a node."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.model = BidModel(Randomness(1), exploration=0.0)
        self.rivals: Callable[[Decision], tuple[Rival, ...]] = lambda _: ()
        self.book = BidBook(journal, self.model, None, SPECS, executor=DAI, wrapped_native=WETH)

    async def gather_facts(
        self, _rpc: object, bundle: Bundle, decision: Decision, *_: object, **__: object
    ) -> BlockFacts:
        return BlockFacts(bundle.target_block, None, self.rivals(decision), accepted=True, late=False)

    def send(self, number: int, bid: int) -> None:
        decision = replace(Case().decision(number, bid=bid), target_block=number)
        bundle = make_bundle(Ids({"bundle": number - 1}), decision.decision_id, [number.to_bytes(4)], number)
        self.journal.record_decision(decision)
        self.journal.claim(bundle)
        self.book.add(OpenBundle(bundle, decision))


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Stage]:
    engine = open_database(f"sqlite:///{tmp_path / 'journal.db'}")
    made = Stage(Journal(engine, ManualClock()))
    monkeypatch.setattr(pipeline.bid_book, "gather_facts", made.gather_facts)
    yield made
    engine.dispose()


async def test_losing_to_one_who_pays_less_for_less_gas_makes_a_share_look_worse(stage: Stage) -> None:
    # 40 % for half of our gas is a price of 80 %
    stage.rivals = lambda _: (Rival(b"\x01" * 32, 0, (PAIR, POOL), 100_000, 4 * GROSS // 10),)
    before = stage.model.win_probability(0.6)
    for number in range(1, 31):
        stage.send(number, 6 * GROSS // 10)
        (bid,) = await stage.book.settle(number)
        assert bid.settlement.verdict is Reason.OUTBID
    assert stage.model.settled == 30
    assert stage.model.win_probability(0.6) < before / 3
    assert stage.model.win_probability(0.84) > 0.7
    assert 8 * GROSS // 10 < stage.model.bid(GROSS, 0)[0] < 9 * GROSS // 10


async def test_a_loss_that_no_bid_decided_teaches_nothing(stage: Stage) -> None:
    stage.rivals = lambda _: (Rival(b"\x01" * 32, 0, (PAIR, POOL), 300_000, GROSS // 10),)
    stage.send(1, 6 * GROSS // 10)
    (bid,) = await stage.book.settle(1)
    assert (bid.settlement.verdict, stage.model.settled) == (Reason.STATE_MOVED, 0)


async def test_what_a_reorganisation_takes_back_is_forgotten_and_waited_for(stage: Stage) -> None:
    stage.rivals = lambda _: (Rival(b"\x01" * 32, 0, (PAIR, POOL), 100_000, 4 * GROSS // 10),)
    chances = []
    for number in range(1, 6):
        chances.append(stage.model.win_probability(0.6))
        stage.send(number, 6 * GROSS // 10)
        await stage.book.settle(number)
    await stage.book.reopen(3)
    assert stage.model.win_probability(0.6) == chances[2]
    assert [bid.settlement.block_number for bid in stage.book.bids] == [1, 2]
    assert [bundle.target_block for bundle in stage.journal.unsettled()] == [3, 4, 5]
    assert len(await stage.book.settle(5)) == 3
    assert not stage.book.in_the_air


async def test_states_of_the_model_are_kept_for_blocks_that_can_be_replaced_and_no_longer(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[object] = []
    state = stage.model.state
    monkeypatch.setattr(stage.model, "state", lambda: kept.append(Kept()) or {**state(), "kept": kept.pop()})
    rounds = 3 * JOURNAL_DEPTH
    for number in range(1, rounds + 1):
        stage.send(number, 6 * GROSS // 10)
        await stage.book.settle(number)
    assert len(stage.book.bids) == rounds
    assert Kept.alive <= JOURNAL_DEPTH + 1
    # the deepest reorganisation that there is
    await stage.book.reopen(rounds - JOURNAL_DEPTH + 1)
    assert len(stage.journal.unsettled()) == JOURNAL_DEPTH


class Kept:
    """Counts how many of it are still held."""

    alive = 0

    def __init__(self) -> None:
        Kept.alive += 1

    def __del__(self) -> None:
        Kept.alive -= 1
