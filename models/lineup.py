"""Which models compete for a target."""

from __future__ import annotations

from core.seams import Randomness
from features.schema import FeatureSchema
from models.boosting import Boosting
from models.experts import GivenBaseline
from models.forecaster import Forecaster
from models.mix import ExpertMix
from models.quantile_lstm import QuantileLSTM
from models.river_logistic import RiverLogistic
from models.river_renewed import RiverForest, RiverSeries, RiverTree
from models.targets.table import Kind


def lineup(
    schema: FeatureSchema, kind: Kind, randomness: Randomness, *, window: int = 16, horizon: int = 1
) -> list[Forecaster]:
    """Return fresh models of a target, the mix last.

    Parameters
    ----------
    schema
        Features they read; rows also carry ``baseline``.
    kind
        What the labels are.
    randomness
        Seeds the models.
    window
        Rows the LSTM reads.
    horizon
        Labels from the last one known to the one that is forecast.

    Examples
    --------
    >>> models = lineup(FeatureSchema(("signal",)), Kind.PROBABILITY, Randomness(7))
    >>> [model.name for model in models]
    ['river_logistic', 'boosting', 'mix']
    """
    alone = _models(schema, kind, randomness, window, horizon)
    inside = _models(schema, kind, randomness, window, horizon)
    # the forest costs four times the tree, and two experts so alike teach the mix nothing
    experts = [one for one in inside if one.name != RiverForest.name]
    return [*alone, ExpertMix([GivenBaseline(), *experts], kind)]


def _models(
    schema: FeatureSchema, kind: Kind, randomness: Randomness, window: int, horizon: int
) -> list[Forecaster]:
    if kind is Kind.PROBABILITY:
        return [RiverLogistic(schema), Boosting(schema, kind)]
    return [
        QuantileLSTM(schema, randomness, window=window),
        RiverTree(schema, randomness),
        RiverForest(schema, randomness),
        RiverSeries(schema, randomness, horizon=horizon),
        Boosting(schema),
    ]
