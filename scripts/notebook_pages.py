"""Run notebooks from top to bottom and write each as a how-to page, with what it showed.

No Jupyter is needed: cells are plain Python and run in one namespace of this process.

    .venv/bin/python -m scripts.notebook_pages notebooks/02_features_and_skew.ipynb

The page is named in the notebook's metadata (``how_to``); pictures go beside the pages' others.
"""

from __future__ import annotations

import ast
import io
import json
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from core.config_loader import ROOT

NOTEBOOKS = ROOT / "notebooks"
PAGES = ROOT / "docs" / "how-to"
PICTURES = ROOT / "docs" / "images" / "notebooks"
PICTURE_BYTES_AT_MOST = 60_000
DOTS_PER_INCH = 100
COLOURS = 128


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its place in the notebook, whether it is code, and its text."""

    place: int
    code: bool
    source: str


@dataclass(frozen=True, slots=True)
class Shown:
    """What a code cell left to see: text it printed, the value of its last line, and its figures."""

    printed: str
    value: Any
    figures: tuple[Figure, ...]


def read_cells(notebook: Path) -> tuple[Cell, ...]:
    """Return the cells of a notebook in order."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return tuple(
        Cell(place, cell["cell_type"] == "code", "".join(cell["source"])) for place, cell in enumerate(cells)
    )


def page_of(notebook: Path) -> Path:
    """Return the how-to page that a notebook's metadata name."""
    name: str = json.loads(notebook.read_text(encoding="utf-8"))["metadata"]["how_to"]
    return PAGES / name


def run_cells(notebook: Path) -> Iterator[tuple[Cell, Shown | None]]:
    """Run a notebook and yield each cell with what it showed; a cell of prose shows nothing.

    Figures are closed when the next cell is asked for.
    """
    plt.switch_backend("agg")
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell in read_cells(notebook):
        if not cell.code:
            yield cell, None
            continue
        try:
            yield cell, _run(cell, f"{notebook.name}, cell {cell.place}", names)
        finally:
            plt.close("all")


def _run(cell: Cell, title: str, names: dict[str, Any]) -> Shown:
    body = ast.parse(cell.source, title).body
    last = body[-1] if body and isinstance(body[-1], ast.Expr) else None
    printed, value = io.StringIO(), None
    with redirect_stdout(printed):
        exec(compile(ast.Module(body[: len(body) - (last is not None)], []), title, "exec"), names)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), title, "eval"), names)
    figures = tuple(map(plt.figure, plt.get_fignums()))
    hidden = cell.source.rstrip().endswith(";") or isinstance(value, Figure)
    return Shown(printed.getvalue(), None if hidden else value, figures)


def write_page(notebook: Path) -> Path:
    """Run a notebook and write its page and its pictures.

    Raises
    ------
    ValueError
        If a picture is larger than a page should carry.
    """
    PICTURES.mkdir(parents=True, exist_ok=True)
    number = notebook.name.split("_")[0]
    parts: list[str] = []
    drawn: list[Path] = []
    for cell, shown in run_cells(notebook):
        parts += [prose_of(cell)] if shown is None else [code_of(cell)]
        if len(parts) == 1:
            parts.append(_origin(notebook))
        if shown is None:
            continue
        parts += _texts(shown)
        for figure in shown.figures:
            drawn.append(PICTURES / f"{number}-{len(drawn) + 1}.png")
            _save(figure, drawn[-1])
            parts.append(f"![{_title(figure)}](../images/notebooks/{drawn[-1].name})")
    for old in set(PICTURES.glob(f"{number}-*.png")) - set(drawn):
        old.unlink()
    page = page_of(notebook)
    page.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return page


def code_of(cell: Cell) -> str:
    """Return a cell of code as it stands in the page; the mark that hides its value says nothing there."""
    return f"```python\n{cell.source.rstrip().removesuffix(';')}\n```"


def prose_of(cell: Cell) -> str:
    """Return a cell of prose as it stands in the page; links lead on from there, to pages."""
    links = cell.source.replace("](../docs/how-to/", "](").replace("](../docs/", "](../")
    return re.sub(r"\]\((\w+\.ipynb)\)", lambda link: f"]({page_of(NOTEBOOKS / link[1]).name})", links)


def _origin(notebook: Path) -> str:
    return (
        f"This page is the notebook [{notebook.name}](../../notebooks/{notebook.name}) and what it\n"
        "showed when it was run. [Notebooks](../../notebooks/README.md) says how to open it and\n"
        "give it other data."
    )


def _texts(shown: Shown) -> list[str]:
    texts = [f"```text\n{shown.printed.rstrip()}\n```"] if shown.printed.strip() else []
    value = shown.value
    if isinstance(value, pd.Series):
        value = value.to_frame()
    if isinstance(value, pd.DataFrame):
        return [*texts, _table(value)]
    return texts if value is None else [*texts, f"```text\n{value!r}\n```"]


def _table(frame: pd.DataFrame) -> str:
    named = frame.index.names != [None] or not isinstance(frame.index, pd.RangeIndex)
    whole = frame.reset_index(names=frame.index.name or "") if named else frame
    numbers = [pd.api.types.is_numeric_dtype(kind) for kind in whole.dtypes]
    head = [str(name) for name in whole.columns]
    rule = ["---:" if number else "---" for number in numbers]
    rows = [[_text(value) for value in row] for row in whole.itertuples(index=False)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, rule, *rows])


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value).replace("|", "\\|")


def _title(figure: Figure) -> str:
    return next(
        (axis.get_title(loc) for axis in figure.axes for loc in ("left", "center") if axis.get_title(loc)), ""
    )


def _save(figure: Figure, picture: Path) -> None:
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=DOTS_PER_INCH, format="png")
    # a chart has few colours: a palette takes a third of the bytes, and nobody sees it
    Image.open(drawn).convert("RGB").quantize(COLOURS, Image.Quantize.FASTOCTREE).save(picture, optimize=True)
    size = picture.stat().st_size
    if size > PICTURE_BYTES_AT_MOST:
        raise ValueError(f"{picture.name} has {size:,} bytes; draw fewer points, or a smaller figure")


def main(arguments: Sequence[str]) -> None:
    """Write the pages of the notebooks that are named, by default of all."""
    for notebook in map(Path, arguments) if arguments else sorted(NOTEBOOKS.glob("*.ipynb")):
        print(write_page(notebook.resolve()).relative_to(ROOT))


if __name__ == "__main__":
    main(sys.argv[1:])
