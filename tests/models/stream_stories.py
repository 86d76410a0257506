"""A made-up stream whose baseline can be beaten, for the contract of the models that correct one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from core.seams import Randomness
from features.feature import FeatureRow
from features.schema import FeatureSchema
from models.boosting import Boosting
from models.experts import Frozen, GivenBaseline
from models.forecaster import Forecaster, Window
from models.hedging import FixedShare
from models.inputs import BASELINE
from models.logit_lstm import LogitLSTM
from models.mix import ExpertMix
from models.quantile_lstm import QuantileLSTM
from models.river_logistic import RiverLogistic
from models.river_renewed import RiverForest, RiverSeries, RiverTree
from models.targets.table import Kind

WINDOW = 4
SCHEMA = FeatureSchema(("signal", "noise", BASELINE))
Build = Callable[[int], Forecaster]


def stream(count: int, seed: int, strength: float = 1.0) -> tuple[list[FeatureRow], list[float]]:
    """Return rows and labels: the label lies above the baseline by what ``signal`` says, plus noise."""
    random = np.random.default_rng(seed)
    signal, noise, error = random.normal(size=(3, count))
    baseline = np.cumsum(random.normal(size=count))
    labels = baseline + strength * np.tanh(2 * signal) + 0.3 * error
    rows = [
        FeatureRow(place + 1, 12 * place, 12 * place, SCHEMA.names, values)
        for place, values in enumerate(zip(signal.tolist(), noise.tolist(), baseline.tolist(), strict=True))
    ]
    return rows, labels.tolist()


def coin_stream(count: int, seed: int) -> tuple[list[FeatureRow], list[float]]:
    """Return rows and labels 0 and 1; the baseline always says 0.6, the truth follows ``signal``."""
    random = np.random.default_rng(seed)
    signal, noise = random.normal(size=(2, count))
    labels = (random.uniform(size=count) < 1 / (1 + np.exp(-2 * signal))).astype(float)
    rows = [
        FeatureRow(place + 1, 12 * place, 12 * place, SCHEMA.names, (*values, 0.6))
        for place, values in enumerate(zip(signal.tolist(), noise.tolist(), strict=True))
    ]
    return rows, labels.tolist()


def lstm(seed: int) -> QuantileLSTM:
    """Return a small one."""
    return QuantileLSTM(SCHEMA, Randomness(seed), window=WINDOW, hidden=8)


def mix(seed: int, rule: str = "adahedge") -> ExpertMix:
    """Return a mix of unlike experts."""
    experts = [GivenBaseline(), RiverForest(SCHEMA, Randomness(seed)), Boosting(SCHEMA)]
    return ExpertMix(experts, rule=rule)


NUMBERS: dict[str, Build] = {
    "lstm": lstm,
    "tree": lambda seed: RiverTree(SCHEMA, Randomness(seed)),
    "forest": lambda seed: RiverForest(SCHEMA, Randomness(seed)),
    "series": lambda seed: RiverSeries(SCHEMA, Randomness(seed), horizon=2),
    "boosting": lambda seed: Boosting(SCHEMA),
    "mix": mix,
    "fixed_share": lambda seed: mix(seed, FixedShare.name),
}
ODDS: dict[str, Build] = {
    "lstm_odds": lambda seed: LogitLSTM(SCHEMA, Randomness(seed), window=WINDOW, hidden=8),
    "logistic": lambda seed: RiverLogistic(SCHEMA),
    "boosting_odds": lambda seed: Boosting(SCHEMA, Kind.PROBABILITY),
    "mix_odds": lambda seed: ExpertMix([GivenBaseline(), RiverLogistic(SCHEMA)], Kind.PROBABILITY),
}
STILL: dict[str, Build] = {
    "baseline": lambda seed: GivenBaseline(),
    "frozen": lambda seed: Frozen(RiverTree(SCHEMA, Randomness(seed))),
}


def window_at(rows: list[FeatureRow], place: int) -> Window:
    """Return the rows that end at ``place``."""
    return tuple(rows[place - WINDOW + 1 : place + 1])


def walk(
    model: Forecaster, rows: list[FeatureRow], labels: list[float], start: int, stop: int
) -> list[float]:
    """Forecast, then learn, from row ``start`` to before ``stop``; return the forecasts."""
    answers = []
    for place in range(start, stop):
        answers.append(model.predict_one(window_at(rows, place)))
        model.learn_one(window_at(rows, place), labels[place])
    return answers
