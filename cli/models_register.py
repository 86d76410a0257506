"""``omniarb models register``: the winner of a search becomes a version that the gate can judge."""

from __future__ import annotations

import logging
import os
import tempfile
from dataclasses import asdict
from pathlib import Path

from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from cli.models_show import plain
from cli.models_trial import open_target
from cli.output import print_json
from cli.screen import Screen
from cli.target_registration import register, say
from cli.tracking import check_store
from core.config_loader import load_settings
from core.errors import InputError
from models.scorecard import LOSSES
from models.snapshot import Snapshot, load_snapshot
from models.target_trial import TargetTrial
from models.target_versions import TargetScore
from models.targets.registry import TARGETS
from models.targets.table import Kind, TargetTable
from models.tracking_store import TrackingStore
from pipeline.evolution.tracking import SNAPSHOT, WINNER


def register_winner(config: str, run: str, *, as_json: bool) -> None:
    """Register the snapshot of a search's winner, and say what to do next.

    Parameters
    ----------
    config
        Configuration.
    run
        Id of the search's run, or of its winner's.
    as_json
        Print one document and nothing else.

    Raises
    ------
    InputError
        If there is no such run, it has no winner of a target, or the store or the target cannot be used.
    ModelError
        If the snapshot is damaged, or the store cannot be written.
    """
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    settings = load_settings(config, os.environ)
    store = TrackingStore(settings.storage.mlflow_home)
    check_store(store.home)
    if not store.exists:
        raise InputError(
            f"there are no runs in {store.home} yet; make some with `omniarb evolve`", path=str(store.home)
        )
    client = store.client()
    winner = _winner(store, client, run)
    snapshot = _snapshot(client, winner)
    screen = Screen(quiet=as_json, steps=1)
    with screen.step(f"Target: {snapshot.target}") as advance:
        table = open_target(settings, snapshot.target)
        missing = TargetTrial(table, "").missing(snapshot)
        if missing:
            raise InputError(
                f"the winner reads what {table.name} no longer has: {', '.join(missing)}; search again"
            )
        done = register(settings, table, snapshot, _score(table, winner, snapshot), winner.info.run_id)
        advance(1)
    if as_json:
        print_json(plain({**asdict(done), "run": winner.info.run_id, "target": table.name}))
        return
    say(screen, done)


def _winner(store: TrackingStore, client: MlflowClient, run: str) -> Run:
    """Return the run itself, or the winner's below it."""
    with store.reading():
        try:
            found = client.get_run(run)
        except MlflowException as error:
            if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                raise
            raise InputError(
                f"there is no run {run} in {store.home}; `omniarb evolve` prints the one of its winner",
                run=run,
            ) from None
        below = client.search_runs(
            [found.info.experiment_id],
            f"tags.`mlflow.parentRunId` = '{found.info.run_id}' and attributes.run_name = '{WINNER}'",
        )
    return below[0] if below else found


def _snapshot(client: MlflowClient, run: Run) -> Snapshot:
    number = run.info.run_id
    with tempfile.TemporaryDirectory() as folder:
        try:
            file = client.download_artifacts(number, SNAPSHOT, folder)
        except (MlflowException, OSError):
            raise InputError(
                f"run {number} holds no {SNAPSHOT}; give a run of `omniarb evolve` that has ended, or its "
                "winner's",
                run=number,
            ) from None
        snapshot = load_snapshot(Path(file))
    if snapshot.target not in TARGETS or not snapshot.corrects:
        raise InputError(
            f"the snapshot of run {number} forecasts {snapshot.target} and names no baseline of it that it "
            "corrects; search again with `omniarb evolve`",
            run=number,
        )
    return snapshot


def _score(table: TargetTable, run: Run, snapshot: Snapshot) -> TargetScore:
    numbers, number = run.data.metrics, table.kind is Kind.NUMBER
    nan = float("nan")
    return TargetScore(
        skill=numbers.get("skill", nan),
        baseline=run.data.params.get("hardest_baseline", ""),
        loss=LOSSES[table.kind][0].value,
        mean_loss=numbers.get("loss", nan),
        judged=int(run.data.params.get("judged", 0)),
        coverage=snapshot.conformal.coverage if number else nan,
        nominal=snapshot.conformal.nominal if number else nan,
    )
