"""What forecasts came to: each one beside its label, kept so that orphaned blocks can be taken out again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.errors import ModelError
from models.evaluation import Study, make_study
from models.judged_rows import RECENT, JudgedRows, Sums


class Judgements:
    """Judged forecasts of models and baselines, as served.

    Parameters
    ----------
    models, baselines
        Names.
    remembered
        Forecasts of each that are held, the last ones; ``None`` for all. Scores are of all of them.

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

    def __init__(
        self, models: Sequence[str], baselines: Sequence[str], remembered: int | None = RECENT
    ) -> None:
        self._models = tuple(models)
        self._baselines = tuple(baselines)
        self._rows = {name: JudgedRows(remembered) for name in (*models, *baselines)}

    @property
    def best_baseline(self) -> str:
        """The baseline with the smallest error so far, the first one of equals."""
        return min(self._baselines, key=lambda name: self._rows[name].sums.absolute)

    def add(self, name: str, about: int, label: float, served: tuple[float, float, float]) -> None:
        """Take in what a forecast about a block came to; ``served`` is its value and both bounds."""
        self._rows[name].add(about, label, *served)

    def sums(self) -> dict[str, Sums]:
        """Return what each forecaster's judged forecasts add up to."""
        return {name: rows.sums for name, rows in self._rows.items()}

    def resume(self, sums: Mapping[str, Sums]) -> None:
        """Go on from sums; the forecasts that they are of are not held.

        Raises
        ------
        ModelError
            If they are of other forecasters.
        """
        if set(sums) != set(self._rows):
            raise ModelError(f"sums of {', '.join(sums)} are not those of {', '.join(self._rows)}")
        self._rows = {name: JudgedRows(rows.remembered, sums[name]) for name, rows in self._rows.items()}

    def rollback(self, to_number: int) -> None:
        """Forget forecasts about blocks above a height.

        Raises
        ------
        ModelError
            If that takes back more than ``JOURNAL_DEPTH`` of a forecaster's.
        """
        for rows in self._rows.values():
            rows.rollback(to_number)

    def study(self, target: str, horizon: int, nominal: float) -> Study:
        """Return the scores of everything judged so far, and the forecasts that are held."""
        models = {name: self._rows[name].table() for name in self._models}
        baselines = {name: self._rows[name].table() for name in self._baselines}
        if all(rows.whole for rows in self._rows.values()):
            return make_study(target, horizon, nominal, models, baselines)
        sums = {name: rows.sums for name, rows in self._rows.items()}
        return make_study(target, horizon, nominal, models, baselines, sums)
