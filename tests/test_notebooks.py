"""Notebooks run from top to bottom, are kept without outputs, and are the how-to pages word for word."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from core.config_loader import ROOT
from scripts.notebook_pages import (
    PAGES,
    PICTURE_BYTES_AT_MOST,
    PICTURES,
    code_of,
    page_of,
    prose_of,
    read_cells,
    run_cells,
)

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
each_notebook = pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.name)


def page_text(notebook: Path) -> str:
    return page_of(notebook).read_text(encoding="utf-8")


def pictures_of(notebook: Path) -> set[str]:
    return set(re.findall(r"\(\.\./images/notebooks/([\w-]+\.png)\)", page_text(notebook)))


def says_what_it_shows(figure: Figure) -> bool:
    titles = [axis.get_title("left") or axis.get_title() for axis in figure.axes]
    return (
        any(titles)
        and any(axis.get_xlabel() for axis in figure.axes)
        and any(axis.get_ylabel() for axis in figure.axes)
    )


@each_notebook
def test_a_notebook_is_kept_without_outputs(notebook: Path) -> None:
    document = json.loads(notebook.read_text(encoding="utf-8"))
    code = [cell for cell in document["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


@each_notebook
def test_a_notebook_runs_from_top_to_bottom(notebook: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMNIARB_NOTEBOOK_SHORT", "1")
    drawn = 0
    for cell, shown in run_cells(notebook):
        for figure in shown.figures if shown else ():
            drawn += 1
            assert says_what_it_shows(figure), f"cell {cell.place}"
    assert drawn, "a notebook without a picture is a script"


def test_without_recorded_history_a_public_series_is_forecast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.data_root.DEFAULT_DATA_ROOT", ROOT / "no such folder")
    monkeypatch.delenv("OMNIARB_DATA", raising=False)
    monkeypatch.setenv("OMNIARB_NOTEBOOK_SHORT", "1")
    [notebook] = [each for each in NOTEBOOKS if each.name.startswith("03_")]
    printed = [shown.printed for _, shown in run_cells(notebook) if shown]
    assert "approval_1" in "".join(printed)
    assert "persistence" in printed[-1]


@each_notebook
def test_a_page_is_its_notebook(notebook: Path) -> None:
    text, at = page_text(notebook), 0
    cells = read_cells(notebook)
    for cell in cells:
        part = code_of(cell) if cell.code else prose_of(cell)
        found = text.find(part, at)
        assert found >= 0, f"cell {cell.place} is not in {page_of(notebook).name}; write the page again"
        at = found + len(part)
    assert text.count("```python\n") == sum(cell.code for cell in cells)


@each_notebook
def test_a_notebook_and_its_page_are_listed(notebook: Path) -> None:
    assert f"({notebook.name})" in (ROOT / "notebooks" / "README.md").read_text(encoding="utf-8")
    assert f"({page_of(notebook).name})" in (PAGES / "README.md").read_text(encoding="utf-8")


def test_pictures_are_those_of_the_pages_and_small() -> None:
    kept = {picture.name: picture.stat().st_size for picture in PICTURES.iterdir()}
    assert set(kept) == {name for notebook in NOTEBOOKS for name in pictures_of(notebook)}
    assert max(kept.values()) <= PICTURE_BYTES_AT_MOST
