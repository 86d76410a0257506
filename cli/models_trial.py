"""Recorded blocks, or a target's rows, on which versions are compared, with a bar while they are read."""

from __future__ import annotations

from pathlib import Path

from chain.networks import load_network
from cli.history import open_recording, profit_token
from cli.screen import Screen
from core.config_loader import DATA_VARIABLE
from core.data_root import find_data_root
from core.errors import InputError
from core.settings import Settings
from features.skew import skew
from models.gate import Gate, Rules
from models.scorecard_runs import table_hash
from models.shadow_replay import SkewCheck, Trial
from models.target_trial import TargetTrial
from models.targets.registry import TARGETS, build_targets
from models.targets.table import TargetTable
from pipeline.batch_rows import batch_rows
from pipeline.evaluate import MOST_JUDGED, capped
from pipeline.replay import Replay, replay

WEI_PER_GWEI = 10**9


def record_trial(screen: Screen, settings: Settings, tape: Path | None, day: str) -> Trial:
    """Replay a recording and return its rows with the base fee of each block.

    The rows are the stream's, as a live trader makes them; the batch path computes them once more.

    Raises
    ------
    InputError
        If there is nothing to replay, no such day, or both a tape and a day are named.
    TapeError
        If a row cannot be used.
    """
    recorded = open_recording(tape, day, settings)
    token = profit_token(recorded, load_network(settings.web3.chain).weth)
    with screen.step(f"Replay: {recorded.source}", recorded.block_count) as advance:
        replayed = replay(recorded, token, advance=advance)
    table = batch_rows(recorded)
    return trial_of(replayed, lambda rows: skew(rows, table).refusal)


def trial_of(replayed: Replay, skew_check: SkewCheck | None = None) -> Trial:
    """Return a replay's rows as a trial of base-fee forecasts.

    Raises
    ------
    ModelError
        If the replay has no block.
    """
    truths = [header.base_fee / WEI_PER_GWEI for header in replayed.headers]
    return Trial(replayed.rows, truths, replayed.source, replayed.digest, skew=skew_check)


def open_target(settings: Settings, name: str) -> TargetTable:
    """Return the rows of a target that models learn from, and those that are kept back for the gate.

    Raises
    ------
    InputError
        If there is no such target or no recorded history, or a recording is not what it should be.
    """
    if name not in TARGETS:
        raise InputError(f"there is no target {name!r}; there are {', '.join(TARGETS)}", target=name)
    root = find_data_root(settings)
    if root is None:
        raise InputError(
            f"{name} is made of recorded history, and there is none; set {DATA_VARIABLE} to its folder, "
            "or put it in data/"
        )
    (table,) = build_targets(root, [name])
    return capped(table)


def gate_of(table: TargetTable) -> Gate:
    """Return the gate that judges versions of a target, on all rows that were kept back."""
    return Gate(TargetTrial(table, table_hash(table)), Rules(last=MOST_JUDGED))


def target_gate(screen: Screen, settings: Settings, name: str) -> Gate:
    """Build a target and return its gate. Raises ``InputError`` as :func:`open_target`."""
    with screen.step(f"Target: {name}") as advance:
        gate = gate_of(open_target(settings, name))
        advance(1)
    return gate
