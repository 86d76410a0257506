"""Recorded blocks on which versions are compared, with a bar while they are replayed."""

from __future__ import annotations

from pathlib import Path

from chain.networks import load_network
from cli.history import open_recording, profit_token
from cli.screen import Screen
from core.settings import Settings
from features.batch import FeatureTable, build
from features.facts import FactRecorder
from features.skew import skew
from market.recorded import Recorded
from models.shadow_replay import SkewCheck, Trial
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
    table = _batch_rows(recorded)
    return trial_of(replayed, lambda rows: skew(rows, table).refusal)


def _batch_rows(recorded: Recorded) -> FeatureTable:
    """Return the rows of a recording as the batch path computes them."""
    state, facts = recorded.initial_state(), FactRecorder(recorded.tokens, recorded.specs)
    for block, context in recorded.blocks():
        facts.add(block, context, state=state, applied=state.apply(block))
    return build(facts.columns())


def trial_of(replayed: Replay, skew_check: SkewCheck | None = None) -> Trial:
    """Return a replay's rows as a trial of base-fee forecasts.

    Raises
    ------
    ModelError
        If the replay has no block.
    """
    truths = [header.base_fee / WEI_PER_GWEI for header in replayed.headers]
    return Trial(replayed.rows, truths, replayed.source, replayed.digest, skew=skew_check)
