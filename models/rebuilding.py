"""From a name and a state back to the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from core.errors import ModelError
from core.seams import Randomness
from features.schema import FeatureSchema
from models.baselines import ExactFormula, Persistence
from models.boosting import Boosting
from models.experts import Frozen, GivenBaseline
from models.forecaster import Forecaster
from models.logit_lstm import LogitLSTM
from models.lstm import ResidualLSTM
from models.mix import ExpertMix
from models.online_lstm import OnlineLSTM
from models.quantile_lstm import QuantileLSTM
from models.river_logistic import RiverLogistic
from models.river_models import RiverResidual
from models.river_renewed import RiverForest, RiverSeries, RiverTree
from models.targets.table import Kind

State = dict[str, Any]
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
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise ModelError(f"this is not the state of a {name}: {error}", name=name) from error
    forecaster.restore(state)
    return forecaster


def _schema(state: State) -> FeatureSchema:
    return FeatureSchema(tuple(state["names"]))


def _online_lstm(kind: type[OnlineLSTM], state: State) -> Forecaster:
    return kind(_schema(state), _SEED, window=int(state["window"]), hidden=int(state["hidden"]))


def _residual_lstm(state: State) -> Forecaster:
    window, hidden = int(state["window"]), int(state["hidden"])
    return ResidualLSTM(_schema(state), _SEED, window=window, hidden=hidden)


def _expert(saved: State) -> Forecaster:
    return rebuild(saved["model"], saved["state"])


def _mix(state: State) -> Forecaster:
    return ExpertMix([_expert(one) for one in state["experts"]], Kind(state["kind"]), state["rule"])


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
    RiverSeries.name: lambda state: RiverSeries(_schema(state), _SEED, horizon=int(state["horizon"])),
    Boosting.name: lambda state: Boosting(_schema(state), Kind(state["kind"])),
    Frozen.name: lambda state: Frozen(_expert(state)),
    ExpertMix.name: _mix,
}
