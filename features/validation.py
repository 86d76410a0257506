"""Checks that rows are what the registry says: the right columns, finite, in range, in order of time.

:func:`check_frame` is for whole tables, by pandera; :func:`features.row_checks.check_row`, which needs no
pandera, for one row on its way to a model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pandera
from pandera.errors import SchemaErrors

from core.reasons import Reason, Refusal
from features.feature_set import FeatureSet
from features.row_checks import check_row, out_of_range

__all__ = ["Finding", "check_frame", "check_row", "schema_of"]

_FINITE, _RANGE = "finite", "range"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong with a table.

    Parameters
    ----------
    block_number
        Of the row; ``None`` if it is the whole column.
    name
        The column.
    refusal
        Why the row or the table is not used.
    """

    block_number: int | None
    name: str
    refusal: Refusal


def schema_of(features: FeatureSet) -> pandera.DataFrameSchema:
    """Return the pandera schema of a set's frames: dtype and range of every feature, no empty cell."""
    columns = {
        feature.name: pandera.Column(
            feature.dtype,
            [
                pandera.Check(lambda values: values.abs() < math.inf, name=_FINITE),
                pandera.Check.in_range(feature.low, feature.high, name=_RANGE),
            ],
            description=f"{feature.doc} [{feature.unit}]",
        )
        for feature in features.features
    }
    return pandera.DataFrameSchema(columns, name=features.name)


def check_frame(frame: pd.DataFrame, features: FeatureSet) -> tuple[Finding, ...]:
    """Return everything that is wrong with a frame, in order of blocks.

    Parameters
    ----------
    frame
        As :func:`features.frames.to_frame` gives it; unknown values are held against no range.
    features
        The set it should be of.
    """
    absent = [name for name in ("block_number", "event_time") if name not in frame]
    if absent:
        detail = f"the columns {', '.join(absent)} are missing"
        return (Finding(None, absent[0], Refusal(Reason.FEATURE_SET_DIFFERS, detail)),)
    found = [*_times(frame)]
    try:
        schema_of(features).validate(_known(frame, features), lazy=True)
    except SchemaErrors as errors:
        cases: list[dict[str, Any]] = errors.failure_cases.to_dict("records")
        found += [_finding(case, frame, features) for case in cases]
    return tuple(sorted(set(found), key=lambda finding: (finding.block_number or -1, finding.name)))


def _known(frame: pd.DataFrame, features: FeatureSet) -> pd.DataFrame:
    """Return the frame with a value that is in range wherever one is unknown; rows are numbered from 0."""
    known = frame.reset_index(drop=True)
    if "missing" not in known:
        return known
    absent = known["missing"]
    for feature in features.features:
        if feature.name in known and not feature.low <= feature.null <= feature.high:
            gone = np.array([feature.name in names for names in absent])
            rows = gone & (known[feature.name] == feature.null).to_numpy()
            known.loc[rows, feature.name] = min(max(feature.null, feature.low), feature.high)
    return known


def _finding(case: dict[str, Any], frame: pd.DataFrame, features: FeatureSet) -> Finding:
    """Return one of pandera's failure cases in our words; it has no row if a whole column is wrong."""
    if case["check"] == "column_in_dataframe":
        name, detail = str(case["failure_case"]), "the column is missing"
        return Finding(None, name, Refusal(Reason.FEATURE_SET_DIFFERS, detail))
    name = str(case["column"])
    if pd.isna(case["index"]):
        detail = f"the column is {case['failure_case']}, not {features[name].dtype}"
        return Finding(None, name, Refusal(Reason.FEATURE_SET_DIFFERS, detail))
    block, value = int(frame["block_number"].iloc[int(case["index"])]), float(case["failure_case"])
    if math.isfinite(value):
        return Finding(block, name, Refusal(Reason.FEATURE_OUT_OF_RANGE, out_of_range(features[name], value)))
    return Finding(block, name, Refusal(Reason.FEATURE_NOT_FINITE, f"{name} is {value}"))


def _times(frame: pd.DataFrame) -> list[Finding]:
    found = []
    for _, rows in frame.groupby("subject") if "subject" in frame else [("", frame)]:
        back = (rows["block_number"].diff() <= 0) | (rows["event_time"].diff() < 0)
        for number in rows["block_number"][back]:
            detail = f"block {number} comes after a later one, or is older than it"
            found.append(Finding(int(number), "event_time", Refusal(Reason.TIME_WENT_BACK, detail)))
    return found
