"""Skew between serving and training: rows as they were logged against the batch path's of the same blocks."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from chain.blocks import Address, Block, BlockHeader
from core.reasons import Reason, Refusal
from features.batch import Divergence, FeatureTable, build, compare_row
from features.facts import FactRecorder
from features.feature import FeatureRow
from features.feature_set import FeatureSet
from market.context import BlockContext
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from market.state import Applied, MarketState
from market.tokens import Token

WATCHED_BLOCKS = 7_200
"""Blocks whose facts are kept for the batch path, a day of mainnet; later rows are not compared."""


@dataclass(frozen=True, slots=True)
class SkewReport:
    """What a comparison found.

    Parameters
    ----------
    rows
        Logged rows that were compared.
    unknown_blocks
        Heights of logged rows that the batch has no row of.
    first
        First place where a logged row differs; ``None`` if nowhere.
    by_feature
        Rows that differ, by feature.
    """

    rows: int
    unknown_blocks: tuple[int, ...]
    first: Divergence | None
    by_feature: Mapping[str, int]

    @property
    def refusal(self) -> Refusal | None:
        """Why the logged rows are not to be trusted; ``None`` if they are."""
        if self.first is not None:
            first = self.first
            return Refusal(
                Reason.FEATURE_SKEW,
                f"{first.name} of block {first.block_number} was served as {first.streamed!r} and is "
                f"{first.batched!r}, {first.ulps} floats apart; {len(self.by_feature)} features differ",
            )
        if self.unknown_blocks:
            return Refusal(
                Reason.FEATURE_SKEW,
                f"{len(self.unknown_blocks)} logged rows are of blocks that the batch does not have, "
                f"the first of block {self.unknown_blocks[0]}",
            )
        return None


def skew(logged: Iterable[FeatureRow], table: FeatureTable) -> SkewReport:
    """Return how logged rows differ from the batch path's.

    Parameters
    ----------
    logged
        Rows as they were served, in any order; they may be a part of the table's.
    table
        The batch path's rows, from where the stream began.

    Raises
    ------
    InputError
        If a row is of another feature set or subject.
    """
    places = {number: place for place, number in enumerate(table.numbers.tolist())}
    count, unknown, first = 0, [], None
    differing: Counter[str] = Counter()
    for row in sorted(logged, key=lambda row: row.block_number):
        if row.block_number not in places:
            unknown.append(row.block_number)
            continue
        count += 1
        found = compare_row(row, table, places[row.block_number])
        differing.update(divergence.name for divergence in found)
        first = first or next(iter(found), None)
    return SkewReport(count, tuple(unknown), first, dict(differing))


@dataclass(frozen=True, slots=True)
class Seen:
    """One block as a feature stream saw it.

    Parameters
    ----------
    block, context, applied
        The block, what was known beside it, and what it did to the market.
    pools
        By id, as they were after the block: those it touched, or all where the stream began.
    began
        Whether the stream began with this block.
    """

    block: Block
    context: BlockContext
    applied: Applied
    pools: Mapping[str, Pool]
    began: bool = False


@dataclass(frozen=True, slots=True)
class _Market:
    """What the recorder of facts looks at of a market."""

    head: BlockHeader
    pools: Mapping[str, Pool]


class SkewMonitor:
    """Recomputes rows of a live stream by the batch path, from the blocks that the stream saw.

    It is told of final blocks only, so it has nothing to take back.

    Parameters
    ----------
    tokens, specs
        As the stream's.
    """

    def __init__(self, tokens: Mapping[Address, Token], specs: Iterable[PoolSpec]) -> None:
        self._tokens = tokens
        self._specs = tuple(specs)
        self._pools: dict[str, Pool] = {}
        self._recorders: list[tuple[int, FactRecorder]] = []
        self._watched = 0
        self._last: int | None = None

    def add(self, seen: Seen) -> None:
        """Take in the next block; from the end of the watched ones on, do nothing.

        Raises
        ------
        MarketError
            If it does not follow the last one, and no stream began with it.
        """
        if self._watched >= WATCHED_BLOCKS:
            return
        if seen.began or not self._recorders:
            self._recorders.append((seen.block.number, FactRecorder(self._tokens, self._specs)))
        self._pools.update(seen.pools)
        # the recorder reads a market's head and pools, and nothing else of it
        state = cast(MarketState, _Market(seen.block.header, self._pools))
        self._recorders[-1][1].add(seen.block, seen.context, state=state, applied=seen.applied)
        self._watched, self._last = self._watched + 1, seen.block.number

    def check(self, rows: Iterable[FeatureRow], features: FeatureSet) -> SkewReport:
        """Return how logged rows of a set differ from the batch path's; later blocks are left out.

        Raises
        ------
        InputError
            If a row is of another feature set.
        """
        starts = [first for first, _ in self._recorders]
        parts: dict[int, list[FeatureRow]] = {}
        for row in rows:
            if self._last is not None and row.block_number <= self._last:
                parts.setdefault(bisect_right(starts, row.block_number) - 1, []).append(row)
        reports = [
            skew(part, build(self._recorders[max(place, 0)][1].columns(), features))
            for place, part in sorted(parts.items())
        ]
        differing: Counter[str] = Counter()
        for report in reports:
            differing.update(report.by_feature)
        return SkewReport(
            sum(report.rows for report in reports),
            tuple(number for report in reports for number in report.unknown_blocks),
            next((report.first for report in reports if report.first is not None), None),
            dict(differing),
        )
