"""Feature rows of many blocks at once, from columns of facts, with the bits that the stream gives.

:func:`compare` holds both against each other and names the first place where they part.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError
from core.reasons import Reason
from features.batches import block, market
from features.batches.cycle import cycle_columns
from features.facts import FactColumns
from features.feature import FeatureRow
from features.feature_set import FeatureSet
from features.groups.cycle import Cycle
from features.registry import BLOCK, CYCLE, MARKET

_OF_BLOCK = (
    block.gas_columns,
    block.calendar_columns,
    block.competition_columns,
    block.gap_columns,
    block.flow_columns,
    block.cex_columns,
)
_OF_MARKET = (
    market.depth_columns,
    market.volatility_columns,
    market.order_flow_columns,
    market.arrival_columns,
    market.gap_dynamics_columns,
    market.bid_columns,
    market.rival_columns,
    market.exchange_columns,
    market.clock_columns,
    market.mempool_columns,
)
_BUILDERS = {BLOCK.name: _OF_BLOCK, MARKET.name: (*_OF_BLOCK, *_OF_MARKET)}


@dataclass(frozen=True, slots=True)
class FeatureTable:
    """Feature rows in columns.

    Parameters
    ----------
    features
        The set, in the order of the columns.
    numbers, event_times, known_at_ns
        Of each row: height, block timestamp in seconds, wall-clock nanoseconds at which it was known.
    values
        ``float64[block, feature]``; unknown values hold their null.
    missing
        ``bool[block, feature]``: which are unknown.
    subject
        What the rows are about, as in :class:`features.feature.FeatureRow`.
    """

    features: FeatureSet
    numbers: NDArray[np.int64]
    event_times: NDArray[np.int64]
    known_at_ns: NDArray[np.int64]
    values: NDArray[np.float64]
    missing: NDArray[np.bool_]
    subject: str = ""

    def __len__(self) -> int:
        return len(self.numbers)

    def row(self, place: int) -> FeatureRow:
        """Return one row as the stream gives it."""
        names = self.features.names
        return FeatureRow(
            int(self.numbers[place]),
            int(self.event_times[place]),
            int(self.known_at_ns[place]),
            names,
            tuple(self.values[place].tolist()),
            tuple(name for name, gone in zip(names, self.missing[place].tolist(), strict=True) if gone),
            self.subject,
        )


@dataclass(frozen=True, slots=True)
class Divergence:
    """Where a stream's rows and a batch part first.

    Parameters
    ----------
    block_number, name
        The row and the feature; the latter is ``"row"`` if the rows are of different blocks or lengths.
    streamed, batched
        Both values; NaN where unknown.
    ulps
        Floating-point numbers from one to the other; -1 if one is unknown.
    """

    block_number: int
    name: str
    streamed: float
    batched: float
    ulps: int


def build(facts: FactColumns, features: FeatureSet = BLOCK) -> FeatureTable:
    """Return the rows of a feature set about blocks.

    Raises
    ------
    InputError
        If there is no batch path of this set; cycles have their own, :func:`build_cycle`.
    """
    if features.name not in _BUILDERS:
        raise InputError(f"rows of the set {features.name} are not of blocks; use build_cycle")
    return _table(facts, features, [column for make in _BUILDERS[features.name] for column in make(facts)])


def build_cycle(facts: FactColumns, cycle: Cycle) -> FeatureTable:
    """Return the rows of the set ``cycle`` about one cycle.

    Raises
    ------
    InputError
        If a pool of the cycle is not among the facts.
    """
    unknown = {pool_id for pool_id, _, _ in cycle.hops} - set(facts.pools)
    if unknown:
        raise InputError("the facts are of other pools than the cycle", unknown=sorted(unknown))
    return _table(facts, CYCLE, cycle_columns(facts, cycle), cycle.name)


def compare(rows: Sequence[FeatureRow], table: FeatureTable) -> Divergence | None:
    """Return the first place where rows and a table differ by a bit; ``None`` if nowhere.

    Raises
    ------
    InputError
        If they are of different feature sets or subjects.
    """
    for place, row in enumerate(rows):
        number = int(table.numbers[place]) if place < len(table) else -1
        if row.block_number != number:
            return Divergence(row.block_number, "row", float(row.block_number), float(number), -1)
        found = compare_row(row, table, place)
        if found:
            return found[0]
    if len(table) > len(rows):
        return Divergence(int(table.numbers[len(rows)]), "row", np.nan, np.nan, -1)
    return None


def compare_row(row: FeatureRow, table: FeatureTable, place: int) -> tuple[Divergence, ...]:
    """Return where a row differs from one row of a table, in the order of features.

    Raises
    ------
    InputError
        If they are of different feature sets or subjects.
    """
    features = table.features
    if row.names != features.names or row.subject != table.subject:
        raise InputError(
            f"row and table are of different features; compare rows of the set {features.name}",
            reason=Reason.FEATURE_SET_DIFFERS,
        )
    streamed, batched = np.array(row.values, dtype=np.float64), table.values[place]
    absent, gone = np.array([name in row.missing for name in row.names]), table.missing[place]
    differs = (streamed.view(np.int64) != batched.view(np.int64)) | (absent != gone)
    found = []
    for column in np.flatnonzero(differs).tolist():
        one = np.nan if absent[column] else float(streamed[column])
        other = np.nan if gone[column] else float(batched[column])
        name = features.names[column]
        found.append(Divergence(row.block_number, name, one, other, ulp_distance(one, other)))
    return tuple(found)


def ulp_distance(one: float, other: float) -> int:
    """Return how many floating-point numbers lie between two, one end included; -1 if one is NaN.

    Examples
    --------
    >>> ulp_distance(1.0, 1.0 + 2**-51), ulp_distance(-0.0, 0.0)
    (2, 0)
    """
    if np.isnan(one) or np.isnan(other):
        return -1
    return abs(_place(one) - _place(other))


def _place(value: float) -> int:
    """Return a float's place among all floats in order."""
    bits: int = struct.unpack("<q", struct.pack("<d", value))[0]
    return bits if bits >= 0 else -(bits + 2**63)


def _table(
    facts: FactColumns, features: FeatureSet, columns: list[NDArray[np.float64]], subject: str = ""
) -> FeatureTable:
    values = np.column_stack(columns).astype(np.float64, copy=False)
    missing = np.isnan(values)
    values = np.where(missing, np.array(features.nulls), values)
    return FeatureTable(
        features, facts["number"], facts["timestamp"], facts["known_at_ns"], values, missing, subject
    )
