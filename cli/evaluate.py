"""``omniarb evaluate``: every model on every target, and bid policies on recorded auctions."""

from __future__ import annotations

import logging
import os
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.harness import machine
from cli.bids_view import BIDS, bid_sentence, bid_tables
from cli.evaluate_view import card_lines, coverage_sentence, page, score_table, sentence, tracks_table
from cli.output import print_json, try_to_write
from cli.screen import Screen
from cli.tracking import check_store
from core.config_loader import DATA_VARIABLE, ROOT, load_settings
from core.data_root import find_data_root
from core.errors import InputError
from core.seams import Randomness
from models.benchmark_tracks import TrackScore
from models.bid_report import BidRow, bid_report
from models.prequential import Results
from models.scorecard import Scorecard
from models.scorecard_runs import log_evaluation
from models.targets.registry import TARGETS
from models.targets.table import Kind
from models.tracking_store import TrackingStore, code_version
from pipeline.evaluate import NOMINAL, WINDOW, evaluate_targets, evaluate_tracks


@dataclass(frozen=True, slots=True)
class EvaluateOptions:
    """What was asked for.

    Parameters
    ----------
    targets
        Names, ``bids`` among them; none stands for all of them, and the public series.
    short
        Whether to use some 2,000 rows of each target; auctions are cheap and always whole.
    seed
        Seeds models and resampling.
    as_json
        Print one document and nothing else.
    write
        Where to write the page, if anywhere.
    track
        Whether to log to MLflow.
    """

    targets: tuple[str, ...]
    short: bool
    seed: int
    as_json: bool
    write: Path | None
    track: bool


def run_evaluation(options: EvaluateOptions) -> None:
    """Judge, show, log and write.

    Raises
    ------
    InputError
        If there is no recorded history, no such target, or no place to log or write to.
    ModelError
        If a target cannot be judged, or the log not be written.
    """
    settings = load_settings("replay", os.environ)
    root = find_data_root(settings)
    if root is None:
        raise InputError(
            f"there is no recorded history to evaluate on; set {DATA_VARIABLE} to its folder, "
            "or put it in data/"
        )
    there = (*TARGETS, BIDS)
    unknown = [name for name in options.targets if name not in there]
    if unknown:
        raise InputError(f"there is no target '{unknown[0]}'; there are {', '.join(there)}", unknown=unknown)
    if options.write is not None:
        try_to_write(options.write)
    if options.track:
        check_store(settings.storage.mlflow_home)
    _evaluate(options, root, settings.storage.mlflow_home)


def _evaluate(options: EvaluateOptions, root: Path, home: Path) -> None:
    began = time.perf_counter()
    asked = options.targets or (*TARGETS, BIDS)
    names = tuple(name for name in TARGETS if name in asked)
    screen = Screen(quiet=options.as_json, steps=len(names) + (BIDS in asked) + (not options.targets))
    evaluated = []
    for one in evaluate_targets(root, names, seed=options.seed, short=options.short, step=screen.step):
        evaluated.append((one.results, one.card))
        screen.console.print(score_table(one.card))
        for line in card_lines(one.card):
            screen.figure(line)
    bids = _judge_bids(screen, root, options.seed) if BIDS in asked else ()
    scores: tuple[TrackScore, ...] = ()
    if not options.targets:
        scores = evaluate_tracks(seed=options.seed, short=options.short, step=screen.step)
        screen.console.print(tracks_table(scores))
    cards = [card for _, card in evaluated]
    document = _document(options, cards, bids, scores, time.perf_counter() - began)
    if options.track:
        _log(screen, options, home, evaluated, document)
    if options.as_json:
        print_json(document)
    if cards:
        screen.console.print(sentence(cards, document["seconds"]), soft_wrap=True)
    if any(card.kind is Kind.NUMBER for card in cards):
        screen.console.print(coverage_sentence(cards), soft_wrap=True)
    if options.write is not None:
        options.write.write_text(page(document, cards, bids, scores))


def _judge_bids(screen: Screen, root: Path, seed: int) -> tuple[BidRow, ...]:
    with screen.step(f"{BIDS}: which share of its value to bid, on recorded auctions") as advance:
        rows = bid_report(root, Randomness(seed))
        advance(1)
    for table in bid_tables(rows):
        screen.console.print(table)
    screen.figure(bid_sentence(rows))
    return rows


def _log(
    screen: Screen,
    options: EvaluateOptions,
    home: Path,
    evaluated: list[tuple[Results, Scorecard]],
    document: dict[str, Any],
) -> None:
    # its notes about creating tables are of no use on this screen
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    parameters = {"seed": options.seed, "short": options.short, "nominal": NOMINAL, "window": WINDOW}
    with screen.bar("Writing runs and pictures to MLflow", len(evaluated)) as advance:
        log_evaluation(TrackingStore(home), evaluated, document, parameters, advance=advance)


def _document(
    options: EvaluateOptions,
    cards: list[Scorecard],
    bids: tuple[BidRow, ...],
    scores: tuple[TrackScore, ...],
    seconds: float,
) -> dict[str, Any]:
    return {
        "code_version": code_version(ROOT),
        "machine": machine(),
        "measured_at": datetime.now(tz=UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "seed": options.seed,
        "short": options.short,
        "seconds": seconds,
        "targets_with_clear_skill": [card.target for card in cards if card.won],
        "targets": [card.to_dict() for card in cards],
        "bids": [row.to_dict() for row in bids],
        "tracks": [asdict(score) for score in scores],
    }
