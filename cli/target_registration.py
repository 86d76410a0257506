"""Register a model of a target: behind its baseline, as challenger, with a word on who judges it where."""

from __future__ import annotations

from dataclasses import dataclass

from cli.models_promote import user
from cli.models_trial import gate_of
from cli.screen import Screen
from core.seams import SystemClock
from core.settings import Settings
from models.alias_requests import CHALLENGER, Registrar, decided_version
from models.courses import Course, search_part
from models.label_stream import anchor_of
from models.snapshot import Snapshot
from models.target_learning import baseline_snapshot, example_window
from models.target_versions import TargetScore, register_baseline, register_model, registered_name
from models.targets.table import TargetTable
from models.tracking_store import TrackingStore
from pipeline.evolution.evolve import SEARCHED


@dataclass(frozen=True, slots=True)
class Registered:
    """What came of a registration.

    Parameters
    ----------
    name, version, model
        Registered model, the version, and what kind of model it is.
    baseline
        The best baseline on the learning rows.
    first
        Version of the baseline that serves from now on; ``None`` if something served already.
    champion
        Version that serves.
    challenger
        Whether it became challenger, in words.
    kept_back
        Rows that the gate will judge on.
    """

    name: str
    version: str
    model: str
    baseline: str
    first: str | None
    champion: str | None
    challenger: str
    kept_back: int


def register(
    settings: Settings, table: TargetTable, snapshot: Snapshot, score: TargetScore, run: str
) -> Registered:
    """Register a snapshot of a target, and its baseline before it where nothing serves yet.

    Parameters
    ----------
    settings
        They name the store and the alias that serves.
    table
        The target, with the rows that were kept back.
    snapshot, score
        The model, and how it did.
    run
        Run of MLflow it comes from.

    Raises
    ------
    InputError
        If the store cannot be opened.
    ModelError
        If the model does not answer, another process decides just now, or the store cannot be written.
    """
    store, name, clock = (
        TrackingStore(settings.storage.mlflow_home),
        registered_name(table.name),
        SystemClock(),
    )
    alias, nominal = settings.models.alias, settings.models.nominal_coverage
    baseline = baseline_snapshot(
        table, Course(search_part(table, SEARCHED), anchor_of(table)), nominal=nominal
    )
    window = example_window(table, baseline)
    first = register_baseline(store, baseline, window, alias=alias, run_id=run, clock=clock)
    version = register_model(store, snapshot, example_window(table, snapshot), score, run_id=run)
    challenger = "has the alias already"
    if decided_version(store, name, CHALLENGER) != version:
        registrar = Registrar(store, name, clock, champion=alias)
        decision = registrar.request(gate_of(table), version, CHALLENGER, who=user())
        challenger = f"{decision.reason.value}: {decision.why}" if decision.reason else decision.why
    return Registered(
        name=name,
        version=version,
        model=snapshot.forecaster.name,
        baseline=baseline.corrects,
        first=first,
        champion=decided_version(store, name, alias),
        challenger=challenger,
        kept_back=len(table) - table.first_judged,
    )


def say(screen: Screen, done: Registered) -> None:
    """Print what was registered, and what to do next."""
    if done.first is not None:
        screen.figure(
            f"nothing served yet: {done.baseline}, version {done.first} of {done.name}, is champion"
        )
    screen.figure(f"{done.model} is version {done.version} of {done.name}, challenger: {done.challenger}")
    screen.figure(
        f"{done.kept_back:,} rows were kept back; `omniarb models promote {done.version} --name {done.name}` "
        "judges it on them"
    )
    screen.figure(
        f"a run asks for forecasts of base fees only: the champion of {done.name} serves whoever loads it "
        "from MLflow"
    )
