"""A recording becomes a trial whose rows the batch path computes to the bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import cli.models_trial
from cli.gatekeeping import target_gate_maker
from cli.models_trial import record_trial
from cli.screen import Screen
from core.config_loader import load_settings
from core.reasons import Reason, Refusal
from models.gate import Gate
from tests.models.target_tables import number_table
from tests.small_tapes import record, straight


def test_rows_of_a_trial_are_what_the_batch_path_computes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = straight(40)
    tape = record(tmp_path / "tape", chain)
    # the tokens of this small market are no chain's; any of them does to score cycles in
    monkeypatch.setattr(cli.models_trial, "profit_token", lambda *_: next(iter(tape.tokens)))
    trial = record_trial(Screen(quiet=True, steps=1), load_settings("replay", {}), tmp_path / "tape", "")
    assert [row.block_number for row in trial.rows] == [block.number for block, _ in chain]
    assert list(trial.truths) == [block.header.base_fee / 10**9 for block, _ in chain]
    assert trial.skew is not None
    assert trial.skew(trial.rows) is None
    served = replace(trial.rows[7], values=(trial.rows[7].values[0] + 1e-9, *trial.rows[7].values[1:]))
    refusal = trial.skew([*trial.rows[:7], served, *trial.rows[8:]])
    assert refusal is not None
    assert refusal.reason is Reason.FEATURE_SKEW
    assert str(trial.rows[7].block_number) in refusal.detail


def test_a_target_is_judged_on_its_rows_and_where_there_are_none_the_refusal_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli.models_trial, "build_targets", lambda *_: iter([number_table(600)]))
    make = target_gate_maker(load_settings("replay", {"OMNIARB_DATA": str(tmp_path)}), "gas_used_1")
    gate = make(lambda: None)
    assert isinstance(gate, Gate)
    assert len(gate.trial.positions) == 600
    make = target_gate_maker(load_settings("replay", {"OMNIARB_DATA": str(tmp_path / "none")}), "gas_used_1")
    refusal = make(lambda: None)
    assert isinstance(refusal, Refusal)
    assert (refusal.reason, "is no folder" in refusal.detail) == (Reason.GATE_FAILED, True)
