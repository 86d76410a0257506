"""From a name and a state back to the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from core.errors import ModelError
from core.seams import Randomness
from features.schema import FeatureSchema
from models.baselines import ExactFormula, Persistence
from models.boosting import Boosting
from models.experts import Frozen, GivenBaseline
from models.forecaster import Forecaster
from models.inputs import check_numbers
from models.logit_lstm import LogitLSTM
from models.lstm import REMEMBERED, ResidualLSTM
from models.mix import ExpertMix
from models.online_lstm import OnlineLSTM
from models.quantile_lstm import QuantileLSTM
from models.river_logistic import RiverLogistic
from models.river_models import RiverResidual
from models.river_renewed import RiverForest, RiverSeries, RiverTree
from models.targets.table import Kind

State = dict[str, Any]
DAMAGE = (ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)
"""What taking a damaged state for a sound one may raise."""

LONGEST = 10_000
"""Rows of a window, and labels ahead, at most: as many as the configuration allows."""

# a state carries everything random, so the seed of a rebuilt model does not matter
_SEED = Randomness(0)


def rebuild(name: str, state: State) -> Forecaster:
    """Return a new forecaster that goes on from ``state``.

    Raises
    ------
    ModelError
        If there is no forecaster of that name, or the state is not its own.
    """
    if name not in _BUILDERS:
        raise ModelError(f"this version knows no model called {name!r}", name=name)
    try:
        forecaster = _BUILDERS[name](state)
        forecaster.restore(state)
    except DAMAGE as error:
        raise ModelError(f"this is not the state of a {name}: {error}", name=name) from error
    return forecaster


def read_length(number: Any) -> int:
    """Return a number of rows. Raises ``ValueError`` if it is not one between 1 and ``LONGEST``."""
    if type(number) is not int or not 1 <= number <= LONGEST:
        raise ValueError(f"a number of rows lies between 1 and {LONGEST:,}, got {number!r}")
    return number


def _schema(state: State) -> FeatureSchema:
    return FeatureSchema(tuple(state["names"]))


def _online_lstm(kind: type[OnlineLSTM], state: State) -> Forecaster:
    return kind(_schema(state), _SEED, window=read_length(state["window"]), hidden=_hidden(state))


def _residual_lstm(state: State) -> Forecaster:
    moments = [moment for slot in state["optimiser"] for moment in slot.values()]
    examples, steps, limit = (state["memory"], state["targets"]), state["steps"], state["limit"]
    check_numbers(*state["weights"].values(), *moments, *examples, limit)
    if len(examples[0]) != len(examples[1]) or len(examples[0]) != min(steps, REMEMBERED) or limit < 0:
        raise ValueError(f"{len(examples[0])} remembered examples do not go with {steps} steps")
    return ResidualLSTM(_schema(state), _SEED, window=read_length(state["window"]), hidden=_hidden(state))


def _hidden(state: State) -> int:
    """Return the width of an LSTM, which its weights must have before room is made for others.

    What its optimiser remembers must look like them, too: that would fail at the next label only.
    """
    hidden, shape = state["hidden"], np.shape(state["weights"]["lstm.weight_hh_l0"])
    if type(hidden) is not int or shape != (4 * hidden, hidden):
        raise ValueError(f"weights of the shape {shape} do not belong to {hidden!r} units")
    slots = state["optimiser"]
    for weight, slot in zip(state["weights"].values(), slots, strict=bool(slots)):
        for name, moment in slot.items():
            if moment.dtype != np.float32 or moment.shape != (() if name == "step" else weight.shape):
                raise ValueError(f"the optimiser's {name} does not go with a weight of {weight.shape}")
    return hidden


def _expert(saved: State) -> Forecaster:
    return rebuild(saved["model"], saved["state"])


def _mix(state: State) -> Forecaster:
    experts = [_expert(one) for one in state["experts"]]
    every = {str(name): int(labels) for name, labels in state["learn_every"].items()}
    return ExpertMix(experts, Kind(state["kind"]), state["rule"], every)


_BUILDERS: dict[str, Callable[[State], Forecaster]] = {
    Persistence.name: lambda state: Persistence(),
    ExactFormula.name: lambda state: ExactFormula(),
    GivenBaseline.name: lambda state: GivenBaseline(),
    ResidualLSTM.name: _residual_lstm,
    QuantileLSTM.name: lambda state: _online_lstm(QuantileLSTM, state),
    LogitLSTM.name: lambda state: _online_lstm(LogitLSTM, state),
    RiverResidual.name: lambda state: RiverResidual(_schema(state)),
    RiverLogistic.name: lambda state: RiverLogistic(_schema(state)),
    RiverTree.name: lambda state: RiverTree(_schema(state), _SEED),
    RiverForest.name: lambda state: RiverForest(_schema(state), _SEED),
    RiverSeries.name: lambda state: RiverSeries(_schema(state), _SEED, horizon=read_length(state["horizon"])),
    Boosting.name: lambda state: Boosting(_schema(state), Kind(state["kind"])),
    Frozen.name: lambda state: Frozen(_expert(state)),
    ExpertMix.name: _mix,
}
