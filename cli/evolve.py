"""``omniarb evolve``: search over models and their settings with Ray, and judge the winner."""

from __future__ import annotations

import logging
import math
import os
import socket
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import ray

from cli.evolve_bids import is_about_bids, run_bid_evolution
from cli.output import print_json
from cli.screen import Screen
from cli.signals import CleanUp, like_ctrl_c
from cli.tracking import check_store
from core.config_loader import DATA_VARIABLE, ROOT, load_settings
from core.data_root import find_data_root
from core.errors import InputError
from models.bootstrap import Skill
from models.scorecard_runs import table_hash
from models.targets.registry import TARGETS, build_targets
from models.targets.table import TargetTable
from models.tracking_store import TrackingStore, code_version
from models.trial_settings import MODELS
from models.trials import CHUNKS
from pipeline.evaluate import capped
from pipeline.evolution.evolve import Evolved, EvolveOptions, evolve
from pipeline.evolution.search import Scheduler
from pipeline.evolution.tracking import RunLog
from serving.ray_session import start_ray

CPUS = 2
PATIENCE_S = 5.0
"""How long a cluster may take to answer the door."""


@dataclass(frozen=True, slots=True)
class EvolveCommand:
    """What was asked for.

    Parameters
    ----------
    targets
        Names of targets.
    short
        Whether to use some 2,000 rows of each.
    search
        How to search.
    address
        Cluster to use; one of our own on this machine where empty.
    as_json
        Print one document and nothing else.
    """

    targets: tuple[str, ...]
    short: bool
    search: EvolveOptions
    address: str
    as_json: bool


def run_evolve(
    targets: Sequence[str],
    trials: int,
    scheduler: str,
    models: Sequence[str],
    workers: int,
    address: str,
    seed: int,
    short: bool,
    as_json: bool,
) -> None:
    """Check what was typed, and run it. Raises ``InputError`` and what :func:`run_evolution` raises."""
    if scheduler not in list(Scheduler):
        raise InputError(f"no scheduler is called {scheduler!r}; there are {', '.join(Scheduler)}")
    there = {name for names in MODELS.values() for name in names}
    unknown = [name for name in models if name not in there]
    if unknown:
        raise InputError(f"no model is called {unknown[0]!r}; there are {', '.join(sorted(there))}")
    search = EvolveOptions(trials, Scheduler(scheduler), seed, workers, tuple(models))
    if is_about_bids(targets):
        run_bid_evolution(targets, search, lambda: _start(address), short=short, as_json=as_json)
        return
    run_evolution(EvolveCommand(tuple(dict.fromkeys(targets)), short, search, address, as_json))


def run_evolution(command: EvolveCommand) -> None:
    """Search, judge, log and show.

    Raises
    ------
    InputError
        If there is no recorded history, no such target, no cluster, or no place to log to.
    ModelError
        If every trial failed, or the log cannot be written.
    """
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    settings = load_settings("replay", os.environ)
    root = find_data_root(settings)
    if root is None:
        raise InputError(
            f"there is no recorded history to search on; set {DATA_VARIABLE} to its folder, "
            "or put it in data/"
        )
    unknown = [name for name in command.targets if name not in TARGETS]
    if unknown or not command.targets:
        named = f"there is no target '{unknown[0]}'" if unknown else "name a target"
        raise InputError(f"{named}; there are {', '.join(TARGETS)}", unknown=unknown)
    home = settings.storage.mlflow_home
    check_store(home)
    screen = Screen(quiet=command.as_json, steps=2)
    with screen.step(f"Targets: {', '.join(command.targets)}") as advance:
        built = build_targets(root, command.targets, short=command.short)
        tables = {table.name: capped(table) for table in built}
        advance(1)
    with like_ctrl_c(), CleanUp() as stack:
        evolved, runs = _search(screen, command, TrackingStore(home), tables, stack)
    _show(screen, command, evolved, runs)


def _search(
    screen: Screen,
    command: EvolveCommand,
    store: TrackingStore,
    tables: Mapping[str, TargetTable],
    stack: ExitStack,
) -> tuple[Evolved, dict[str, str]]:
    options = command.search
    title = f"{options.trials} trials by {options.scheduler.value}, then the winner on rows kept back"
    searched = options.trials * CHUNKS
    advance = stack.enter_context(screen.step(title, searched + CHUNKS))
    log = RunLog(store, _parameters(command), _tags(tables), advance=advance)
    stack.callback(log.stopped)
    # all machines of a cluster see the store's folder, or they could not share checkpoints
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="evolution-", dir=store.home)))
    stack.callback(ray.shutdown)
    _start(command.address)
    evolved = evolve(
        tables,
        options,
        folder=folder.resolve(),
        observer=log,
        judging=lambda chunks: advance(searched + chunks),
    )
    return evolved, {"parent": log.parent, "winner": log.won(evolved.winner)}


def _start(address: str) -> None:
    if not address:
        start_ray(CPUS)
        return
    try:
        # Ray itself would knock for ever
        host, _, port = address.removeprefix("ray://").rpartition(":")
        with socket.create_connection((host, int(port)), PATIENCE_S):
            pass
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, OverflowError, RuntimeError, ValueError) as error:
        reason = (str(error).strip().splitlines() or ["no answer"])[0]
        raise InputError(
            f"no Ray cluster at {address} ({reason}); start one with `ray start --head`, "
            "or leave --address out",
            address=address,
        ) from error


def _parameters(command: EvolveCommand) -> dict[str, str | int | float]:
    options = command.search
    return {
        "targets": ", ".join(command.targets),
        "trials": options.trials,
        "scheduler": options.scheduler.value,
        "seed": options.seed,
        "workers": options.workers,
        "short": command.short,
    }


def _tags(tables: Mapping[str, TargetTable]) -> dict[str, str]:
    hashes = {f"data_hash.{name}": table_hash(table) for name, table in tables.items()}
    code = code_version(ROOT)
    return {"code_version": code, "mlflow.source.git.commit": code, **hashes}


def _show(screen: Screen, command: EvolveCommand, evolved: Evolved, runs: Mapping[str, str]) -> None:
    if command.as_json:
        print_json(_document(command, evolved, runs))
        return
    rows = [
        (
            one.setting.model,
            one.error or f"skill {one.skill:+.4f} after {one.chunks} of {CHUNKS} chunks",
            f"{one.setting.target}, features {one.setting.features:g}, window {one.setting.window}, "
            f"rate {one.setting.rate:.2g}, every {one.setting.every}",
        )
        for one in evolved.tried
    ]
    screen.table("Trials, best first, on learning rows", rows)
    winner = evolved.winner
    screen.figure(
        f"{winner.tried.setting.model} on {winner.judged:,} rows no trial has seen: skill "
        f"{winner.skill.value:+.4f} ({winner.skill.lower:+.4f} to {winner.skill.upper:+.4f}) against "
        f"{winner.baseline}, {_verdict(winner.skill)}"
    )
    screen.figure(
        f"its snapshot is in MLflow run {runs['winner']}; `omniarb models register {runs['winner']}` "
        "makes it a version, and the gate decides whether it serves"
    )


def _verdict(skill: Skill) -> str:
    if skill.clear:
        return "clear of zero"
    if skill.upper < 0:
        return "wholly below zero: it is worse than the baseline, which stays"
    return "not clear of zero: the baseline stays"


def _document(command: EvolveCommand, evolved: Evolved, runs: Mapping[str, str]) -> dict[str, Any]:
    winner = evolved.winner
    return {
        **_parameters(command),
        "runs": dict(runs),
        "tried": [
            {
                "trial": one.trial,
                **asdict(one.setting),
                "chunks": one.chunks,
                "skill": one.skill if math.isfinite(one.skill) else None,
                "error": one.error,
            }
            for one in evolved.tried
        ],
        "winner": {
            **asdict(winner.tried.setting),
            "reads": winner.features,
            "corrects": winner.anchor,
            "judged": winner.judged,
            "baseline": winner.baseline,
            "loss": winner.loss,
            "baseline_loss": winner.baseline_loss,
            "skill": {
                key: value if math.isfinite(value) else None for key, value in asdict(winner.skill).items()
            },
            "clear": winner.skill.clear,
        },
    }
