"""``omniarb bids``: a run's journal in, a table or one reason out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from cli.bids_view import bid_sentence, bid_tables
from core.database import open_database
from core.seams import ManualClock, Randomness
from execution.journal import Journal
from models.bid_report import judge
from tests.cli.stage import omniarb, plain, refused
from tests.models.test_bid_report import make_auctions
from tests.pipeline.test_own_bids import GROSS, play


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "runs" / "one"
    engine = open_database(f"sqlite:///{folder / 'journal.db'}")
    play(Journal(engine, ManualClock()), np.random.default_rng(1).integers(0, GROSS, 50), exploration=0.1)
    engine.dispose()
    return folder


def test_a_person_and_a_machine_see_policies_against_what_was_sent(run: Path) -> None:
    result = omniarb("bids", run)
    assert result.exit_code == 0, result.output
    text = plain(result.output)
    for said in ("as sent", "without tries", "always 50 %", "auctions judged", "by counted shares 1"):
        assert said in text
    result = omniarb("bids", run, "--json")
    document = json.loads(result.stdout)
    assert document["auctions"] > 40
    first = document["rows"][0]
    assert first["policy"] == "without tries"
    kept = first["kept"]["doubly_robust"]
    assert kept["lower"] <= kept["value"] <= kept["upper"]


def test_a_table_of_policies_fits_a_terminal_and_says_why_a_log_cannot_tell() -> None:
    rows = judge(make_auctions(400), Randomness(1))
    console = Console(width=80, record=True, quiet=False)
    with console.capture() as shown:
        for table in bid_tables(rows):
            console.print(table)
    text = shown.get()
    assert "…" not in text
    assert "few_effective_rows" in text
    for row in rows:
        assert row.policy in text
    assert "of 1 kinds of auction" in bid_sentence(rows)


def test_a_run_that_is_not_there_and_one_without_a_journal_are_refused(tmp_path: Path) -> None:
    assert "there is no run 'weather'" in refused("bids", "weather")
    assert "there is no run ''" in refused("bids", "")
    (tmp_path / "empty").mkdir()
    assert "left no journal.db" in refused("bids", tmp_path / "empty")
    assert not (tmp_path / "empty" / "journal.db").exists()


def test_only_the_journal_that_was_named_is_read_and_it_is_not_written_to(run: Path, tmp_path: Path) -> None:
    odd = tmp_path / "run?b#c"
    odd.mkdir()
    (run / "journal.db").rename(odd / "journal.db")
    before = (odd / "journal.db").read_bytes()
    assert json.loads(omniarb("bids", odd, "--json").stdout)["auctions"] > 40
    assert [file.name for file in odd.iterdir()] == ["journal.db"]
    assert (odd / "journal.db").read_bytes() == before
    assert not (tmp_path / "run").exists()
    (run / "journal.db").touch()
    assert "is no execution journal" in refused("bids", run)
    assert (run / "journal.db").stat().st_size == 0


def test_a_damaged_row_is_one_line_with_its_decision(run: Path) -> None:
    engine = open_database(f"sqlite:///{run / 'journal.db'}")
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE settlements SET verdict = 'weather' WHERE rowid = 3")
    engine.dispose()
    assert "decision-000003" in refused("bids", run, code=1)


def test_what_a_journal_leaves_open_is_said(run: Path) -> None:
    engine = open_database(f"sqlite:///{run / 'journal.db'}")
    with engine.begin() as connection:
        lost = "UPDATE settlements SET rival_payment_wei = '1', verdict = 'state_moved' WHERE rowid = 2"
        connection.exec_driver_sql(lost)
        connection.exec_driver_sql("UPDATE settlements SET verdict = 'late' WHERE rowid = 3")
        connection.exec_driver_sql("UPDATE settlements SET verdict = 'reverted' WHERE rowid = 4")
        connection.exec_driver_sql("UPDATE settlements SET rival_gas = NULL WHERE rowid = 4")
    engine.dispose()
    text = " ".join(plain(omniarb("bids", run).output).split())
    for said in (
        "1 lost at the better price",
        "1 lost to an unknown price",
        "met no rival, not judged: 1 late",
    ):
        assert said in text
