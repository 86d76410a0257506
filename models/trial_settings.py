"""What a search varies: which model on which target, what it reads, and how fast it learns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from core.errors import ModelError
from core.seams import Randomness
from features.schema import FeatureSchema
from models.boosting import Boosting
from models.experts import Frozen, GivenBaseline
from models.forecaster import Forecaster
from models.logit_lstm import LogitLSTM
from models.mix import ExpertMix
from models.online_lstm import FIRST_RATE
from models.quantile_lstm import QuantileLSTM
from models.river_logistic import RiverLogistic
from models.river_renewed import RiverForest, RiverSeries, RiverTree
from models.targets.table import Kind

MODELS: Mapping[Kind, tuple[str, ...]] = {
    Kind.NUMBER: (QuantileLSTM.name, Boosting.name, RiverTree.name, RiverForest.name, RiverSeries.name),
    Kind.PROBABILITY: (RiverLogistic.name, Boosting.name, RiverTree.name, LogitLSTM.name),
}
"""Models that a search may try, by kind of label."""

EXPERTS: Mapping[Kind, tuple[str, ...]] = {
    Kind.NUMBER: (QuantileLSTM.name, RiverTree.name, Boosting.name),
    Kind.PROBABILITY: (LogitLSTM.name, RiverLogistic.name, Boosting.name),
}
"""Models that a mix weighs, beside the baseline."""

RECURRENT = (QuantileLSTM.name, LogitLSTM.name, ExpertMix.name)
"""Models that read a window; the others read its last row."""

LEARN_EVERY: Mapping[str, int] = {QuantileLSTM.name: 8, LogitLSTM.name: 8}
"""A gradient step costs a hundred times a forecast, so after history it learns from every eighth label."""

BLIND = (RiverSeries.name,)
"""Models that forecast from past labels alone: a version serves as it was registered, and sees none."""

SHARES = (0.25, 0.5, 1.0)
WINDOWS = (4, 8, 16)
HIDDEN = (8, 16, 32)
SLOWEST, FASTEST = 1e-4, 1e-2
"""Range of learning rates, drawn evenly in their logarithm."""

EVERY = (1, 2, 4)
FACTORS = (0.5, 0.8, 1.25, 2.0)
"""What a learning rate may be multiplied by when a trial is explored further."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One point of a search.

    Parameters
    ----------
    target
        Name of the target; targets of several horizons make the horizon part of the search.
    model
        Name of the forecaster.
    features
        Share of the features that it reads, the most telling first, in (0, 1].
    window
        Rows of a window.
    hidden, rate
        Width and first online learning rate of an LSTM; others do not read them.
    every
        Learn from the labels of every so many rows once fitted.
    """

    target: str
    model: str
    features: float
    window: int
    hidden: int
    rate: float
    every: int


def usual_setting(target: str, model: str) -> Setting:
    """Return the setting that a model is trained with where nobody searches for one.

    Examples
    --------
    >>> usual_setting("gas_used_1", "boosting").window
    1
    """
    window, every = 16 if model in RECURRENT else 1, LEARN_EVERY.get(model, 1)
    return Setting(target, model, features=1.0, window=window, hidden=32, rate=FIRST_RATE, every=every)


def draw_settings(
    kinds: Mapping[str, Kind], randomness: Randomness, count: int, models: Sequence[str] = ()
) -> list[Setting]:
    """Return settings to try; the models of a kind take turns, so that few trials try different ones.

    Parameters
    ----------
    kinds
        Kind of label by target, at least one target; targets take turns as well.
    randomness
        Draws them.
    count
        How many.
    models
        Only these, by their names; all that fit where empty.

    Raises
    ------
    ModelError
        If none of the models fits a target.

    Examples
    --------
    >>> drawn = draw_settings({"gas": Kind.NUMBER}, Randomness(7), 6)
    >>> [setting.model for setting in drawn][:3], drawn[0].model == drawn[5].model
    (['quantile_lstm', 'boosting', 'river_tree'], True)
    """
    random = randomness.stream("settings of trials")
    names = list(kinds)
    fitting = {
        name: [model for model in MODELS[kind] if not models or model in models]
        for name, kind in kinds.items()
    }
    for name, some in fitting.items():
        if not some:
            there = ", ".join(MODELS[kinds[name]])
            raise ModelError(f"none of the models fits {name}; there are {there}", target=name)
    settings = []
    for number in range(count):
        target = names[number % len(names)]
        model = fitting[target][(number // len(names)) % len(fitting[target])]
        settings.append(
            Setting(
                target=target,
                model=model,
                features=_one_of(random, SHARES),
                window=_one_of(random, WINDOWS),
                hidden=_one_of(random, HIDDEN),
                rate=float(np.exp(random.uniform(np.log(SLOWEST), np.log(FASTEST)))),
                every=_one_of(random, EVERY),
            )
        )
        if model == RiverSeries.name:
            # a series with holes is another series
            settings[-1] = replace(settings[-1], every=1)
    return settings


def explore(setting: Setting, random: np.random.Generator) -> Setting:
    """Return a setting nearby that can go on from the same state: rate and thinning alone may differ."""
    rate = min(max(setting.rate * _one_of(random, FACTORS), SLOWEST), FASTEST)
    every = setting.every if setting.model == RiverSeries.name else _one_of(random, EVERY)
    return replace(setting, rate=rate, every=every)


def build_model(
    setting: Setting,
    schema: FeatureSchema,
    kind: Kind,
    seed: int,
    *,
    horizon: int,
    frozen: Frozen | None = None,
) -> Forecaster:
    """Return a fresh model.

    Parameters
    ----------
    setting
        What to build.
    schema
        Features it reads, ``baseline`` among them.
    kind
        What the labels are.
    seed
        Seeds it.
    horizon
        Labels from the last one known to the one that is forecast, for a series.
    frozen
        One more expert of a mix.

    Raises
    ------
    ModelError
        If there is no such model for this kind.
    """
    if setting.model == ExpertMix.name:
        parts = [replace(setting, model=name) for name in EXPERTS[kind]]
        experts: list[Forecaster] = [GivenBaseline()] if frozen is None else [GivenBaseline(), frozen]
        experts += [build_model(part, schema, kind, seed, horizon=horizon) for part in parts]
        return ExpertMix(experts, kind, learn_every=LEARN_EVERY)
    if setting.model not in MODELS[kind]:
        raise ModelError(
            f"no model {setting.model!r} forecasts a {kind.value}; there are {', '.join(MODELS[kind])}",
            model=setting.model,
        )
    randomness = Randomness(seed)
    builders: Mapping[str, Callable[[], Forecaster]] = {
        QuantileLSTM.name: lambda: QuantileLSTM(
            schema, randomness, window=setting.window, hidden=setting.hidden, rate=setting.rate
        ),
        LogitLSTM.name: lambda: LogitLSTM(
            schema, randomness, window=setting.window, hidden=setting.hidden, rate=setting.rate
        ),
        Boosting.name: lambda: Boosting(schema, kind),
        RiverTree.name: lambda: RiverTree(schema, randomness),
        RiverForest.name: lambda: RiverForest(schema, randomness),
        RiverSeries.name: lambda: RiverSeries(schema, randomness, horizon=horizon),
        RiverLogistic.name: lambda: RiverLogistic(schema),
    }
    return builders[setting.model]()


def _one_of(random: np.random.Generator, choices: Sequence[Any]) -> Any:
    return choices[int(random.integers(len(choices)))]
