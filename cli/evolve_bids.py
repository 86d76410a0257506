"""``omniarb evolve --target bids``: search over bid policies on recorded auctions, and judge the winner."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import ray

from cli.bids_view import signed, unsigned
from cli.output import print_json
from cli.screen import Screen
from cli.signals import CleanUp, like_ctrl_c
from cli.tracking import check_store
from core.config_loader import DATA_VARIABLE, ROOT, load_settings
from core.data_root import find_data_root
from core.errors import InputError
from core.reasons import Refusal
from models.bid_trials import QUANTILE, BidSetting
from models.recorded_auctions import Auctions
from models.tracking_store import TrackingStore, code_version
from models.trials import CHUNKS
from pipeline.evolution.bid_tracking import BidRunLog
from pipeline.evolution.bids import AUCTIONS, EvolvedBids, evolve_bids, read_auctions
from pipeline.evolution.evolve import EvolveOptions


def is_about_bids(targets: Sequence[str]) -> bool:
    """Whether a search is about bid policies."""
    return any(name in AUCTIONS for name in targets)


def run_bid_evolution(
    targets: Sequence[str], search: EvolveOptions, start: Callable[[], None], *, short: bool, as_json: bool
) -> None:
    """Search, judge, log and show.

    Parameters
    ----------
    targets
        Of :data:`pipeline.evolution.bids.AUCTIONS`, one alone: gains on different auctions do not compare.
    search
        How to search.
    start
        Starts Ray, here or on a cluster.
    short
        Whether to use some 2,000 auctions.
    as_json
        Print one document and nothing else.

    Raises
    ------
    InputError
        If other targets are named with them, options do not fit, or there is no recorded history or cluster.
    ModelError
        If every trial failed, or the log cannot be written.
    """
    _check(targets, search)
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    settings = load_settings("replay", os.environ)
    root = find_data_root(settings)
    if root is None:
        raise InputError(
            f"there are no recorded auctions; set {DATA_VARIABLE} to their folder, or put it in data/"
        )
    home = settings.storage.mlflow_home
    check_store(home)
    name = targets[0]
    screen = Screen(quiet=as_json, steps=2)
    with screen.step(f"Recorded auctions: {name}") as advance:
        auctions = read_auctions(root, name, search.seed, short=short)
        advance(1)
    parameters: dict[str, str | int] = {
        "targets": name,
        "trials": search.trials,
        "scheduler": search.scheduler.value,
        "seed": search.seed,
        "short": short,
    }
    with like_ctrl_c(), CleanUp() as stack:
        evolved, runs = _search(screen, name, auctions, search, parameters, TrackingStore(home), start, stack)
    if as_json:
        print_json(_document(parameters, evolved, runs))
    else:
        _show(screen, evolved, runs)


def _check(targets: Sequence[str], search: EvolveOptions) -> None:
    if len(set(targets)) > 1:
        raise InputError(f"search for bids on one kind of auction at a time: {' or '.join(AUCTIONS)}")
    for option, given in (("--model", search.models), ("--workers", search.workers > 1)):
        if given:
            raise InputError(f"bid policies have no {option}; leave it out")


def _search(
    screen: Screen,
    name: str,
    auctions: Auctions,
    search: EvolveOptions,
    parameters: Mapping[str, str | int],
    store: TrackingStore,
    start: Callable[[], None],
    stack: ExitStack,
) -> tuple[EvolvedBids, dict[str, str]]:
    searched = search.trials * CHUNKS
    title = f"{search.trials} trials by {search.scheduler.value}, then the winner on auctions kept back"
    advance = stack.enter_context(screen.step(title, searched + CHUNKS))
    code = code_version(ROOT)
    tags = {
        "code_version": code,
        "mlflow.source.git.commit": code,
        "data_set": auctions.source,
        f"data_hash.{name}": _hash(auctions),
    }
    log = BidRunLog(store, parameters, tags, advance=advance)
    stack.callback(log.stopped)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="evolution-", dir=store.home)))
    stack.callback(ray.shutdown)
    start()
    evolved = evolve_bids(
        name,
        auctions,
        search,
        folder=folder.resolve(),
        observer=log,
        judging=lambda chunks: advance(searched + chunks),
    )
    return evolved, {"parent": log.parent, "winner": log.won_bids(evolved.winner)}


def _hash(auctions: Auctions) -> str:
    columns = (auctions.moment, auctions.value, auctions.rival, auctions.scale)
    return hashlib.sha256(b"".join(column.tobytes() for column in columns)).hexdigest()


def _show(screen: Screen, evolved: EvolvedBids, runs: Mapping[str, str]) -> None:
    rows = [
        (
            f"{one.setting.rule}, {one.setting.forecast}, {one.setting.learns}",
            one.error or f"gain {one.skill:+.4f} after {one.chunks} of {CHUNKS} chunks",
            _said(one.setting),
        )
        for one in evolved.tried
    ]
    screen.table("Trials, best first, against the best fixed share, on learning auctions", rows)
    winner, told = evolved.winner, evolved.winner.gain_from_log
    setting, fixed = winner.tried.setting, f"always {winner.fixed_ppm / 10_000:g} %"
    where = "wholly below" if winner.gain.upper < 0 else "not clear of"
    verdict = "clear of zero" if winner.gain.lower > 0 else f"{where} zero: bid the fixed share"
    screen.figure(
        f"{setting.rule}, {setting.forecast}, {setting.learns} on {winner.judged:,} unseen auctions: "
        f"keeps {unsigned(winner.kept)} of the value an auction"
    )
    screen.figure(f"gain {signed(winner.gain)} against {fixed}, the best in hindsight, {verdict}")
    screen.figure(
        f"from a log of drawn bids: {told.detail if isinstance(told, Refusal) else f'gain {signed(told)}'}"
    )
    screen.figure(f"its policy is in MLflow run {runs['winner']}")


def _said(setting: BidSetting) -> str:
    parts = [f"memory {setting.memory}"]
    if setting.rule == QUANTILE:
        parts.append(f"wins {setting.quantile:g}")
    parts += [f"shrinkage {setting.shrinkage:g}", f"exploration {setting.exploration:g}"]
    return ", ".join(parts)


def _document(
    parameters: Mapping[str, str | int], evolved: EvolvedBids, runs: Mapping[str, str]
) -> dict[str, Any]:
    winner, told = evolved.winner, evolved.winner.gain_from_log
    from_log = (
        {"reason": told.reason.value, "detail": told.detail} if isinstance(told, Refusal) else asdict(told)
    )
    return {
        **parameters,
        "runs": dict(runs),
        "tried": [
            {
                "trial": one.trial,
                **asdict(one.setting),
                "chunks": one.chunks,
                "gain": None if one.error else one.skill,
                "error": one.error,
            }
            for one in evolved.tried
        ],
        "winner": {
            **asdict(winner.tried.setting),
            "judged": winner.judged,
            "fixed_ppm": winner.fixed_ppm,
            "fixed_kept": winner.fixed_kept,
            "kept": asdict(winner.kept),
            "gain": asdict(winner.gain),
            "gain_from_log": from_log,
            "clear": winner.gain.lower > 0,
        },
    }
