"""Experts that learn nothing: the baseline as given, and a model as it stood."""

from __future__ import annotations

from typing import Any

from core.errors import ModelError
from models.baselines import Stateless
from models.forecaster import Forecaster, Window
from models.inputs import read_baseline


class GivenBaseline(Stateless):
    """Says what the rows' ``baseline`` says: the best cheap forecast as an expert of its own."""

    name = "given_baseline"

    def predict_one(self, window: Window) -> float:
        """Return the baseline's forecast for the window's last row, in the label's unit.

        Raises
        ------
        ModelError
            If the row lacks a finite ``baseline``.
        """
        return read_baseline(window)


class Frozen:
    """A model that goes on forecasting but no longer learns, as a champion does beside its challengers.

    Parameters
    ----------
    model
        Kept as it is; nobody else may teach it.
    """

    name = "frozen"

    def __init__(self, model: Forecaster) -> None:
        self.model = model

    def predict_one(self, window: Window) -> float:
        """Return what the model says, in the label's unit. Raises ``ModelError`` as the model does."""
        return self.model.predict_one(window)

    def learn_one(self, window: Window, label: float) -> None:
        """Do nothing."""

    def state(self) -> dict[str, Any]:
        """Return the model's name and state."""
        return {"model": self.model.name, "state": self.model.state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take a model's state. Raises ``ModelError`` if it is of another one."""
        check_expert(state, self.model)


def check_expert(saved: dict[str, Any], expert: Forecaster) -> None:
    """Let an expert go on from what was saved of it.

    Raises
    ------
    ModelError
        If something else was saved.
    """
    try:
        name, state = saved["model"], saved["state"]
    except (KeyError, TypeError) as error:
        raise ModelError(f"this is not the state of an expert: {error}") from error
    if name != expert.name:
        raise ModelError(f"an expert was saved as {name!r}, this one is {expert.name!r}; build it alike")
    expert.restore(state)
