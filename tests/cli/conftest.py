"""An empty place to work in, for every test of the command line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import core.data_root


@pytest.fixture(autouse=True)
def clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder, with no history and no setting but those of the test."""
    for name in list(os.environ):
        if name.startswith("OMNIARB_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("OMNIARB_STORAGE__RUNS_DIR", str(tmp_path / "runs"))
    monkeypatch.setenv("OMNIARB_STORAGE__MLFLOW_HOME", str(tmp_path / "mlruns"))
    monkeypatch.setattr(core.data_root, "DEFAULT_DATA_ROOT", tmp_path / "data")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
