"""Whether a model may read a row, and whether what it says is a number."""

from __future__ import annotations

import math
from collections.abc import Mapping

from core.errors import ModelError
from core.reasons import Reason
from features.feature import FeatureRow
from features.schema import FeatureSchema


def check_row(row: FeatureRow, schema: FeatureSchema, before: FeatureRow | None) -> None:
    """Refuse a row that no model may read: a feature is missing or no number, or time has gone back.

    Parameters
    ----------
    row, schema
        The row, and the features that models read of it.
    before
        The row before it; ``None`` for the first one.

    Raises
    ------
    ModelError
        With the reason ``feature_set_differs``, ``feature_not_finite`` or ``time_went_back``.

    Examples
    --------
    >>> row = FeatureRow(7, 84, 84, ("base_fee_gwei",), (math.nan,))
    >>> check_row(row, FeatureSchema(("base_fee_gwei",)), None)
    Traceback (most recent call last):
    core.errors.ModelError: base_fee_gwei of block 7 is nan; pass the block over
    """
    places = list(range(len(row.values)))
    if row.names != schema.names:
        try:
            places = schema.columns(row.names)
        except ModelError as error:
            raise ModelError(error.message, **error.fields, reason=Reason.FEATURE_SET_DIFFERS) from None
    for place in places:
        if not math.isfinite(row.values[place]):
            raise ModelError(
                f"{row.names[place]} of block {row.block_number} is {row.values[place]}; pass the block over",
                block=row.block_number,
                reason=Reason.FEATURE_NOT_FINITE,
            )
    if before is not None and row.event_time < before.event_time:
        raise ModelError(
            f"block {row.block_number} is older than block {before.block_number}; pass the block over",
            block=row.block_number,
            reason=Reason.TIME_WENT_BACK,
        )


def check_values(values: Mapping[str, float], block_number: int) -> None:
    """Refuse forecasts, by model, of which one is no number.

    Raises
    ------
    ModelError
        With the model's name.
    """
    for name, value in values.items():
        if not math.isfinite(value):
            raise ModelError(
                f"{name} forecasts {value} on block {block_number}; train it again or leave it out",
                name=name,
                block=block_number,
                reason=Reason.MODEL_UNUSABLE,
            )
