"""Checks of one row on its way to a model: the right columns, finite, in range, in order of time."""

from __future__ import annotations

import math
from collections import Counter, deque

from core.reasons import Reason, Refusal
from features.feature import Feature, FeatureRow
from features.feature_set import FeatureSet
from market.state import JOURNAL_DEPTH

MOST_AHEAD_S = 86_400
"""Seconds that a chain may have stood still, or that a local chain's time may lie ahead of the clock."""
_NS = 10**9


def check_row(row: FeatureRow, features: FeatureSet, before: FeatureRow | None = None) -> Refusal | None:
    """Return why a row may not be used; ``None`` if it may.

    Parameters
    ----------
    row, features
        The row and the set it should be of.
    before
        The row before it on the same subject.

    Notes
    -----
    A time far ahead of the row before would make every later row look old, so it is refused, unless the row
    became known when it says: then the chain has stood still. Without a row before, the time at which the
    row became known is what it may not lie far ahead of.
    """
    if row.names != features.names:
        return Refusal(Reason.FEATURE_SET_DIFFERS, _difference(set(row.names), features))
    for feature, value in zip(features.features, row.values, strict=True):
        if not math.isfinite(value):
            return Refusal(Reason.FEATURE_NOT_FINITE, f"{feature.name} is {value}")
        # a null stands for an unknown value and may lie outside
        if not feature.low <= value <= feature.high and feature.name not in row.missing:
            return Refusal(Reason.FEATURE_OUT_OF_RANGE, out_of_range(feature, value))
    if before is not None and (row.block_number <= before.block_number or row.event_time < before.event_time):
        return Refusal(
            Reason.TIME_WENT_BACK,
            f"block {row.block_number} comes after block {before.block_number} and is older",
        )
    return _ahead(row, before)


def _ahead(row: FeatureRow, before: FeatureRow | None) -> Refusal | None:
    """Return why a row's time lies too far ahead to be true; ``None`` if it does not, or nothing tells."""
    times = [before.event_time] if before is not None else []
    if row.known_at_ns > 0:
        times.append(row.known_at_ns // _NS)
    ahead = min((row.event_time - time for time in times), default=0)
    if ahead <= MOST_AHEAD_S:
        return None
    whose = "the block before it" if before is not None else "our clock"
    return Refusal(Reason.TIME_RAN_AHEAD, f"block {row.block_number} lies {ahead:,} s ahead of {whose}")


def out_of_range(feature: Feature, value: float) -> str:
    """Return the sentence about a value that lies outside its range."""
    return f"{feature.name} is {value:g} {feature.unit}, its range is {feature.low:g} to {feature.high:g}"


def _difference(names: set[str], features: FeatureSet) -> str:
    missing, unknown = sorted(set(features.names) - names), sorted(names - set(features.names))
    if not missing and not unknown:
        return f"the features of the set {features.name} are in another order"
    return (
        f"not the set {features.name}: {len(missing)} features missing {missing[:3]}, "
        f"{len(unknown)} unknown {unknown[:3]}"
    )


class RowGate:
    """Lets the good rows of a stream through, and counts the others.

    Parameters
    ----------
    features
        The set that rows should be of.
    """

    def __init__(self, features: FeatureSet) -> None:
        self.features = features
        self.refused: Counter[Reason] = Counter()
        """How often each reason was given, orphaned blocks included."""
        # more than can be undone: the row before the orphans is compared with again
        self._passed: deque[FeatureRow] = deque(maxlen=JOURNAL_DEPTH + 1)

    def check(self, row: FeatureRow) -> Refusal | None:
        """Return why the next row may not be used; ``None`` if it may."""
        refusal = check_row(row, self.features, self._passed[-1] if self._passed else None)
        if refusal is None:
            self._passed.append(row)
        else:
            self.refused[refusal.reason] += 1
        return refusal

    def rollback(self, to_number: int) -> None:
        """Forget rows above a height."""
        while self._passed and self._passed[-1].block_number > to_number:
            self._passed.pop()
