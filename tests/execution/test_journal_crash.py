"""What is in the journal after a crash, and that nothing was sent twice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from core.database import open_database
from core.seams import ManualClock
from execution.journal import Journal

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
