"""The journal: what goes in comes out, nothing is sent twice, nothing is settled twice."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.database import open_database
from core.errors import ExecutionError
from core.reasons import Reason
from core.seams import Ids, ManualClock
from execution.bid_draws import BidDraw
from execution.command import Funding, Plan, Settlement, Verdict
from execution.journal import Journal

HUGE = 2**256 - 1


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/journal.db"


@pytest.fixture
def opened(url):
    engines = []

    def open_again() -> Journal:
        engines.append(open_database(url))
        return Journal(engines[-1], ManualClock(now=5))

    yield open_again
    for engine in engines:
        engine.dispose()


def settlement(number: int = 1, **changes: object) -> Settlement:
    landed = Settlement(
        f"bundle-{number:06d}", f"decision-{number:06d}", Reason.LANDED, "kept it", 100,
        5 * 10**16, 190_000, 19 * 10**14, 4 * 10**16, 4 * 10**16,
    )  # fmt: skip
    return replace(landed, **changes)


def plan(number: int = 1) -> Plan:
    return Plan(
        f"decision-{number:06d}",
        "0x" + "ec" * 20,
        b"\x01\x02",
        Funding.FIRST_POOL,
        400_000,
        HUGE,
        100,
        HUGE,
        1,
    )


def test_records_come_back_as_they_went_in_even_beyond_64_bits(opened, case):
    journal = opened()
    opportunity = replace(case.opportunity(), amount_in=HUGE, gross_profit=-HUGE)
    verdicts = (Verdict("freshness", False, Reason.STATE_STALE, "old"), Verdict("net_profit", True, None, ""))
    decision = case.decision(opportunity=opportunity, bid=HUGE, gas_cost=HUGE, verdicts=verdicts)
    journal.record_decision(decision)
    journal.record_plan(plan())
    journal.claim(case.bundle())
    journal.record_settlement(settlement(profit=-HUGE, winning_bid=None))
    again = opened()
    assert again.decision("decision-000001") == decision
    assert again.decisions() == (decision,)
    assert again.settlements() == (settlement(profit=-HUGE, winning_bid=None),)
    assert again.unsettled() == ()


def draw(number: int = 1) -> BidDraw:
    shares, chances = (0, 20_000, 1_000_000), (0.1 + 0.2, 1 / 3, 1.0)
    return BidDraw(f"decision-{number:06d}", "counted shares", "1", 1, 2, shares, (0.05, 0.95, 0.0), chances)


def test_how_a_bid_was_drawn_comes_back_to_the_last_bit(opened, case):
    opened().record_decision(case.decision(), draw())
    (found,) = opened().bid_draws()
    assert found == draw()
    assert (found.share_ppm, found.propensity) == (20_000, 0.95)


def test_a_decision_and_its_draw_are_recorded_together_or_not_at_all(opened, case):
    journal = opened()
    with pytest.raises(ExecutionError, match="another decision"):
        journal.record_decision(case.decision(1), draw(2))
    assert journal.decisions() == journal.bid_draws() == ()
    journal.record_decision(case.decision(1), draw(1))
    with pytest.raises(ExecutionError, match="already"):
        journal.record_decision(case.decision(1), draw(1))
    assert len(journal.decisions()) == len(journal.bid_draws()) == 1


def test_a_journal_from_before_bids_were_logged_goes_on(opened, case, url):
    journal = opened()
    journal.record_decision(case.decision(1))
    engine = open_database(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE bid_draws")
    engine.dispose()
    again = opened()
    assert again.bid_draws() == ()
    again.record_decision(case.decision(2), draw(2))
    assert again.bid_draws() == (draw(2),)
    assert again.decisions() == (case.decision(1), case.decision(2))


def test_a_journal_from_before_a_rivals_gas_was_kept_goes_on(opened, case, url):
    journal = opened()
    recorded(journal, case, (1,))
    journal.record_decision(case.decision(2), draw(2))
    engine = open_database(url)
    with engine.begin() as connection:
        for table, column in (
            ("settlements", "rival_payment_wei"),
            ("settlements", "rival_gas"),
            ("bid_draws", "untried"),
        ):
            connection.exec_driver_sql(f"ALTER TABLE {table} DROP COLUMN {column}")
    engine.dispose()
    again = opened()
    assert again.settlements() == (settlement(1, block_number=101),)
    assert again.bid_draws() == (draw(2),)
    again.claim(case.bundle(2))
    outbid = settlement(2, block_number=102, rival_payment=HUGE, rival_gas=150_000)
    again.record_settlement(outbid)
    again.record_decision(case.decision(3), replace(draw(3), untried=2))
    assert opened().settlements() == (settlement(1, block_number=101), outbid)
    assert opened().bid_draws() == (draw(2), replace(draw(3), untried=2))


@pytest.mark.parametrize(
    ("damage", "read"),
    [
        ("UPDATE bid_draws SET propensities = '[0.1'", Journal.bid_draws),
        ("UPDATE bid_draws SET propensities = '[1.0]'", Journal.bid_draws),
        ("UPDATE bid_draws SET propensities = '[0.05, NaN, 0.95]'", Journal.bid_draws),
        ("UPDATE bid_draws SET propensities = '7'", Journal.bid_draws),
        ("UPDATE bid_draws SET win_probabilities = '[]'", Journal.bid_draws),
        ("UPDATE bid_draws SET win_probabilities = '[0.1, \"a\", 1.0]'", Journal.bid_draws),
        ("UPDATE bid_draws SET shares_ppm = '[0, 20000, 1e6]'", Journal.bid_draws),
        ("UPDATE bid_draws SET action = 77", Journal.bid_draws),
        ("UPDATE bid_draws SET action = 'x'", Journal.bid_draws),
        ("UPDATE bid_draws SET untried = -1", Journal.bid_draws),
        ("UPDATE decisions SET bid_wei = 'abc'", Journal.decisions),
        ("UPDATE decisions SET opportunity = '[]'", Journal.decisions),
        ("UPDATE decisions SET opportunity = '{'", Journal.decisions),
        ("UPDATE bundles SET raw_transactions = '[5]'", Journal.unsettled),
        ("UPDATE settlements SET verdict = 'weather'", Journal.settlements),
        ("UPDATE settlements SET rival_payment_wei = '1.5'", Journal.settlements),
        ("UPDATE settlements SET rival_gas = 'x'", Journal.settlements),
    ],
)
def test_a_damaged_row_is_refused_by_the_name_of_its_decision(opened, case, url, damage, read):
    journal = opened()
    journal.record_decision(case.decision(1), draw(1))
    journal.claim(case.bundle(1))
    if read is Journal.settlements:
        journal.record_settlement(settlement(1, rival_payment=5, rival_gas=6))
    assert read(journal)
    engine = open_database(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(damage)
    engine.dispose()
    with pytest.raises(ExecutionError, match="decision-000001"):
        read(opened())


def test_a_bundle_without_settlement_is_listed_after_a_restart(opened, case):
    journal = opened()
    for number in (1, 2, 3):
        journal.record_decision(case.decision(number))
        journal.claim(case.bundle(number))
    journal.record_settlement(settlement(2))
    assert opened().unsettled() == (case.bundle(1), case.bundle(3))


def test_a_bundle_id_is_never_claimed_twice(opened, case):
    journal = opened()
    journal.record_decision(case.decision())
    journal.claim(case.bundle())
    for again in (journal, opened()):
        with pytest.raises(ExecutionError):
            again.claim(case.bundle(raw=b"\x02other bytes"))
    journal.record_settlement(settlement())
    with pytest.raises(ExecutionError, match="already"):
        journal.claim(case.bundle(raw=b"\x02other bytes"))


def test_the_same_transactions_do_not_leave_under_another_id_while_unsettled(opened, case):
    journal = opened()
    for number in (1, 2):
        journal.record_decision(case.decision(number))
    journal.claim(case.bundle(1, raw=b"\x02same"))
    with pytest.raises(ExecutionError, match="sent already"):
        opened().claim(case.bundle(2, raw=b"\x02same"))
    journal.record_settlement(settlement(1, verdict=Reason.NEVER_SIMULATED))
    journal.claim(case.bundle(2, raw=b"\x02same"))


def test_rows_that_belong_to_nothing_are_refused(opened, case):
    journal = opened()
    for attempt in (
        lambda: journal.record_plan(plan()),
        lambda: journal.claim(case.bundle()),
        lambda: journal.record_settlement(settlement()),
        lambda: journal.decision("decision-000001"),
    ):
        with pytest.raises(ExecutionError):
            attempt()
    assert journal.decisions() == journal.unsettled() == journal.settlements() == ()


def test_nothing_is_settled_twice_and_nothing_changes_by_trying(opened, case):
    journal = opened()
    journal.record_decision(case.decision())
    journal.claim(case.bundle())
    journal.record_settlement(settlement())
    with pytest.raises(ExecutionError):
        journal.record_settlement(settlement(verdict=Reason.OUTBID))
    with pytest.raises(ExecutionError):
        journal.record_decision(case.decision(bid=1))
    assert journal.settlements() == (settlement(),)
    assert journal.decisions() == (case.decision(),)


def recorded(journal: Journal, case, numbers) -> None:
    """Settle one bundle a block: the first in block 101."""
    for number in numbers:
        journal.record_decision(case.decision(number))
        journal.claim(case.bundle(number))
        journal.record_settlement(settlement(number, block_number=100 + number))


def test_a_reorganisation_takes_back_what_was_settled_from_its_height_on(opened, case):
    journal = opened()
    recorded(journal, case, (1, 2, 3))
    assert journal.reopen(102) == (case.bundle(2), case.bundle(3))
    again = opened()
    assert again.unsettled() == (case.bundle(2), case.bundle(3))
    assert again.settlements() == (settlement(1, block_number=101),)
    assert again.reopen(102) == ()  # nothing of those blocks stands any more
    outbid = settlement(3, block_number=103, verdict=Reason.OUTBID, profit=0)
    again.record_settlement(outbid)
    assert opened().unsettled() == (case.bundle(2),)
    assert opened().settlements() == (settlement(1, block_number=101), outbid)


def test_a_settlement_that_was_taken_back_is_not_lost(opened, case):
    journal = opened()
    recorded(journal, case, (1,))
    landed = settlement(1, block_number=101)
    assert journal.superseded() == ()
    journal.reopen(101)
    outbid = replace(landed, verdict=Reason.OUTBID, profit=0)
    journal.record_settlement(outbid)
    journal.reopen(50)
    journal.record_settlement(landed)
    assert opened().superseded() == (landed, outbid)
    assert opened().settlements() == (landed,)


def test_a_reopened_bundle_may_not_leave_again(opened, case):
    journal = opened()
    recorded(journal, case, (1,))
    journal.record_decision(case.decision(2))
    journal.reopen(101)
    with pytest.raises(ExecutionError, match="sent already"):
        journal.claim(case.bundle(2, raw=case.bundle(1).raw_transactions[0]))


def test_nothing_is_settled_twice_after_it_was_reopened(opened, case):
    journal = opened()
    recorded(journal, case, (1,))
    journal.reopen(101)
    journal.record_settlement(settlement(1, block_number=101))
    with pytest.raises(ExecutionError, match="already"):
        opened().record_settlement(settlement(1, block_number=102))


def test_ids_go_on_counting_after_a_restart(opened, case):
    journal = opened()
    assert journal.id_counts() == {"decision": 0, "bundle": 0}
    for number in (3, 999_999, 1_000_000):
        journal.record_decision(case.decision(number))
    journal.claim(case.bundle(3))
    ids = Ids(opened().id_counts())
    assert ids.next("decision") == "decision-1000001"
    assert ids.next("bundle") == "bundle-000004"


EVENTS = ["decide", "claim", "claim again", "settle", "settle again", "reorganise", "restart"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(steps=st.lists(st.tuples(st.sampled_from(EVENTS), st.integers(0, 3)), min_size=1, max_size=30))
def test_in_any_order_of_events_sent_means_settled_or_listed(tmp_path_factory, case, steps):
    """One settlement of a bundle stands at most, and every one that ever did is on record."""
    engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('journal')}/j.db")
    journal = Journal(engine, ManualClock())
    decided, sent, stands, taken_back, block = 0, [], {}, [], 100
    for step, depth in steps:
        if step == "decide":
            decided += 1
            journal.record_decision(case.decision(decided))
        elif step == "claim" and decided > len(sent):
            journal.claim(case.bundle(len(sent) + 1))
            sent.append(len(sent) + 1)
        elif step == "claim again" and sent:
            with pytest.raises(ExecutionError):
                journal.claim(case.bundle(sent[-1]))
        elif step == "settle" and len(stands) < len(sent):
            block += 1
            number = next(n for n in sent if n not in stands)
            stands[number] = settlement(number, block_number=block)
            journal.record_settlement(stands[number])
        elif step == "settle again" and stands:
            with pytest.raises(ExecutionError):
                journal.record_settlement(settlement(next(iter(stands))))
        elif step == "reorganise":
            block -= depth
            orphaned = sorted(n for n in stands if stands[n].block_number > block)
            assert journal.reopen(block + 1) == tuple(case.bundle(n) for n in orphaned)
            taken_back += [stands.pop(n) for n in orphaned]
        elif step == "restart":
            journal = Journal(engine, ManualClock())
        assert journal.unsettled() == tuple(case.bundle(n) for n in sent if n not in stands)
        assert set(journal.settlements()) == set(stands.values())
        assert Counter(journal.superseded()) == Counter(taken_back)
    engine.dispose()


def test_a_database_that_fails_gives_an_error_that_says_what_to_check(tmp_path):
    (tmp_path / "broken.db").write_bytes(b"this is no database" * 100)
    engine = open_database(f"sqlite:///{tmp_path}/broken.db")
    with pytest.raises(ExecutionError, match=r"storage\.database_url"):
        Journal(engine, ManualClock())
    engine.dispose()
