"""The honest table of a target: every baseline, every model, and the best.

Skill is taken against the baseline that is hardest on the judged rows themselves, a choice made
with hindsight that favours the baseline. The baseline is the best unless a model's interval lies
clear of zero. Models learn on while they are judged; the gate judges versions frozen as they serve.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.seams import Randomness
from models.bootstrap import Skill, block_length, bootstrap_skill
from models.coverage import after_breaks, coverage_by_tercile, inside, shortfalls
from models.prequential import Results, Served
from models.targets.table import Kind

Floats = NDArray[np.float64]

SMALLEST_PROBABILITY = 1e-3
"""A forecast nearer to 0 or 1 counts as this in the log loss, which would be infinite otherwise."""


class Loss(StrEnum):
    """How a forecast is charged; the first of a kind's two decides."""

    MAE = "mae"
    MSE = "mse"
    BRIER = "brier"
    LOG = "log_loss"


LOSSES: Mapping[Kind, tuple[Loss, Loss]] = {
    Kind.NUMBER: (Loss.MAE, Loss.MSE),
    Kind.PROBABILITY: (Loss.BRIER, Loss.LOG),
}


@dataclass(frozen=True, slots=True)
class Line:
    """How one forecaster did on a target.

    Parameters
    ----------
    name, baseline
        Forecaster, and whether it is a baseline.
    losses
        Mean loss by :class:`Loss`; in the target's unit, squared for ``mse``.
    skills
        By loss, against the baseline that is hardest for that loss.
    coverage, width
        Share of intervals that held their label, and mean width in the target's unit; ``None`` for
        probabilities.
    coverage_by_tercile
        The same share where the typical error known at issue was low, middling and high.
    coverage_after_breaks
        The same share in the rows after a break; ``None`` if there are none.
    predict_us, learn_us
        Median cost of a forecast and of a label, microseconds; 0 for a baseline.
    """

    name: str
    baseline: bool
    losses: Mapping[Loss, float]
    skills: Mapping[Loss, Skill]
    coverage: float | None
    width: float | None
    coverage_by_tercile: tuple[float, float, float] | None
    coverage_after_breaks: float | None
    predict_us: float
    learn_us: float


@dataclass(frozen=True, slots=True)
class Scorecard:
    """Everything to know about a target.

    Parameters
    ----------
    target, unit, horizon, source
        As the table has them.
    kind, nominal
        What a label is, and the coverage that intervals aim at.
    learned, judged, censored
        Rows for learning alone, judged rows, and rows not judged because their label never came.
    degenerate
        Whether all judged labels are the same: then there is nothing to forecast.
    breaks, after_breaks
        Times that the hardest baseline's error was found to have risen, and judged rows soon after one; 0
        for probabilities.
    leader_changes
        How often another expert of the mix took the lead for good, a sign that the data has changed; ``None``
        where nothing was mixed.
    hardest
        By loss, the baseline with the smallest one on the judged rows.
    lines
        Models, then baselines, each best first by the loss that decides.
    """

    target: str
    unit: str
    horizon: str
    source: str
    kind: Kind
    nominal: float
    learned: int
    judged: int
    censored: int
    degenerate: bool
    breaks: int
    after_breaks: int
    leader_changes: int | None
    hardest: Mapping[Loss, str]
    lines: tuple[Line, ...]

    @property
    def deciding(self) -> Loss:
        """The loss that decides."""
        return LOSSES[self.kind][0]

    @property
    def best(self) -> str:
        """The best model whose skill is clear of zero, else the hardest baseline.

        The baseline too where there is nothing to forecast.
        """
        clear = (line for line in self.lines if not line.baseline and line.skills[self.deciding].clear)
        model = None if self.degenerate else next(clear, None)
        return self.hardest[self.deciding] if model is None else model.name

    @property
    def won(self) -> bool:
        """Whether a model is the best."""
        return not self.line(self.best).baseline

    @property
    def coverage_short(self) -> tuple[str, ...]:
        """What the best one's intervals fall short of, in words; empty if nothing."""
        line = self.line(self.best)
        return shortfalls(self.nominal, line.coverage, line.coverage_after_breaks)

    def line(self, name: str) -> Line:
        """Return a forecaster's line; it must have one."""
        return next(line for line in self.lines if line.name == name)

    def to_dict(self) -> dict[str, Any]:
        """Return plain types for JSON; ``None`` stands for a number that is not finite."""
        return {
            "target": self.target,
            "unit": self.unit,
            "horizon": self.horizon,
            "source": self.source,
            "kind": self.kind.value,
            "nominal": self.nominal,
            "learned": self.learned,
            "judged": self.judged,
            "censored": self.censored,
            "degenerate": self.degenerate,
            "breaks": self.breaks,
            "rows_after_breaks": self.after_breaks,
            "coverage_short": list(self.coverage_short),
            "hardest": {loss.value: name for loss, name in self.hardest.items()},
            "best": self.best,
            "leader_changes": self.leader_changes,
            "forecasters": [_document(line) for line in self.lines],
        }


def make_scorecard(results: Results, *, seed: int) -> Scorecard:
    """Score everything served on a target.

    Parameters
    ----------
    results
        What was served, see :func:`models.prequential.run_prequential`.
    seed
        Seeds the resampling; all forecasters of a target are resampled alike.
    """
    table, label = results.table, results.label
    losses = {
        name: {loss: losses_of(loss, served.value, label) for loss in LOSSES[table.kind]}
        for name, served in results.served.items()
    }
    hardest = {loss: _hardest(loss, losses, table.baselines) for loss in LOSSES[table.kind]}
    breaks, after = after_breaks(results, hardest[LOSSES[table.kind][0]])
    length = block_length(len(results.rows), label_overlap(results))
    lines = []
    for name, served in results.served.items():
        skills = {
            loss: bootstrap_skill(
                losses[name][loss],
                losses[base][loss],
                Randomness(seed).stream(f"bootstrap.{table.name}.{loss}"),
                length=length,
            )
            for loss, base in hardest.items()
        }
        lines.append(_line(results, served, losses[name], skills, after))
    first = LOSSES[table.kind][0]
    lines.sort(key=lambda line: (line.baseline, line.losses[first], line.name))
    return Scorecard(
        target=table.name,
        unit=table.unit,
        horizon=table.horizon,
        source=table.source,
        kind=table.kind,
        nominal=results.nominal,
        learned=table.first_judged,
        judged=len(results.rows),
        censored=results.censored,
        degenerate=bool((label == label[0]).all()),
        breaks=breaks,
        after_breaks=int(after.sum()),
        leader_changes=results.leader_changes,
        hardest=hardest,
        lines=tuple(lines),
    )


def _hardest(loss: Loss, losses: Mapping[str, Mapping[Loss, Floats]], baselines: Iterable[str]) -> str:
    return min((float(losses[name][loss].mean()), name) for name in baselines)[1]


def losses_of(loss: Loss, value: Floats, label: Floats) -> Floats:
    """Return each forecast's loss.

    Examples
    --------
    >>> losses_of(Loss.BRIER, np.array([0.9, 0.5]), np.array([1.0, 0.0])).round(3).tolist()
    [0.01, 0.25]
    """
    if loss is Loss.MAE:
        return np.abs(label - value)
    if loss is Loss.LOG:
        safe = np.clip(value, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
        charge: Floats = -np.log(np.where(label > 0.5, safe, 1 - safe))
        return charge
    return (label - value) ** 2


def label_overlap(results: Results) -> int:
    """Return how many judged rows are issued, at the median, before a row's label is known."""
    issued, known = results.table.issued[results.rows], results.table.known[results.rows]
    after = np.searchsorted(issued, known, side="left") - np.arange(len(issued))
    return int(np.median(after))


def _line(
    results: Results,
    served: Served,
    losses: Mapping[Loss, Floats],
    skills: Mapping[Loss, Skill],
    after: NDArray[np.bool_],
) -> Line:
    number = results.table.kind is Kind.NUMBER
    held = inside(served, results.label)
    return Line(
        name=served.name,
        baseline=served.baseline,
        losses={loss: float(each.mean()) for loss, each in losses.items()},
        skills=skills,
        coverage=float(held.mean()) if number else None,
        width=float((served.upper - served.lower).mean()) if number else None,
        coverage_by_tercile=coverage_by_tercile(results, served) if number else None,
        coverage_after_breaks=float(held[after].mean()) if after.any() else None,
        predict_us=served.predict_us,
        learn_us=served.learn_us,
    )


def _document(line: Line) -> dict[str, Any]:
    terciles = line.coverage_by_tercile
    return {
        "name": line.name,
        "baseline": line.baseline,
        **{loss.value: _finite(value) for loss, value in line.losses.items()},
        "skill": {
            loss.value: {
                "value": _finite(skill.value),
                "lower": _finite(skill.lower),
                "upper": _finite(skill.upper),
                "clear_of_zero": skill.clear,
            }
            for loss, skill in line.skills.items()
        },
        "coverage": line.coverage,
        "width": line.width,
        "coverage_after_breaks": line.coverage_after_breaks,
        "coverage_by_tercile": None if terciles is None else [_finite(share) for share in terciles],
        "predict_us": line.predict_us,
        "learn_us": line.learn_us,
    }


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
