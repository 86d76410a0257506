"""Cheap forecasts that stand beside every model; one that cannot beat them has no business here."""

from __future__ import annotations

from typing import Any

from core.errors import ModelError
from models.forecaster import Forecaster, Window
from models.residual import formula


class Stateless:
    """A forecaster with nothing to learn and nothing to keep."""

    def learn_one(self, window: Window, label: float) -> None:
        """Do nothing."""

    def state(self) -> dict[str, Any]:
        """Return an empty state."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Accept an empty state.

        Raises
        ------
        ModelError
            If there is anything in it.
        """
        if state:
            raise ModelError("a baseline has no state; this snapshot belongs to another model")


class Persistence(Stateless):
    """The base fee stays what it is in the last block."""

    name = "persistence"

    def predict_one(self, window: Window) -> float:
        """Return the base fee of the window's last block, in gwei.

        Raises
        ------
        ModelError
            If rows lack ``base_fee_gwei``.
        """
        try:
            return window[-1]["base_fee_gwei"]
        except (ValueError, IndexError):
            raise ModelError("a window needs a row with the feature base_fee_gwei") from None


class ExactFormula(Stateless):
    """The base fee of the next block, exact by EIP-1559, held for the horizon."""

    name = "exact_formula"

    def predict_one(self, window: Window) -> float:
        """Return the exact base fee of the block after the window, in gwei.

        Raises
        ------
        ModelError
            If rows lack ``next_base_fee_gwei``.
        """
        return formula(window)


def baseline_by_name(name: str) -> Forecaster:
    """Return a baseline.

    Raises
    ------
    ModelError
        If there is none of that name.

    Examples
    --------
    >>> baseline_by_name("persistence").name
    'persistence'
    """
    for baseline in (Persistence(), ExactFormula()):
        if baseline.name == name:
            return baseline
    raise ModelError(f"no baseline is called {name!r}; there are persistence and exact_formula", name=name)
