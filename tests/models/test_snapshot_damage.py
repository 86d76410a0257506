"""Whatever number of a snapshot's manifest is damaged, it is refused, or answers with finite numbers."""

from __future__ import annotations

import copy
import json
import math
import random
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.errors import ModelError
from core.seams import Randomness
from features.schema import FeatureSchema
from models.baselines import Persistence
from models.conformal import AdaptiveConformal
from models.conformal_scaled import ScaledConformal
from models.forecaster import Forecaster, Window
from models.lstm import ResidualLSTM
from models.rebuilding import LONGEST
from models.river_models import RiverResidual
from models.river_renewed import RiverSeries
from models.snapshot import Snapshot, load_snapshot, save_snapshot
from tests import stories
from tests.models import stream_stories
from tests.models.stream_stories import WINDOW

BAD: tuple[Any, ...] = (None, math.inf, math.nan, -1, 1e308, 10**12, "x", [])
PLACES = 10
"""Places that are damaged, of each manifest."""
FEES = stories.story(60, 12)
STREAM = stream_stories.stream(60, 3)
COINS = stream_stories.coin_stream(60, 3)

Story = tuple[Any, list[float]]
CASES: dict[str, tuple[Callable[[], Forecaster], Story, FeatureSchema]] = {
    "residual_lstm": (
        lambda: ResidualLSTM(stories.SCHEMA, Randomness(1), window=WINDOW, hidden=4),
        FEES,
        stories.SCHEMA,
    ),
    "river_residual": (lambda: RiverResidual(stories.SCHEMA), FEES, stories.SCHEMA),
    "persistence": (Persistence, FEES, stories.SCHEMA),
    "series": (
        lambda: RiverSeries(stream_stories.SCHEMA, Randomness(1), horizon=2),
        STREAM,
        stream_stories.SCHEMA,
    ),
    "mix_odds": (lambda: stream_stories.ODDS["mix_odds"](1), COINS, stream_stories.SCHEMA),
}


@pytest.fixture(params=CASES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def saved(name: str, tmp_path: Path) -> Path:
    build, (rows, labels), schema = CASES[name]
    model = build()
    stream_stories.walk(model, rows, labels, WINDOW, 45)
    intervals = ScaledConformal() if name == "series" else AdaptiveConformal()
    for label in labels[:40]:
        intervals.update(label + 1, label, label + 2, label)
    save_snapshot(Snapshot(model, intervals, schema, WINDOW, "made_up", 1, 45), tmp_path / "model.zip")
    return tmp_path / "model.zip"


def _manifest(path: Path) -> tuple[dict[str, bytes], dict[str, Any]]:
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    return files, json.loads(files["snapshot.json"])


def _write(path: Path, files: dict[str, bytes], manifest: Any) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, json.dumps(manifest) if name == "snapshot.json" else content)


def _places(tree: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where a manifest has a value, of long lists the first three."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree[:3])
    for key, value in items:
        yield (*above, key)
        if isinstance(value, dict | list):
            yield from _places(value, (*above, key))


def _damaged(manifest: dict[str, Any], place: tuple[Any, ...], bad: Any) -> dict[str, Any]:
    damaged = copy.deepcopy(manifest)
    tree: Any = damaged
    for key in place[:-1]:
        tree = tree[key]
    tree[place[-1]] = bad
    return damaged


def _check(path: Path, window: Window, said: str) -> bool:
    """Return whether the file loads; fail if it then cannot be used."""
    try:
        loaded = load_snapshot(path)
    except ModelError:
        return False
    try:
        answer = loaded.answer(window[-loaded.window :])
        assert all(map(math.isfinite, answer)), f"{said}: {answer}"
        loaded.forecaster.learn_one(window, 1.0)
    except ModelError:
        # as a window is refused that is shorter than the one the file asks for
        assert loaded.window > len(window), said
    return True


def test_a_damaged_manifest_is_refused_or_harmless(name: str, saved: Path) -> None:
    files, manifest = _manifest(saved)
    window = tuple(CASES[name][1][0][:WINDOW])
    assert _check(saved, window, "as it was")
    places = list(_places(manifest))
    # what every snapshot has, then some of what only this one has
    chosen = [place for place in places if len(place) == 1]
    rest = [place for place in places if len(place) > 1]
    chosen += random.Random(name).sample(rest, min(PLACES, len(rest)))
    for place in chosen:
        for bad in BAD:
            _write(saved, files, _damaged(manifest, place, bad))
            _check(saved, window, f"{place} = {bad!r}")


@pytest.mark.parametrize("bad", [math.inf, -1, 2.5, "45", None])
@pytest.mark.parametrize("key", ["state_block", "horizon_blocks", "window"])
@pytest.mark.parametrize("name", ["persistence"], indirect=True)
def test_a_height_or_a_count_that_is_none_is_refused(saved: Path, key: str, bad: Any) -> None:
    files, manifest = _manifest(saved)
    _write(saved, files, {**manifest, key: bad})
    with pytest.raises(ModelError, match="is damaged"):
        load_snapshot(saved)


@pytest.mark.parametrize("name", ["persistence"], indirect=True)
def test_a_window_that_nobody_can_send_is_refused(saved: Path) -> None:
    files, manifest = _manifest(saved)
    _write(saved, files, {**manifest, "window": LONGEST + 1})
    with pytest.raises(ModelError, match="lies between 1 and 10,000"):
        load_snapshot(saved)


def test_a_feature_that_the_model_reads_and_the_file_does_not_list_is_refused(name: str, saved: Path) -> None:
    files, manifest = _manifest(saved)
    needed = {"persistence": "base_fee_gwei"}.get(name, manifest["features"][-1])
    if name in ("residual_lstm", "river_residual"):
        needed = "noise"
    _write(saved, files, {**manifest, "features": [one for one in manifest["features"] if one != needed]})
    with pytest.raises(ModelError, match=needed):
        load_snapshot(saved)


@pytest.mark.parametrize("name", ["river_residual"], indirect=True)
@pytest.mark.parametrize("bad", [math.nan, math.inf, "x"])
def test_a_weight_that_is_no_number_is_refused(saved: Path, bad: Any) -> None:
    files, manifest = _manifest(saved)
    for place in _places(manifest):
        if place[:2] == ("state", "weights") and len(place) == 3:
            _write(saved, files, _damaged(manifest, place, bad))
            with pytest.raises(ModelError):
                load_snapshot(saved)


@pytest.mark.parametrize("name", ["residual_lstm"], indirect=True)
def test_a_width_that_its_weights_do_not_have_takes_no_memory(saved: Path) -> None:
    files, manifest = _manifest(saved)
    _write(saved, files, _damaged(manifest, ("state", "hidden"), 30_000))
    with pytest.raises(ModelError, match="do not belong to 30000 units"):
        load_snapshot(saved)
