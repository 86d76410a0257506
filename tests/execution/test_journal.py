"""The journal: what is in it after a crash, and that nothing is sent twice."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.database import open_database
from core.errors import ExecutionError
from core.reasons import Reason
from core.seams import Ids, ManualClock
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


def test_ids_go_on_counting_after_a_restart(opened, case):
    journal = opened()
    assert journal.id_counts() == {"decision": 0, "bundle": 0}
    for number in (3, 999_999, 1_000_000):
        journal.record_decision(case.decision(number))
    journal.claim(case.bundle(3))
    ids = Ids(opened().id_counts())
    assert ids.next("decision") == "decision-1000001"
    assert ids.next("bundle") == "bundle-000004"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(
    steps=st.lists(
        st.sampled_from(["decide", "claim", "claim again", "settle", "restart"]), min_size=1, max_size=25
    )
)
def test_in_any_order_of_events_sent_means_settled_or_listed(tmp_path_factory, case, steps):
    engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('journal')}/j.db")
    journal = Journal(engine, ManualClock())
    decided, sent, settled = 0, [], set()
    for step in steps:
        if step == "decide":
            decided += 1
            journal.record_decision(case.decision(decided))
        elif step == "claim" and decided > len(sent):
            journal.claim(case.bundle(len(sent) + 1))
            sent.append(len(sent) + 1)
        elif step == "claim again" and sent:
            with pytest.raises(ExecutionError):
                journal.claim(case.bundle(sent[-1]))
        elif step == "settle" and len(settled) < len(sent):
            number = next(n for n in sent if n not in settled)
            journal.record_settlement(settlement(number))
            settled.add(number)
        elif step == "restart":
            journal = Journal(engine, ManualClock())
        listed = {bundle.bundle_id for bundle in journal.unsettled()}
        assert listed == {f"bundle-{n:06d}" for n in sent if n not in settled}
    engine.dispose()


CRASHING = """
import os, sys
from core.database import open_database
from core.seams import Ids, ManualClock
from execution.bundle import make_bundle
from execution.command import Decision, Settlement
from execution.journal import Journal
from core.reasons import Reason
from scoring.opportunity import Certificate, Opportunity

url, outbox, crash_after = sys.argv[1], sys.argv[2], int(sys.argv[3])
line = 0

def maybe_crash():
    global line
    line += 1
    if line == crash_after:
        os._exit(1)

journal = Journal(open_database(url), ManualClock())
maybe_crash()
ids = Ids(journal.id_counts())
opportunity = Opportunity("c", "a", (), 1, 2, 1, Certificate(1, 0, 99), 99, 0)
decision = Decision(ids.next("decision"), opportunity, 100, 1, 1, 1, 0.5, 0.5, ())
journal.record_decision(decision)
maybe_crash()
bundle = make_bundle(ids, decision.decision_id, [b"signed"], 100)
journal.claim(bundle)
maybe_crash()
with open(outbox, "a") as sent:
    sent.write(bundle.bundle_hash.hex() + chr(10))
maybe_crash()
settled = Settlement(bundle.bundle_id, decision.decision_id, Reason.LANDED, "", 100, 1, 1, 1, 1, 1)
journal.record_settlement(settled)
maybe_crash()
"""


def test_a_crash_at_any_line_loses_no_record_and_sends_nothing_twice(tmp_path):
    root = Path(__file__).parents[2]
    for crash_after in range(1, 6):
        url = f"sqlite:///{tmp_path}/{crash_after}.db"
        outbox = tmp_path / f"{crash_after}.sent"
        outbox.touch()
        for attempt in (crash_after, 99):  # crash once, then run to the end if the journal lets it
            subprocess.run(
                [sys.executable, "-c", CRASHING, url, str(outbox), str(attempt)],
                cwd=root, capture_output=True, check=False, timeout=60,
            )  # fmt: skip
        sent = outbox.read_text().split()
        engine = open_database(url)
        journal = Journal(engine, ManualClock())
        recorded = len(journal.unsettled()) + len(journal.settlements())
        engine.dispose()
        settled_before_crash = crash_after == 5
        assert len(sent) <= (2 if settled_before_crash else 1)
        assert recorded >= len(sent)


def test_a_database_that_fails_gives_an_error_that_says_what_to_check(tmp_path):
    (tmp_path / "broken.db").write_bytes(b"this is no database" * 100)
    engine = open_database(f"sqlite:///{tmp_path}/broken.db")
    with pytest.raises(ExecutionError, match=r"storage\.database_url"):
        Journal(engine, ManualClock())
    engine.dispose()
