"""Pictures of a target's evaluation: are forecasts honest, and who gains on the baseline when."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models import figures
from models.evaluation import Series
from models.prequential import Results
from models.scorecard import Scorecard, losses_of
from models.study_curves import reliability_curve
from models.targets.table import Kind

BINS = 10
POINTS = 400


def regret_curves(results: Results, card: Scorecard) -> dict[str, NDArray[np.float64]]:
    """Return each model's loss over the hardest baseline's, added up over the judged rows.

    Returns
    -------
    dict
        By model, ``float64[judged]``; below zero is a gain.
    """
    loss = card.deciding
    base = losses_of(loss, results.served[card.hardest[loss]].value, results.label)
    return {
        name: np.cumsum(losses_of(loss, served.value, results.label) - base)
        for name, served in results.served.items()
        if not served.baseline
    }


def regret_picture(results: Results, card: Scorecard) -> bytes:
    """Return every model's regret against the hardest baseline as PNG."""
    figure, (axis,) = figures.new_figure(9, 3.6)
    axis.axhline(0, color=figures.INK, linewidth=1)
    for number, (name, curve) in enumerate(regret_curves(results, card).items()):
        at = np.unique(np.linspace(0, len(curve) - 1, min(len(curve), POINTS)).astype(int))
        colour = figures.COLOURS[number % len(figures.COLOURS)]
        axis.plot(at + 1, curve[at], color=colour, linewidth=1.3, label=name)
    hardest = card.hardest[card.deciding]
    title = f"{card.target}: loss over {hardest}, added up (below 0 is better)"
    figures.label(axis, title=title, x="judged forecasts", y=f"sum of {card.deciding.value}")
    figures.legend(axis)
    return figures.png(figure)


def calibration_picture(results: Results, card: Scorecard) -> bytes:
    """Return as PNG whether what was promised came true, for every forecaster that was judged."""
    figure, (axis,) = figures.new_figure(5.4, 4.6)
    axis.plot([0, 1], [0, 1], color=figures.MUTED, linewidth=1, linestyle="--")
    for number, line in enumerate(line for line in card.lines if not line.baseline):
        promised, came = _reliability(results, line.name)
        colour = figures.COLOURS[number % len(figures.COLOURS)]
        axis.plot(promised, came, color=colour, marker="o", markersize=4, linewidth=1, label=line.name)
    number_axes = ("nominal coverage", "share of truths inside")
    x, y = number_axes if card.kind is Kind.NUMBER else ("probability forecast", "share that came true")
    figures.label(axis, title=f"{card.target}: calibration", x=x, y=y)
    axis.set_xlim(0, 1)
    axis.set_ylim(0, 1.02)
    figures.legend(axis)
    return figures.png(figure)


def _reliability(results: Results, name: str) -> tuple[list[float], list[float]]:
    served, label = results.served[name], results.label
    if results.table.kind is Kind.NUMBER:
        series = Series(results.rows, label, served.value, served.lower, served.upper)
        return reliability_curve(series, results.nominal)
    place = np.minimum((served.value * BINS).astype(int), BINS - 1)
    used = [each for each in range(BINS) if (place == each).any()]
    promised = [float(served.value[place == each].mean()) for each in used]
    return promised, [float(label[place == each].mean()) for each in used]
