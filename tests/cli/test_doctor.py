"""``omniarb doctor``: what there is, which device scores and why, and what is missing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import cli.doctor
from core.reasons import Reason, Refusal
from scoring.devices.choice import Chosen
from scoring.devices.cpu import CpuDevice
from tests.cli.stage import files, omniarb, plain


def test_a_machine_that_is_set_up_is_healthy_and_told_which_device_scores() -> None:
    result = omniarb("doctor", "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    found = {each["what"]: each for each in document["findings"]}
    assert document["healthy"] is True
    assert found["scoring on"]["found"] in ("cpu", "gpu")
    assert found["scoring on"]["note"]
    assert found["numpy"]["found"][0].isdigit()
    assert found["recorded history"]["found"] == "none"
    assert files(Path.cwd()) == {}


def test_the_reason_why_no_card_is_used_is_shown_and_nothing_to_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = Refusal(Reason.NO_GPU, "CUDA finds no graphics card")
    monkeypatch.setattr(cli.doctor, "choose_device", lambda: Chosen("cpu", CpuDevice, str(refusal), refusal))
    result = omniarb("doctor")
    assert result.exit_code == 0
    assert "scoring on cpu no_gpu: CUDA finds no graphics card" in plain(result.stdout)


@pytest.mark.parametrize("missing", ["package", "node", "contracts", "history"])
def test_something_missing_is_named_with_what_to_do_and_exit_code_one(
    missing: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if missing == "package":
        monkeypatch.setattr(cli.doctor, "NEEDED", ("no-such-package",))
    elif missing == "node":
        monkeypatch.setattr(cli.doctor, "BINARY", tmp_path / "anvil")
    elif missing == "contracts":
        monkeypatch.setattr(cli.doctor, "CONTRACTS", tmp_path)
    else:
        monkeypatch.setenv("OMNIARB_DATA", str(tmp_path / "nowhere"))
    result = omniarb("doctor")
    assert result.exit_code == 1
    shown = plain(result.stdout)
    assert "MISSING" in shown
    assert "setup.sh" in shown or "OMNIARB_DATA" in shown
    assert "Traceback" not in result.output
