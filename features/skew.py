"""Skew between serving and training: rows as they were logged against the batch path's of the same blocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from core.reasons import Reason, Refusal
from features.batch import Divergence, FeatureTable, compare_row
from features.feature import FeatureRow


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
