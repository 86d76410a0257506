"""Models that go on learning, beside the champion that stands still: errors on the same live blocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from analysis.parts import Picture, Table, drawn
from analysis.records import Calibration, DriftAlarm
from models.evaluation import Study
from models.figures import COLOURS, INK, blocks_axis, label, legend, new_figure, png

SERVED = "served_champion"


@dataclass(frozen=True, slots=True)
class LiveComparison:
    """Forecasts of the same blocks, by who made them: the champion first, then models, then baselines.

    Parameters
    ----------
    blocks
        Blocks that all of them spoke about, ascending.
    errors
        Absolute errors, in the target's unit, one per block.
    inside
        Whether the interval held the truth, one per block.
    """

    blocks: tuple[int, ...]
    errors: Mapping[str, tuple[float, ...]]
    inside: Mapping[str, tuple[bool, ...]]

    @property
    def mae(self) -> dict[str, float]:
        """Mean absolute error of each; empty if there are no blocks."""
        return {name: float(np.mean(errors)) for name, errors in self.errors.items() if errors}

    @property
    def coverage(self) -> dict[str, float]:
        """Share of truths inside the interval of each; empty if there are no blocks."""
        return {name: float(np.mean(inside)) for name, inside in self.inside.items() if inside}


def compare_live(served: Calibration | None, study: Study | None) -> LiveComparison:
    """Return errors on the blocks that the served champion and the learning models all spoke about.

    Parameters
    ----------
    served
        The champion's forecasts; ``None`` if none met its block.
    study
        Those of the models that went on learning, and of the baselines; ``None`` if nobody learned.
    """
    if served is None or study is None:
        return LiveComparison((), {}, {})
    said = {
        SERVED: list(zip(served.blocks, served.truth, served.value, served.lower, served.upper, strict=True))
    }
    for score in study.scores:
        one = study.series[score.name]
        columns = (one.blocks, one.truth, one.prediction, one.lower, one.upper)
        said[score.name] = list(zip(*(column.tolist() for column in columns), strict=True))
    common = set.intersection(*({row[0] for row in rows} for rows in said.values()))
    rows_of = {name: [row for row in rows if row[0] in common] for name, rows in said.items()}
    return LiveComparison(
        tuple(sorted(common)),
        {name: tuple(abs(truth - value) for _, truth, value, *_ in rows) for name, rows in rows_of.items()},
        {
            name: tuple(low <= truth <= high for _, truth, _, low, high in rows)
            for name, rows in rows_of.items()
        },
    )


def learning_picture(comparison: LiveComparison | None, unit: str = "gwei") -> Picture:
    """Return the picture of errors so far, or the sentence that stands in its place."""
    title = "Learning beside the champion"
    if comparison is None or not comparison.blocks:
        return Picture(title, "No forecast of a learning model and of the champion met the same live block.")
    mae = comparison.mae
    models = [name for name in mae if name != SERVED]
    best = min(models, key=lambda name: mae[name])
    return drawn(
        title,
        f"Mean absolute error so far over {len(comparison.blocks)} live blocks. The champion served and "
        f"stood still: {mae[SERVED]:.3g} {unit}. Models that went on learning, and baselines, decided "
        f"nothing; the best of them is {best}: {mae[best]:.3g} {unit}.",
        "Mean absolute error so far over live blocks, a line per model: "
        + ", ".join(f"{name} ends at {value:.3g} {unit}" for name, value in mae.items())
        + ".",
        lambda: draw_errors(comparison, unit),
    )


def draw_errors(comparison: LiveComparison, unit: str) -> bytes:
    """Return mean absolute errors so far over blocks, one line per model, as PNG."""
    figure, (axis,) = new_figure(9, 3.6)
    count = np.arange(1, len(comparison.blocks) + 1)
    for number, (name, errors) in enumerate(comparison.errors.items()):
        served = name == SERVED
        axis.plot(
            comparison.blocks,
            np.cumsum(errors) / count,
            color=INK if served else COLOURS[(number - 1) % len(COLOURS)],
            linewidth=2.0 if served else 1.3,
            label=name,
        )
    axis.set_ylim(bottom=0)
    blocks_axis(axis)
    label(axis, title="Mean absolute error so far", x="block", y=unit)
    legend(axis, columns=5)
    return png(figure)


def drift_table(alarms: Mapping[str, DriftAlarm]) -> Table:
    """Return the first alarm of each feature that had one, the earliest first."""
    ordered = sorted(alarms.items(), key=lambda item: (item[1].block_number, item[0]))
    return Table(
        "Drift of features",
        ("feature", "block", "reason", "detector", "what was seen"),
        tuple(
            (name, f"{alarm.block_number}", alarm.reason.value, alarm.detector, alarm.detail)
            for name, alarm in ordered
        ),
        "No feature drifted. Each is watched from its 100th value on.",
    )
