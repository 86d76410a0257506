"""Notebooks run from top to bottom, and are kept without what one machine once showed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.config_loader import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def name_of(notebook: Path) -> str:
    return notebook.name


def cells(notebook: Path) -> list[dict[str, Any]]:
    document = json.loads(notebook.read_text(encoding="utf-8"))
    return [cell for cell in document["cells"] if cell["cell_type"] == "code"]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=name_of)
def test_a_notebook_is_kept_without_outputs(notebook: Path) -> None:
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells(notebook))


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=name_of)
def test_a_notebook_runs_from_top_to_bottom(notebook: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib.pyplot as plt
    from matplotlib import rcParams

    monkeypatch.setitem(rcParams, "backend", "agg")
    names: dict[str, Any] = {"__name__": "__main__"}
    try:
        for number, cell in enumerate(cells(notebook)):
            exec(compile("".join(cell["source"]), f"{notebook.name}, cell {number}", "exec"), names)
    finally:
        plt.close("all")
