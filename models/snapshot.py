"""A model in one file: plain numbers and arrays in a zip, nothing that is executed on load."""

from __future__ import annotations

import hashlib
import io
import json
import math
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelError
from features.schema import FeatureSchema
from models.conformal import AdaptiveConformal
from models.conformal_scaled import ScaledConformal
from models.forecaster import Forecaster, Window
from models.rebuilding import DAMAGE, read_length, rebuild
from models.served_intervals import ServedIntervals

__all__ = ["Snapshot", "load_snapshot", "rebuild", "save_snapshot"]

FORMAT = "omniarb-snapshot/1"
_MANIFEST = "snapshot.json"
_ARRAY = "@array"
# a fixed time makes equal snapshots equal files
_TIME = (1980, 1, 1, 0, 0, 0)
_DAMAGE = (zipfile.BadZipFile, zlib.error, OSError, EOFError, *DAMAGE)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A model as it stood after one block, ready to be served or to go on learning.

    Parameters
    ----------
    forecaster, conformal
        The model and its intervals.
    schema
        Columns of the tensor ``float64[-1, window, feature]``.
    window
        Rows a caller must send.
    target, horizon_blocks
        What is forecast, with unit, and how far ahead.
    state_block
        Height of the last block the model has seen.
    corrects
        Baseline of the target whose forecast rows carry as ``baseline``; empty where they carry none.
    """

    forecaster: Forecaster
    conformal: ServedIntervals
    schema: FeatureSchema
    window: int
    target: str
    horizon_blocks: int
    state_block: int
    corrects: str = ""

    def answer(self, window: Window) -> tuple[float, float, float]:
        """Return value, lower and upper bound for a window; changes nothing.

        Raises
        ------
        ModelError
            If the window is too short or lacks a feature.
        """
        if len(window) < self.window:
            raise ModelError(
                f"the model needs {self.window} rows, got {len(window)}", needed=self.window, got=len(window)
            )
        value = self.forecaster.predict_one(window)
        return value, *self.conformal.interval(value)


def save_snapshot(snapshot: Snapshot, path: Path) -> str:
    """Write the file and return its SHA-256, hexadecimal. Equal snapshots give equal files."""
    arrays: list[NDArray[Any]] = []
    manifest = {
        "format": FORMAT,
        "model": snapshot.forecaster.name,
        "state": _pack(snapshot.forecaster.state(), arrays),
        "conformal": _pack(snapshot.conformal.state(), arrays),
        "features": list(snapshot.schema.names),
        "window": snapshot.window,
        "target": snapshot.target,
        "horizon_blocks": snapshot.horizon_blocks,
        "state_block": snapshot.state_block,
        # left out where there is none: such files stay what they were
        **({"corrects": snapshot.corrects} if snapshot.corrects else {}),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(_MANIFEST, _TIME), json.dumps(manifest), zipfile.ZIP_DEFLATED)
        for place, array in enumerate(arrays):
            buffer = io.BytesIO()
            np.save(buffer, array, allow_pickle=False)
            info = zipfile.ZipInfo(f"{place}.npy", _TIME)
            archive.writestr(info, buffer.getvalue(), zipfile.ZIP_DEFLATED)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def load_snapshot(path: Path) -> Snapshot:
    """Read a snapshot back.

    Raises
    ------
    ModelError
        If the file is missing, damaged, of another format, or its parts do not fit together.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = json.loads(archive.read(_MANIFEST))
            if manifest.get("format") != FORMAT:
                raise ModelError(f"{path.name} is not of the format {FORMAT}; save the model again")
            snapshot = Snapshot(
                forecaster=rebuild(manifest["model"], _unpack(manifest["state"], archive)),
                conformal=_intervals(_unpack(manifest["conformal"], archive)),
                schema=FeatureSchema(tuple(manifest["features"])),
                window=read_length(manifest["window"]),
                target=_text(manifest["target"]),
                horizon_blocks=_count(manifest["horizon_blocks"]),
                state_block=_count(manifest["state_block"]),
                corrects=_text(manifest.get("corrects", "")),
            )
        _try(snapshot)
        return snapshot
    except FileNotFoundError:
        raise ModelError(f"there is no snapshot at {path}; train a model first", path=str(path)) from None
    except _DAMAGE as error:
        raise ModelError(
            f"{path.name} is damaged or not a snapshot ({error}); save the model again", path=str(path)
        ) from error


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is no height and no number of blocks")
    return value


def _try(snapshot: Snapshot) -> None:
    """Ask for one forecast: parts that do not fit together show at once, not where the model serves."""
    ones = np.ones((snapshot.window, len(snapshot.schema.names)))
    value, lower, upper = snapshot.answer(snapshot.schema.rows(ones))
    if not (math.isfinite(value) and lower <= value <= upper):
        raise ValueError(f"it answers {value} within {lower} to {upper}")


def _intervals(state: dict[str, Any]) -> ServedIntervals:
    kind = ScaledConformal if "scale" in state else AdaptiveConformal
    intervals = kind(state["nominal"], state["gamma"], state["window"])
    intervals.restore(state)
    return intervals


def _pack(value: Any, arrays: list[NDArray[Any]]) -> Any:
    """Return a tree for JSON; arrays move to ``arrays`` and leave their place behind."""
    if isinstance(value, np.ndarray):
        arrays.append(value)
        return {_ARRAY: len(arrays) - 1}
    if isinstance(value, dict):
        return {key: _pack(item, arrays) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_pack(item, arrays) for item in value]
    return value


def _unpack(value: Any, archive: zipfile.ZipFile) -> Any:
    if isinstance(value, dict) and value.keys() == {_ARRAY}:
        return np.load(io.BytesIO(archive.read(f"{int(value[_ARRAY])}.npy")), allow_pickle=False)
    if isinstance(value, dict):
        return {key: _unpack(item, archive) for key, item in value.items()}
    if isinstance(value, list):
        return [_unpack(item, archive) for item in value]
    return value
