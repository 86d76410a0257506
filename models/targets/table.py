"""One thing to predict, as a stream: what was known when, what came out, and what cheap forecasts said.

Every row has two times, both as positions on one axis (block heights, or event numbers): when the forecast
is issued, and when its label becomes known. A model may learn from a label only once it is known, and a
label may never come: it is NaN then, and ``known`` says when that was clear.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelError


class Kind(StrEnum):
    """What a label is."""

    NUMBER = "number"
    PROBABILITY = "probability"
    """0 or 1; forecasts are probabilities."""


@dataclass(frozen=True, slots=True, eq=False)
class TargetTable:
    """Rows in order of issue.

    Parameters
    ----------
    name, unit, horizon
        For people, for example ``base_fee_3``, ``ln(gwei)``, ``3 blocks``.
    kind
        What a label is.
    names, values
        Features known at issue: names, and ``float64[row, feature]``, finite.
    label
        ``float64[row]``; NaN where it never comes (censored).
    issued, known
        ``int64[row]``; ``issued`` ascends, ``known > issued``.
    baselines
        Cheap forecasts by name, ``float64[row]``; made from what was known at issue alone.
    first_judged
        Row from which forecasts are judged; rows before it are for learning.
    source
        Which recorded data it was made of.

    Raises
    ------
    ModelError
        If lengths differ, an order is broken, a feature or a baseline is not finite, or there is no baseline.
    """

    name: str
    unit: str
    horizon: str
    kind: Kind
    names: tuple[str, ...]
    values: NDArray[np.float64]
    label: NDArray[np.float64]
    issued: NDArray[np.int64]
    known: NDArray[np.int64]
    baselines: Mapping[str, NDArray[np.float64]]
    first_judged: int
    source: str

    def __post_init__(self) -> None:
        count = len(self.label)
        arrays = (self.values, self.issued, self.known, *self.baselines.values())
        if any(len(array) != count for array in arrays) or self.values.shape != (count, len(self.names)):
            raise ModelError("the columns of a target differ in length", target=self.name)
        if not self.baselines or not 0 <= self.first_judged <= count:
            raise ModelError("a target needs a baseline, and judged rows inside it", target=self.name)
        if (np.diff(self.issued) < 0).any() or (self.known <= self.issued).any():
            raise ModelError(
                "times of a target must ascend, and labels come after forecasts", target=self.name
            )
        if not all(np.isfinite(array).all() for array in (self.values, *self.baselines.values())):
            raise ModelError("features and baselines must be finite; fill nulls first", target=self.name)

    def __len__(self) -> int:
        return len(self.label)
