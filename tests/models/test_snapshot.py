"""A snapshot file gives the model back exactly, or says why not; it never runs anything."""

from __future__ import annotations

import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import ModelError
from core.seams import Randomness
from models.baselines import ExactFormula, Persistence
from models.learner import PrequentialLearner
from models.lstm import ResidualLSTM
from models.river_models import RiverResidual
from models.snapshot import Snapshot, load_snapshot, rebuild, save_snapshot
from tests.stories import SCHEMA, story

ROWS, FEES = story(260, 12)
NAMES = ("residual_lstm", "river_residual", "exact_formula", "persistence")


@pytest.fixture(scope="module")
def learner() -> PrequentialLearner:
    models = [ResidualLSTM(SCHEMA, Randomness(1), window=4, hidden=4), RiverResidual(SCHEMA)]
    made = PrequentialLearner(models, [ExactFormula(), Persistence()], SCHEMA, window=4)
    for row, fee in zip(ROWS[:120], FEES[:120], strict=True):
        made.step(row, fee)
    return made


@pytest.fixture
def saved(learner: PrequentialLearner, tmp_path: Path) -> Path:
    path = tmp_path / "model.zip"
    save_snapshot(learner.snapshot("residual_lstm"), path)
    return path


@pytest.mark.parametrize("name", NAMES)
def test_a_loaded_model_answers_and_learns_on_identically(
    learner: PrequentialLearner, tmp_path: Path, name: str
) -> None:
    one = learner.snapshot(name)
    save_snapshot(one, tmp_path / "model.zip")
    two = load_snapshot(tmp_path / "model.zip")
    assert (two.schema, two.window, two.target, two.horizon_blocks, two.state_block) == (
        one.schema, 4, "base_fee_gwei", 2, 120,
    )  # fmt: skip
    for place in range(123, 240):
        window = tuple(ROWS[place - 3 : place + 1])
        assert one.answer(window) == two.answer(window)
        for snapshot in (one, two):
            snapshot.forecaster.learn_one(window, FEES[place + 2])


def test_equal_snapshots_are_equal_files(learner: PrequentialLearner, tmp_path: Path) -> None:
    digests = {save_snapshot(learner.snapshot("residual_lstm"), tmp_path / str(i)) for i in range(2)}
    assert len(digests) == 1


def test_too_short_a_window_is_refused(learner: PrequentialLearner) -> None:
    with pytest.raises(ModelError, match="needs 4 rows, got 2"):
        learner.snapshot("persistence").answer(tuple(ROWS[:2]))


def test_a_missing_file_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no snapshot"):
        load_snapshot(tmp_path / "nothing.zip")


def test_a_file_cut_anywhere_is_refused(saved: Path) -> None:
    content = saved.read_bytes()
    for size in range(0, len(content), len(content) // 40):
        saved.write_bytes(content[:size])
        with pytest.raises(ModelError):
            load_snapshot(saved)


def test_a_flipped_byte_is_refused_or_harmless(saved: Path) -> None:
    content = saved.read_bytes()
    window = tuple(ROWS[:4])
    right = load_snapshot(saved).answer(window)
    for place in range(0, len(content), len(content) // 60):
        damaged = bytearray(content)
        damaged[place] ^= 0xFF
        saved.write_bytes(damaged)
        try:
            loaded = load_snapshot(saved)
        except ModelError:
            continue
        assert loaded.answer(window) == right


def _rewrite(path: Path, change: Any) -> None:
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def test_another_format_is_refused(saved: Path) -> None:
    def change(files: dict[str, bytes]) -> None:
        files["snapshot.json"] = json.dumps(
            {**json.loads(files["snapshot.json"]), "format": "other/9"}
        ).encode()

    _rewrite(saved, change)
    with pytest.raises(ModelError, match="not of the format"):
        load_snapshot(saved)


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(ModelError, match="knows no model"):
        rebuild("oracle", {})


class _Bomb:
    def __reduce__(self) -> Any:
        return (Path.touch, (Path("exploded"),))


def test_nothing_pickled_is_ever_loaded(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def change(files: dict[str, bytes]) -> None:
        head = np.lib.format.magic(1, 0)
        text = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
        text = text.ljust(117) + b"\n"
        files["0.npy"] = head + len(text).to_bytes(2, "little") + text + pickle.dumps([_Bomb()])

    _rewrite(saved, change)
    with pytest.raises(ModelError):
        load_snapshot(saved)
    assert not Path("exploded").exists()


def test_a_snapshot_is_immutable(learner: PrequentialLearner) -> None:
    snapshot: Snapshot = learner.snapshot("persistence")
    with pytest.raises(AttributeError):
        snapshot.window = 3  # type: ignore[misc]
