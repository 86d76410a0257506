"""What forecasts came to: each one beside its label, kept so that orphaned blocks can be taken out again."""

from __future__ import annotations

from collections.abc import Sequence

from models.evaluation import Study, make_study


class Judgements:
    """Judged forecasts of models and baselines, as served.

    Parameters
    ----------
    models, baselines
        Names.

    Examples
    --------
    >>> judged = Judgements(["lstm"], ["formula", "persistence"])
    >>> judged.add("formula", 7, 20.0, (22.0, 21.0, 23.0))
    >>> judged.add("persistence", 7, 20.0, (21.0, 20.0, 22.0))
    >>> judged.best_baseline
    'persistence'
    >>> judged.rollback(6)
    >>> judged.best_baseline
    'formula'
    """

    def __init__(self, models: Sequence[str], baselines: Sequence[str]) -> None:
        self._models = tuple(models)
        self._baselines = tuple(baselines)
        self._rows: dict[str, list[tuple[float, ...]]] = {name: [] for name in (*models, *baselines)}
        self._errors = dict.fromkeys(self._baselines, 0.0)

    @property
    def best_baseline(self) -> str:
        """The baseline with the smallest error so far, the first one of equals."""
        return min(self._baselines, key=lambda name: self._errors[name])

    def add(self, name: str, about: int, label: float, served: tuple[float, float, float]) -> None:
        """Take in what a forecast about a block came to; ``served`` is its value and both bounds."""
        self._rows[name].append((about, label, *served))
        if name in self._errors:
            self._errors[name] += abs(label - served[0])

    def rollback(self, to_number: int) -> None:
        """Forget forecasts about blocks above a height."""
        for rows in self._rows.values():
            while rows and rows[-1][0] > to_number:
                rows.pop()
        # added up anew: taking floats away again would leave their rounding behind
        self._errors = {name: _total_error(self._rows[name]) for name in self._baselines}

    def study(self, target: str, horizon: int, nominal: float) -> Study:
        """Return the scores of everything judged so far."""
        models = {name: self._rows[name] for name in self._models}
        baselines = {name: self._rows[name] for name in self._baselines}
        return make_study(target, horizon, nominal, models, baselines)


def _total_error(rows: Sequence[tuple[float, ...]]) -> float:
    """Return the sum of absolute errors, added in the order in which they came."""
    total = 0.0
    for _, truth, value, *_ in rows:
        total += abs(truth - value)
    return total
