"""Judge the online models on a replay: predict, wait for the label, learn, score."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.seams import Randomness
from features.feature import FeatureRow
from features.registry import SCHEMA
from models.baselines import ExactFormula, Persistence
from models.evaluation import Study
from models.learner import PrequentialLearner
from models.lstm import ResidualLSTM
from models.river_models import RiverResidual

WEI_PER_GWEI = 10**9
Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Studied:
    """A study and the learner that can go on from its end."""

    study: Study
    learner: PrequentialLearner


def study_base_fee(
    rows: Sequence[FeatureRow],
    base_fees: Sequence[int],
    *,
    seed: int,
    horizon: int,
    window: int,
    nominal: float,
    warm_up: int,
    advance: Advance = lambda _done: None,
) -> Studied:
    """Run every model and baseline over a replay, test then train, with labels as late as they are.

    Parameters
    ----------
    rows, base_fees
        One per block, in order; base fees in wei per gas.
    seed
        Seeds the models.
    horizon
        Blocks ahead.
    window
        Rows a model sees.
    nominal
        Coverage the intervals aim at.
    warm_up
        Rows that are learned from but not judged.
    advance
        Told the number of rows done.
    """
    randomness = Randomness(seed)
    learner = PrequentialLearner(
        [ResidualLSTM(SCHEMA, randomness, window=window), RiverResidual(SCHEMA, randomness)],
        [ExactFormula(), Persistence()],
        SCHEMA,
        horizon=horizon,
        nominal=nominal,
        window=window,
    )
    for done, (row, base_fee) in enumerate(zip(rows, base_fees, strict=True), start=1):
        learner.step(row, base_fee / WEI_PER_GWEI, judged=done > warm_up)
        if done % 64 == 0 or done == len(rows):
            advance(done)
    return Studied(learner.study(), learner)
