"""Judge the online models on a replay: predict, wait for the label, learn, score."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chain.blocks import BlockHeader
from core.seams import Randomness
from features.registry import LIVE_SCHEMA
from models.baselines import ExactFormula, Persistence
from models.evaluation import Study
from models.forecaster import Forecaster
from models.learner import PrequentialLearner
from models.lstm import ResidualLSTM
from models.river_models import RiverResidual
from pipeline.replay import TELL_EVERY, Replay

WEI_PER_GWEI = 10**9
Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Studied:
    """A study and the learner that can go on from its end."""

    study: Study
    learner: PrequentialLearner


def study_models(seed: int, window: int) -> tuple[Forecaster, ...]:
    """Return the models of the study, which have seen nothing; ``window`` is the rows they read.

    They read what a live run fills too, so that what is judged on recordings is what serves.
    """
    return ResidualLSTM(LIVE_SCHEMA, Randomness(seed), window=window), RiverResidual(LIVE_SCHEMA)


def study_base_fee(
    replayed: Replay,
    *,
    seed: int,
    horizon: int,
    window: int,
    nominal: float,
    advance: Advance = lambda _done: None,
) -> Studied:
    """Run every model and baseline over a replay, test then train, with labels as late as they are.

    Parameters
    ----------
    replayed
        Rows and headers; those of the history before are learned from and not judged. Where
        there is no history before, the first tenth takes its place.
    seed
        Seeds the models.
    horizon
        Blocks ahead.
    window
        Rows a model sees.
    nominal
        Coverage the intervals aim at.
    advance
        Told the number of rows done.
    """
    learner = PrequentialLearner(
        study_models(seed, window),
        [ExactFormula(), Persistence()],
        LIVE_SCHEMA,
        horizon=horizon,
        nominal=nominal,
        window=window,
        remembered=None,
    )
    unjudged = 0
    if replayed.warm_rows:
        learner.warm_up(replayed.warm_rows, _base_fees(replayed.warm_headers))
    else:
        unjudged = len(replayed.rows) // 10
    truths = _base_fees(replayed.headers)
    for done, (row, truth) in enumerate(zip(replayed.rows, truths, strict=True), start=1):
        learner.step(row, truth, judged=done > unjudged)
        if done % TELL_EVERY == 0 or done == len(truths):
            advance(done)
    return Studied(learner.study(), learner)


def _base_fees(headers: Sequence[BlockHeader]) -> list[float]:
    return [header.base_fee / WEI_PER_GWEI for header in headers]
