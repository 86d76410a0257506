"""The ordered list of features a model was trained on: its contract with every caller.

Models see numbers only through a schema, so a row with other names, another order or a
missing column is refused instead of being read as something else.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelError
from features.feature import FeatureRow


@dataclass(frozen=True, slots=True)
class FeatureSchema:
    """Names, in order, of the columns of a window matrix.

    Parameters
    ----------
    names
        Feature names without repeats.

    Raises
    ------
    ModelError
        If there are no names, or one repeats.

    Examples
    --------
    >>> schema = FeatureSchema(("gas_used_ratio", "base_fee_gwei"))
    >>> row = FeatureRow(1, 12, 12, ("base_fee_gwei", "gas_used_ratio"), (20.0, 0.5))
    >>> schema.matrix((row,)).tolist()
    [[0.5, 20.0]]
    """

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.names or len(set(self.names)) != len(self.names):
            raise ModelError("a feature schema needs names, each once", names=list(self.names))

    @property
    def digest(self) -> str:
        """Return the content hash of the names in order."""
        return hashlib.sha256(",".join(self.names).encode()).hexdigest()

    def columns(self, names: tuple[str, ...]) -> list[int]:
        """Return where the schema's columns stand in rows that carry ``names``.

        Raises
        ------
        ModelError
            If a column is missing; ``fields['missing']`` lists them.
        """
        places = {name: place for place, name in enumerate(names)}
        missing = [name for name in self.names if name not in places]
        if missing:
            raise ModelError(
                f"rows lack the feature(s) {', '.join(missing)}; use the model with the features it was "
                "trained on",
                missing=missing,
            )
        return [places[name] for name in self.names]

    def matrix(self, window: Sequence[FeatureRow]) -> NDArray[np.float64]:
        """Return ``float64[row, feature]`` of consecutive rows, oldest first.

        Raises
        ------
        ModelError
            If the window is empty, its rows differ in names or do not hold a number for each, or a column is
        missing.
        """
        if not window:
            raise ModelError("a window holds at least one row")
        names = window[0].names
        if any(row.names is not names and row.names != names for row in window):
            raise ModelError("the rows of a window carry the same features")
        # the bytes of floats are put together several times as fast as NumPy reads tuples of them
        pack = struct.Struct(f"{len(names)}d").pack
        try:
            table = np.frombuffer(bytearray().join([pack(*row.values) for row in window]))
        except struct.error:
            raise ModelError(
                "a row does not hold one number per feature; fill unknown values with their nulls"
            ) from None
        table = table.reshape(len(window), len(names))
        return table if names == self.names else table.take(self.columns(names), axis=1)

    def rows(self, matrix: NDArray[np.float64]) -> tuple[FeatureRow, ...]:
        """Return rows for ``float64[row, feature]``, for callers that hold numbers only.

        Heights and times are unknown there, so they count up from zero; no model reads them.

        Raises
        ------
        ModelError
            If the shape does not fit or a number is not finite.
        """
        if matrix.ndim != 2 or matrix.shape[1] != len(self.names) or not len(matrix):
            raise ModelError(
                f"expected float64[window, {len(self.names)}], got shape {matrix.shape}",
                shape=list(matrix.shape),
            )
        if not np.isfinite(matrix).all():
            raise ModelError(
                "a window holds a number that is not finite; fill unknown values with their nulls"
            )
        return tuple(
            FeatureRow(place, 0, 0, self.names, tuple(values)) for place, values in enumerate(matrix.tolist())
        )
