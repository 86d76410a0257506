"""What cannot be searched is refused in one line, before anything is started."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.evolve import _start, _verdict, run_evolve
from core.errors import InputError
from models.bootstrap import Skill


@pytest.mark.parametrize(
    ("targets", "scheduler", "models", "said"),
    [
        (["base_fee_2"], "grid", [], "no scheduler is called 'grid'; there are asha, pbt"),
        (["base_fee_2"], "asha", ["oracle"], "no model is called 'oracle'; there are boosting"),
        (["weather"], "asha", [], "there is no target 'weather'; there are base_fee_2"),
        ([], "asha", [], "name a target"),
        (["bids", "base_fee_2"], "asha", [], "on one kind of auction at a time: bids or bids_arbitrage"),
        (["bids"], "asha", ["boosting"], "bid policies have no --model"),
    ],
)
def test_bad_input_is_refused_before_anything_starts(
    targets: list[str],
    scheduler: str,
    models: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "README.md").touch()
    monkeypatch.setenv("OMNIARB_DATA", str(tmp_path))
    with pytest.raises(InputError, match=said):
        run_evolve(targets, 1, scheduler, models, 1, "", 7, True, True)


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nowhere", "127.0.0.1:0x1", "127.0.0.1:99999"])
def test_a_cluster_that_does_not_answer_is_refused_at_once(address: str) -> None:
    with pytest.raises(InputError, match="no Ray cluster at"):
        _start(address)


@pytest.mark.parametrize(
    ("lower", "upper", "said"),
    [
        (0.01, 0.02, "clear of zero"),
        (-0.01, 0.02, "not clear of zero: the baseline stays"),
        (-0.02, -0.01, "wholly below zero: it is worse than the baseline, which stays"),
    ],
)
def test_the_verdict_says_on_which_side_of_zero_the_interval_lies(
    lower: float, upper: float, said: str
) -> None:
    assert _verdict(Skill((lower + upper) / 2, lower, upper)) == said
