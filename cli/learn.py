"""Step 2: judge the models on the replay, write everything to MLflow, and promote."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from analysis.records import Calibration
from cli.screen import Advance, Screen
from core.config_loader import ROOT
from core.settings import ModelSettings, Settings
from features.registry import LIVE_SCHEMA
from models.evaluation import Study
from models.promotion import PromotionOutcome, promote
from models.tracking import Provenance, TrackingStore, code_version, log_study, reliability_curve
from pipeline.live_learning import save_learner
from pipeline.replay import Replay
from pipeline.study import Studied, study_base_fee

DRAWN = 400
"""Forecasts shown in the picture of a study that judged thousands."""


@dataclass(frozen=True, slots=True)
class Learned:
    """Scores, and what serves now."""

    study: Study
    outcome: PromotionOutcome


def learn(screen: Screen, settings: Settings, seed: int, replayed: Replay, keep: Path) -> Learned:
    """Run the study with a progress bar, log it, promote, and say what was decided.

    The learner as it stands at the end is written to the folder ``keep``, to go on elsewhere.

    Raises
    ------
    InputError
        If the tracking store cannot be used.
    ModelError
        If it cannot be written.
    """
    models = settings.models
    with screen.step("Models: predict, wait for the label, learn", len(replayed.rows)) as advance:
        studied = study_base_fee(
            replayed,
            seed=seed,
            horizon=models.horizon_blocks,
            window=models.window_blocks,
            nominal=models.nominal_coverage,
            advance=advance,
        )
    save_learner(studied.learner, keep)
    with screen.bar("Writing runs, pictures and the registered version to MLflow", 2) as advance:
        outcome = _register(settings, seed, studied, replayed, advance)
    screen.figure(_sentence(studied.study, outcome))
    return Learned(studied.study, outcome)


def _provenance(models: ModelSettings, seed: int, replayed: Replay) -> Provenance:
    return Provenance(
        data_set=replayed.source,
        data_hash=replayed.digest,
        feature_hash=LIVE_SCHEMA.digest,
        code_version=code_version(ROOT),
        parameters={
            "seed": seed,
            "horizon_blocks": models.horizon_blocks,
            "window": models.window_blocks,
        },
    )


def _register(
    settings: Settings, seed: int, studied: Studied, replayed: Replay, advance: Advance
) -> PromotionOutcome:
    # its notes about creating tables and checking examples are of no use on this screen
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    models, store = settings.models, TrackingStore(settings.storage.mlflow_home)
    logged = log_study(store, studied.study, _provenance(models, seed, replayed))
    advance(1)
    outcome = promote(
        store,
        studied.study,
        logged,
        studied.learner.snapshot,
        name=models.registered_name,
        alias=models.alias,
        example=tuple(replayed.rows[-models.window_blocks :]),
    )
    advance(2)
    return outcome


def _sentence(study: Study, outcome: PromotionOutcome) -> str:
    serving = study.score(outcome.model)
    text = (
        f"{outcome.candidate}: skill {outcome.candidate_skill:+.3f} against {outcome.baseline}; "
        f"coverage {serving.coverage:.3f} of nominal {study.nominal:.2f}; "
    )
    if outcome.reason is None:
        return text + f"version {outcome.version} is {outcome.alias}"
    return text + f"{outcome.reason.value}, so {outcome.model} (version {outcome.version}) is {outcome.alias}"


def study_calibration(learned: Learned) -> Calibration:
    """Return how well the serving model's intervals held in the study; the last forecasts are drawn."""
    study = learned.study
    series = study.series[learned.outcome.model]
    levels, reached = reliability_curve(series, study.nominal)
    drawn = slice(-DRAWN, None)
    return Calibration(
        model=f"{learned.outcome.model}, history",
        unit="gwei",
        nominal=tuple(levels),
        empirical=tuple(reached),
        blocks=tuple(int(block) for block in series.blocks[drawn]),
        truth=tuple(float(value) for value in series.truth[drawn]),
        value=tuple(float(value) for value in series.prediction[drawn]),
        lower=tuple(float(value) for value in series.lower[drawn]),
        upper=tuple(float(value) for value in series.upper[drawn]),
    )
