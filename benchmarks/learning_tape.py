"""A tape walked once: rows of the feature stream, their facts, and how long each block took."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from benchmarks.learning_market import TOKENS, Seen, WatchedMarket
from features.facts import FactColumns, FactRecorder
from features.feature import FeatureRow
from features.feature_set import FeatureSet
from features.registry import BLOCK, MARKET
from features.stream import FeatureStream
from market.state import MarketState

SEED = 7
BLOCKS = 4000
SETTLING = 200
"""First blocks, which do not count: windows are still filling. Of a short tape they are a quarter."""

T = TypeVar("T")


def settled(values: Sequence[T]) -> Sequence[T]:
    """Return what came after the first blocks."""
    return values[min(SETTLING, len(values) // 4) :]


@dataclass(frozen=True, slots=True)
class Streamed:
    """What the feature stream made of a tape.

    Parameters
    ----------
    features
        The set.
    rows
        One per block.
    seconds
        Of each update.
    """

    features: FeatureSet
    rows: tuple[FeatureRow, ...]
    seconds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class WalkedTape:
    """A tape after its walk.

    Parameters
    ----------
    block, market
        The streams of both sets.
    facts
        What the batch path makes the same rows of.
    recording
        Seconds that each block's facts took.
    logs
        Of all blocks.
    """

    block: Streamed
    market: Streamed
    facts: FactColumns
    recording: tuple[float, ...]
    logs: int


def walk(blocks: int = BLOCKS) -> WalkedTape:
    """Return the seeded tape after its walk through both streams."""
    market = WatchedMarket(SEED)
    return _walk(market, list(market.seen(blocks)))


def _walk(market: WatchedMarket, tape: Sequence[Seen]) -> WalkedTape:
    specs = [pool.spec for pool in market.pools]
    state = MarketState(market.pools, TOKENS, market.head)
    streams = [FeatureStream(TOKENS, specs, features) for features in (BLOCK, MARKET)]
    recorder = FactRecorder(TOKENS, specs)
    rows: tuple[list[FeatureRow], list[FeatureRow]] = ([], [])
    seconds: tuple[list[float], list[float], list[float]] = ([], [], [])
    for block, context, pending in tape:
        applied = state.apply(block)
        for place, stream in enumerate(streams):
            start = time.perf_counter()
            row = stream.update(block, context, state, applied, pending)
            seconds[place].append(time.perf_counter() - start)
            rows[place].append(row)
        start = time.perf_counter()
        recorder.add(block, context, state=state, applied=applied, pending=pending)
        seconds[2].append(time.perf_counter() - start)
    block_set, market_set = (
        Streamed(features, tuple(made), tuple(taken))
        for features, made, taken in zip((BLOCK, MARKET), rows, seconds, strict=False)
    )
    logs = sum(len(block.logs) for block, _, _ in tape)
    return WalkedTape(block_set, market_set, recorder.columns(), tuple(seconds[2]), logs)
