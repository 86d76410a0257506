"""Replay a recording through the whole loop and count what happened."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from analysis.records import Series
from chain.blocks import Address, BlockHeader
from core.errors import InvariantBroken
from core.reasons import Reason, Refusal
from features.feature import FeatureRow
from market.events import V3Swap
from market.invariants import check_swap
from market.recorded import Recorded
from market.state import Applied
from pipeline.loop import BlockWalk, Walked

TELL_EVERY = 64
Advance = Callable[[int], None]
"""Told the number of blocks done so far."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What a replay found.

    Parameters
    ----------
    source
        Where the recording came from.
    blocks, logs, swaps
        Counts; ``swaps`` are V3 swaps, the ones with a step to check.
    invariant_checked, invariant_ok
        V3 swaps whose integer step could be checked, and how many were reproduced exactly.
    not_checkable
        V3 swaps that met a pool or ticks not known yet.
    opportunities
        Profitable cycles before cost; one that stays open counts in every block.
    refusals
        Why cycles were no opportunity.
    rows, headers
        One per block.
    warm_rows, warm_headers
        One per block of the history before; nothing of it is counted above.
    prices, gaps
        For the report.
    digest
        SHA-256 over every row and the pools at the end: equal for equal replays.
    """

    source: str
    blocks: int
    logs: int
    swaps: int
    invariant_checked: int
    invariant_ok: int
    not_checkable: int
    opportunities: int
    refusals: Mapping[Reason, int]
    rows: tuple[FeatureRow, ...]
    headers: tuple[BlockHeader, ...]
    warm_rows: tuple[FeatureRow, ...]
    warm_headers: tuple[BlockHeader, ...]
    prices: Mapping[str, tuple[Series, ...]]
    gaps: tuple[Series, ...]
    digest: str


def replay(
    recorded: Recorded,
    wrapped_native: Address,
    *,
    before: Recorded | None = None,
    advance: Advance = lambda _done: None,
) -> Replay:
    """Walk every block of a recording through state, invariants, scoring and features.

    Parameters
    ----------
    recorded
        A recorded day or a tape.
    wrapped_native
        Start and profit token of cycles.
    before
        History that ends just before the first block, for features and models to warm up on.
    advance
        Told the number of blocks done, warm-up included, every 64 blocks.

    Raises
    ------
    TapeError
        If a row cannot be used.
    InvariantBroken
        If a recorded swap contradicts the pool's arithmetic.
    """
    walk = BlockWalk(recorded.initial_state(), recorded.specs, wrapped_native)
    warm_rows, warm_headers = _warm_up(walk, before, advance) if before else ((), ())
    tally = _Tally()
    for done, (block, context) in enumerate(recorded.blocks(), start=1):
        walked = walk.advance(block)
        tally.count(walked, walk.observe(walked, context))
        if done % TELL_EVERY == 0 or done == recorded.block_count:
            advance(len(warm_rows) + done)
    for pool_id in sorted(walk.state.pools):
        tally.digest.update(repr(walk.state.pools[pool_id]).encode())
    return Replay(
        source=recorded.source,
        blocks=len(tally.rows),
        logs=tally.logs,
        swaps=tally.swaps,
        invariant_checked=tally.checked,
        invariant_ok=tally.ok,
        not_checkable=tally.not_checkable,
        opportunities=tally.opportunities,
        refusals=tally.refusals,
        rows=tuple(tally.rows),
        headers=tuple(tally.headers),
        warm_rows=warm_rows,
        warm_headers=warm_headers,
        prices=walk.series.prices(),
        gaps=walk.series.gaps(),
        digest=tally.digest.hexdigest(),
    )


@dataclass(slots=True)
class _Tally:
    """What is counted block by block."""

    logs: int = 0
    swaps: int = 0
    checked: int = 0
    ok: int = 0
    not_checkable: int = 0
    opportunities: int = 0
    refusals: Counter[Reason] = field(default_factory=Counter)
    rows: list[FeatureRow] = field(default_factory=list)
    headers: list[BlockHeader] = field(default_factory=list)
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    def count(self, walked: Walked, row: FeatureRow) -> None:
        self.check_invariants(walked.applied)
        self.rows.append(row)
        self.headers.append(walked.block.header)
        self.digest.update(row.digest.encode())
        self.logs += len(walked.block.logs)
        self.opportunities += len(walked.scored.opportunities)
        self.refusals.update(walked.scored.refusals)

    def check_invariants(self, applied: Applied) -> None:
        for before, event in zip(applied.before, applied.events, strict=True):
            if not isinstance(event, V3Swap):
                continue
            self.swaps += 1
            check = check_swap(before, event)
            if isinstance(check, Refusal):
                self.not_checkable += 1
                continue
            self.checked += 1
            if not check.ok:
                raise InvariantBroken(
                    f"the recorded swap at block {event.block_number}, log {event.log_index} contradicts the "
                    f"pool's arithmetic ({check.detail}); the recording or the pool's description is wrong",
                    block=event.block_number,
                    log_index=event.log_index,
                    pool_id=event.pool_id,
                )
            self.ok += 1


def _warm_up(
    walk: BlockWalk, before: Recorded, advance: Advance
) -> tuple[tuple[FeatureRow, ...], tuple[BlockHeader, ...]]:
    rows: list[FeatureRow] = []
    headers: list[BlockHeader] = []
    for done, (block, context) in enumerate(before.blocks(), start=1):
        rows.append(walk.observe(walk.advance(block), context))
        headers.append(block.header)
        if done % TELL_EVERY == 0:
            advance(done)
    return tuple(rows), tuple(headers)
