"""Pictures of a study, and the drawing kit the report shares with them.

Figures are made as objects and rendered with Agg: no pyplot, so no global state, no
display and no leak when thousands are drawn in one process.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

Numbers = Sequence[float] | NDArray[Any]

INK = "#1f2430"
MUTED = "#8a91a0"
GRID = "#e3e6ec"
PAPER = "#fcfcfd"
# Okabe and Ito's palette: told apart with any common kind of colour vision.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#6f6f6f", "#b8a800")


def new_figure(width: float, height: float, panels: int = 1) -> tuple[Figure, list[Axes]]:
    """Return a figure of ``width`` x ``height`` inches with stacked panels in the house style."""
    figure = Figure(figsize=(width, height), dpi=110, layout="constrained", facecolor=PAPER)
    FigureCanvasAgg(figure)
    axes = list(figure.subplots(panels, 1, squeeze=False)[:, 0])
    for axis in axes:
        style(axis)
    return figure, axes


def style(axis: Axes) -> None:
    """Give an axis the house style: light grid, no box, quiet ticks."""
    axis.set_facecolor(PAPER)
    axis.grid(visible=True, color=GRID, linewidth=0.8)
    axis.set_axisbelow(True)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axis.spines[side].set_color(GRID)
    axis.tick_params(colors=INK, labelsize=9, length=0)
    axis.title.set_color(INK)


def label(axis: Axes, *, title: str = "", x: str = "", y: str = "") -> None:
    """Set title and axis labels."""
    axis.set_title(title, loc="left", fontsize=11, color=INK)
    axis.set_xlabel(x, fontsize=9, color=INK)
    axis.set_ylabel(y, fontsize=9, color=INK)


def legend(axis: Axes, columns: int = 1) -> None:
    """Add a frameless legend, if anything on the axis has a name; a wide one stands above the axis."""
    if not axis.get_legend_handles_labels()[1]:
        return
    above = {"loc": "lower right", "bbox_to_anchor": (1.0, 0.99), "borderaxespad": 0.2}
    place: dict[str, Any] = above if columns > 1 else {}
    axis.legend(frameon=False, fontsize=8, labelcolor=INK, ncols=columns, **place)


def blocks_axis(axis: Axes) -> None:
    """Show block numbers as whole numbers without an offset."""
    axis.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    axis.ticklabel_format(axis="x", useOffset=False, style="plain")


def png(figure: Figure) -> bytes:
    """Return the figure as PNG bytes."""
    buffer = io.BytesIO()
    # without metadata the same figure gives the same bytes whatever the library's version string is
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def draw_reliability(axis: Axes, nominal: Numbers, empirical: Numbers) -> None:
    """Draw the share of truths inside the interval against the share aimed at."""
    axis.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle="--", label="perfect")
    axis.plot(nominal, empirical, color=COLOURS[0], marker="o", markersize=4, label="measured")
    axis.set_xlim(0, 1)
    axis.set_ylim(0, 1.02)
    label(axis, title="Calibration", x="nominal coverage", y="share of truths inside")
    legend(axis)


def draw_interval(
    axis: Axes, blocks: Numbers, truth: Numbers, value: Numbers, lower: Numbers, upper: Numbers, unit: str
) -> None:
    """Draw forecasts with their interval beside what came true, over blocks."""
    axis.fill_between(blocks, lower, upper, color=COLOURS[0], alpha=0.18, linewidth=0, label="interval")
    axis.plot(blocks, value, color=COLOURS[0], linewidth=1.2, label="forecast")
    axis.plot(blocks, truth, color=INK, linewidth=0.9, label="truth")
    blocks_axis(axis)
    label(axis, title="Forecast, interval and truth", x="block", y=unit)
    legend(axis, columns=3)


def reliability(nominal: Numbers, empirical: Numbers) -> bytes:
    """Return the calibration curve as PNG."""
    figure, (axis,) = new_figure(4.6, 4.2)
    draw_reliability(axis, nominal, empirical)
    return png(figure)


def prediction(
    blocks: Numbers, truth: Numbers, value: Numbers, lower: Numbers, upper: Numbers, unit: str
) -> bytes:
    """Return prediction against truth over blocks as PNG."""
    figure, (axis,) = new_figure(9, 3.6)
    draw_interval(axis, blocks, truth, value, lower, upper, unit)
    return png(figure)


def cumulative_skill(blocks: Numbers, skills: Mapping[str, Numbers], baseline: str) -> bytes:
    """Return skill so far per model as PNG; above zero beats the best baseline.

    Parameters
    ----------
    blocks
        Block of each evaluated forecast.
    skills
        Model name to ``1 - cumulative |error| / cumulative |error of the baseline|``.
    baseline
        Name of the baseline.
    """
    figure, (axis,) = new_figure(9, 3.6)
    axis.axhline(0, color=INK, linewidth=1)
    for number, (name, values) in enumerate(skills.items()):
        axis.plot(blocks, values, color=COLOURS[number % len(COLOURS)], linewidth=1.3, label=name)
    blocks_axis(axis)
    label(axis, title=f"Skill so far against {baseline} (above 0 is better)", x="block", y="skill")
    legend(axis, columns=4)
    return png(figure)
