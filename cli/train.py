"""``omniarb train``: learn from recorded blocks, register, and keep the last blocks for the gate."""

from __future__ import annotations

import logging
import os
import re
import shlex
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from chain.networks import load_network
from cli.history import open_recording, profit_token
from cli.models_promote import user
from cli.models_show import plain
from cli.models_trial import trial_of
from cli.output import print_json
from cli.screen import Screen
from cli.tracking import check_store
from cli.train_target import train_target
from core.config_loader import ROOT, load_settings
from core.data_root import find_data_root
from core.errors import InputError
from core.seams import SystemClock
from core.settings import Settings
from features.registry import LIVE_SCHEMA
from market.history import load_before
from models.alias_requests import CHALLENGER, Registrar, decided_version
from models.evaluation import Study
from models.gate import Gate, Rules
from models.promotion import best_model
from models.registration import Registration
from models.shadow_replay import issue_places
from models.targets.registry import TARGETS
from models.tracking import Provenance, TrackingStore, code_version, log_study
from pipeline.replay import Replay, replay
from pipeline.study import Studied, study_base_fee

_TARGET = re.compile(r"base_fee_([1-9][0-9]?)")
HOLD_BACK = 2_000
"""Last blocks that are kept for the gate unless somebody says otherwise."""
FEWEST = 200
"""Blocks that must be left to learn from and be judged in the study."""


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """What to train, and on what; an empty target is the configuration's.

    A target of the recorded history has a model of its kind, and keeps rows back by itself. Where no model is
    named, ``base_fee_2`` and its like are trained on a replay's blocks.
    """

    target: str
    model: str
    config: str
    seed: int
    hold_back: int | None
    tape: Path | None
    day: str
    as_json: bool


@dataclass(frozen=True, slots=True)
class _Trained:
    """What came of it; ``kept`` are the forecasts that the gate can judge on the blocks kept back."""

    name: str
    version: str
    study: Study
    model: str
    held_back: tuple[int, int]
    kept: int
    challenger: str


def train(options: TrainOptions) -> None:
    """Train, register and say what to do next.

    Raises
    ------
    InputError
        If there is no such target, nothing to learn from, too little of it, or the store cannot be used.
    ModelError
        If the store cannot be written.
    TapeError
        If a recorded row cannot be used.
    """
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    settings = load_settings(options.config, os.environ)
    if options.model or (options.target in TARGETS and not _TARGET.fullmatch(options.target)):
        _check_target(options)
        check_store(settings.storage.mlflow_home)
        train_target(settings, options.target, options.model, options.seed, as_json=options.as_json)
        return
    _train_base_fee(settings, options)


def _check_target(options: TrainOptions) -> None:
    if not options.target:
        raise InputError(
            f"name with --target what {options.model} shall forecast; see `omniarb train --help`"
        )
    if options.tape is not None or options.day or options.hold_back is not None:
        raise InputError(
            f"{options.target} is made of the data root and keeps its own rows back; leave out --tape, --day "
            "and --hold-back",
            target=options.target,
        )


def _train_base_fee(settings: Settings, options: TrainOptions) -> None:
    hold_back = HOLD_BACK if options.hold_back is None else options.hold_back
    horizon = _horizon(options.target, settings)
    check_store(settings.storage.mlflow_home)
    screen = Screen(quiet=options.as_json, steps=2)
    replayed = _replayed(screen, settings, options)
    held = len(replayed.rows) - hold_back
    if held < FEWEST:
        raise InputError(
            f"{len(replayed.rows):,} recorded blocks without the last {hold_back:,} leave fewer than "
            f"{FEWEST} to learn from; lower --hold-back or give a longer recording",
            blocks=len(replayed.rows),
        )
    learned = replace(replayed, rows=replayed.rows[:held], headers=replayed.headers[:held])
    if len({header.base_fee for header in learned.headers}) == 1:
        raise InputError(
            f"all {held:,} recorded blocks have the base fee {learned.headers[0].base_fee:,} wei, so there "
            "is nothing to learn; give a recording where it moves",
            blocks=held,
        )
    with screen.step("Models: predict, wait for the label, learn", held) as advance:
        models = settings.models
        studied = study_base_fee(
            learned,
            seed=options.seed,
            horizon=horizon,
            window=models.window_blocks,
            nominal=models.nominal_coverage,
            advance=advance,
        )
    with screen.bar("Writing runs, pictures and the registered version to MLflow", 1) as advance:
        trained = _register(settings, options, horizon, replayed, studied, hold_back)
        advance(1)
    _say(screen, trained, options)


def _horizon(target: str, settings: Settings) -> int:
    if not target:
        return settings.models.horizon_blocks
    found = _TARGET.fullmatch(target)
    if found is None:
        raise InputError(
            f"there is no target {target!r} to train; there are base_fee_2, base_fee_3 … (blocks ahead) and "
            f"{', '.join(name for name in TARGETS if not _TARGET.fullmatch(name))}",
            target=target,
        )
    if found[1] == "1":
        raise InputError(
            "the base fee one block ahead is arithmetic; train base_fee_2 or later", target=target
        )
    return int(found[1])


def _replayed(screen: Screen, settings: Settings, options: TrainOptions) -> Replay:
    recorded, before = open_recording(options.tape, options.day, settings), None
    root = find_data_root(settings)
    if root is not None and options.tape is None and not options.day:
        before = load_before(root, next(recorded.blocks())[0].number)
    token = profit_token(recorded, load_network(settings.web3.chain).weth)
    total = recorded.block_count + (before.block_count if before else 0)
    with screen.step(f"History: {recorded.source}", total) as advance:
        return replay(recorded, token, before=before, advance=advance)


def _register(
    settings: Settings,
    options: TrainOptions,
    horizon: int,
    replayed: Replay,
    studied: Studied,
    hold_back: int,
) -> _Trained:
    models, store = settings.models, TrackingStore(settings.storage.mlflow_home)
    name = models.registered_name if horizon == models.horizon_blocks else f"base-fee-h{horizon}"
    study, model = studied.study, best_model(studied.study)
    snapshot = studied.learner.snapshot(model)
    provenance = _provenance(settings, options.seed, horizon, replayed, hold_back)
    logged = log_study(store, study, provenance, name="train")
    score = study.score(model)
    register = Registration(store.client(), study, logged, name, tuple(replayed.rows[: models.window_blocks]))
    with store.writing():
        version = register(
            model,
            snapshot,
            f"trained: skill {score.skill:+.4f} against {study.best_baseline} over {score.count} forecasts",
        )
    registrar = Registrar(store, name, SystemClock(), champion=models.alias)
    trial, challenger = trial_of(replayed), "has the alias already"
    if decided_version(store, name, CHALLENGER) != version:
        decision = registrar.request(Gate(trial), version, CHALLENGER, who=user())
        challenger = f"{decision.reason.value}: {decision.why}" if decision.reason else decision.why
    first, last = snapshot.state_block + 1, replayed.rows[-1].block_number
    kept = len(issue_places(trial, snapshot, None, horizon, Rules().last))
    return _Trained(name, version, study, model, (first, last), kept, challenger)


def _provenance(settings: Settings, seed: int, horizon: int, replayed: Replay, hold_back: int) -> Provenance:
    return Provenance(
        data_set=replayed.source,
        data_hash=replayed.digest,
        feature_hash=LIVE_SCHEMA.digest,
        code_version=code_version(ROOT),
        parameters={
            "seed": seed,
            "horizon_blocks": horizon,
            "window": settings.models.window_blocks,
            "hold_back": hold_back,
            "warm_up_blocks": len(replayed.warm_rows),
        },
    )


def _say(screen: Screen, trained: _Trained, options: TrainOptions) -> None:
    if options.as_json:
        print_json(_document(trained))
        return
    study = trained.study
    rows = [
        (
            score.name,
            f"skill {score.skill:+.4f}, mean error {score.mae:.4g}",
            f"coverage {score.coverage:.3f} of {study.nominal:g}{', baseline' if score.baseline else ''}",
        )
        for score in study.scores
    ]
    screen.table(
        f"{study.target}, {study.horizon_blocks} blocks ahead, {study.scores[0].count:,} forecasts", rows
    )
    screen.figure(
        f"{trained.model} is version {trained.version} of {trained.name}, challenger: {trained.challenger}"
    )
    screen.figure(_advice(trained, options))


def _advice(trained: _Trained, options: TrainOptions) -> str:
    """Return how to have it judged, on the recording that it comes from, or why that cannot be yet."""
    first, last = trained.held_back
    needed, kept = Rules().fewest, trained.kept
    blocks = f"blocks {first:,} to {last:,} were kept back" if first <= last else "no blocks were kept back"
    if kept < needed:
        enough = last - first + 1 + needed - kept
        return (
            f"{blocks}: {kept} forecasts to judge it on, and the gate needs {needed}; train again with "
            f"--hold-back {enough} or more, or promote it on a later recording"
        )
    tape = f" --tape {shlex.quote(str(options.tape))}" if options.tape is not None else ""
    day = f" --day {shlex.quote(options.day)}" if options.day else ""
    return (
        f"{blocks}; `omniarb models promote {trained.version} --name {trained.name}{tape}{day}` "
        "judges it on them"
    )


def _document(trained: _Trained) -> dict[str, Any]:
    study = trained.study
    document: dict[str, Any] = plain(
        {
            "name": trained.name,
            "version": trained.version,
            "model": trained.model,
            "target": study.target,
            "horizon_blocks": study.horizon_blocks,
            "baseline": study.best_baseline,
            "held_back": trained.held_back,
            "forecasts_held_back": trained.kept,
            "challenger": trained.challenger,
            "scores": [asdict(score) for score in study.scores],
        }
    )
    return document
