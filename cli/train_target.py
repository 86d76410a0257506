"""``omniarb train`` on a recorded target: try its models, teach the best one, register it."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict
from typing import Any

from cli.models_show import plain
from cli.models_trial import open_target
from cli.output import print_json
from cli.screen import Screen
from cli.target_registration import Registered, register, say
from core.config_loader import ROOT
from core.errors import OmniArbError
from core.settings import Settings
from models.alias_requests import decided_version
from models.champion import load_version
from models.experts import Frozen
from models.mix import ExpertMix
from models.scorecard import LOSSES
from models.scorecard_runs import table_hash
from models.target_versions import TargetScore, registered_name
from models.targets.table import Kind, TargetTable
from models.tracking_store import TrackingStore, code_version
from models.trials import CHUNKS
from pipeline.evolution.tracking import RunLog
from pipeline.target_training import Rehearsed, frozen_champion, models_to_try, rehearse, teach

EXPERIMENT = "training"


def train_target(settings: Settings, target: str, model: str, seed: int, *, as_json: bool) -> None:
    """Train a model of a target on its learning rows, register it, and say what to do next.

    Parameters
    ----------
    settings
        They name the data root, the store, and the coverage that intervals aim at.
    target
        Name of the target.
    model
        Name of a model of its kind; the best on learning rows where empty.
    seed
        Seeds the models.
    as_json
        Print one document and nothing else.

    Raises
    ------
    InputError
        If there is no such target or model, no recorded history, or the store cannot be used.
    ModelError
        If the target is too short, a model cannot learn from it, or the store cannot be written.
    """
    screen = Screen(quiet=as_json, steps=3)
    with screen.step(f"Target: {target}") as advance:
        table = open_target(settings, target)
        models = models_to_try(table, model)
        frozen, left_out = _champion(settings, table) if ExpertMix.name in models else (None, "")
        advance(1)
    if left_out:
        screen.figure(left_out)
    store, nominal = TrackingStore(settings.storage.mlflow_home), settings.models.nominal_coverage
    with ExitStack() as stack:
        title = f"Learning rows: {', '.join(models)} forecast, wait for the label, learn"
        with screen.step(title, CHUNKS * len(models)) as trials_done:
            log = RunLog(
                store,
                {"target": target, "seed": seed, "models": ", ".join(models)},
                _tags(table),
                experiment=EXPERIMENT,
                name=f"train {target}",
                advance=trials_done,
            )
            stack.callback(log.stopped)
            tried = rehearse(table, models, seed=seed, observer=log, frozen=frozen)
        best = tried[0]
        with screen.step(f"All learning rows: {best.model}, then its version") as advance:
            snapshot = teach(table, best, seed=seed, nominal=nominal)
            score = _score(table, best, snapshot.conformal.coverage, nominal)
            parameters = {**asdict(best.trial.setting), "anchor": snapshot.corrects, "seed": seed}
            numbers = {"skill": score.skill, "loss": score.mean_loss}
            run = log.kept(best.model, snapshot, parameters, numbers, score.judged, {})
            done = register(settings, table, snapshot, score, run)
            advance(1)
    _show(screen, table, tried, done, score, as_json=as_json)


def _champion(settings: Settings, table: TargetTable) -> tuple[Frozen | None, str]:
    """Return the version that serves as one more expert of a mix, or a word on why it is none."""
    store, name = TrackingStore(settings.storage.mlflow_home), registered_name(table.name)
    version = decided_version(store, name, settings.models.alias)
    if version is None:
        return None, ""
    try:
        frozen, why = frozen_champion(table, load_version(store, name, version).snapshot)
    except OmniArbError as error:
        # training mends a champion that does not load
        frozen, why = None, str(error)
    return frozen, f"the champion, version {version} of {name}, is no expert of the mix: {why}" if why else ""


def _tags(table: TargetTable) -> dict[str, str]:
    code = code_version(ROOT)
    return {
        "code_version": code,
        "mlflow.source.git.commit": code,
        "data_set": table.source,
        "data_hash": table_hash(table),
    }


def _score(table: TargetTable, best: Rehearsed, coverage: float, nominal: float) -> TargetScore:
    losses = {name.removeprefix("loss."): loss for name, loss in best.report.items() if "." in name}
    score = TargetScore(
        skill=best.skill,
        baseline=min(losses, key=lambda name: losses[name]),
        loss=LOSSES[table.kind][0].value,
        mean_loss=best.report["loss"],
        judged=int(best.report["rows"]),
    )
    if table.kind is Kind.PROBABILITY:
        return score
    return TargetScore(**{**asdict(score), "coverage": coverage, "nominal": nominal})


def _show(
    screen: Screen,
    table: TargetTable,
    tried: tuple[Rehearsed, ...],
    done: Registered,
    score: TargetScore,
    *,
    as_json: bool,
) -> None:
    if as_json:
        print_json(_document(table, tried, done, score))
        return
    rows = [
        (one.model, f"skill {one.skill:+.4f}, {score.loss} {one.report['loss']:.4g}", "") for one in tried
    ]
    screen.table(f"{table.name}, {table.horizon}, {score.judged:,} forecasts on learning rows", rows)
    say(screen, done)


def _document(
    table: TargetTable, tried: tuple[Rehearsed, ...], done: Registered, score: TargetScore
) -> dict[str, Any]:
    document: dict[str, Any] = plain(
        {
            **asdict(done),
            "target": table.name,
            "unit": table.unit,
            "horizon": table.horizon,
            "score": asdict(score),
            "scores": [{"name": one.model, **one.report} for one in tried],
        }
    )
    return document
