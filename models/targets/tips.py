"""What bundles pay per block, one block ahead: tips and gas fees of the Flashbots auction of 2021."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.targets.baselines import LAST_ROWS, last_percentile
from models.targets.making import split, stacked
from models.targets.past import Floats, Integers, ahead, ew_mean, lag, rolling_deviation
from models.targets.reading import one_file, read_columns
from models.targets.table import Kind, TargetTable

_GWEI_PER_MILLIETHER = 1e6


@dataclass(frozen=True, slots=True, eq=False)
class TipRows:
    """Consecutive blocks, arrays of one length.

    Parameters
    ----------
    number
        Height, ``int64``.
    bundles, others
        What bundles paid the miner (coinbase transfers and gas fees), and what other transactions paid in
        gas fees; milliether.
    """

    number: Integers
    bundles: Floats
    others: Floats


def build(root: Path) -> Iterator[TargetTable]:
    """Yield the table of tips.

    Raises
    ------
    InputError
        If the file is missing or not what it should be.
    """
    file = one_file(root, "flashbots_tips_gwei_*.parquet")
    gwei = read_columns(file, ("block_number", "FBB_coinbase_transfer", "FBB_gas_fee", "non_FBB_gas_fee"))
    order = np.argsort(gwei["block_number"], kind="stable")
    bundles = (gwei["FBB_coinbase_transfer"] + gwei["FBB_gas_fee"])[order] / _GWEI_PER_MILLIETHER
    others = gwei["non_FBB_gas_fee"][order] / _GWEI_PER_MILLIETHER
    number = gwei["block_number"][order].astype(np.int64)
    yield tip_table(TipRows(number, bundles.astype(np.float64), others.astype(np.float64)))


def tip_table(rows: TipRows) -> TargetTable:
    """Return what bundles pay in the next block; in two blocks of five there is no bundle, and it is 0."""
    paid, others = np.log1p(np.maximum(rows.bundles, 0)), np.log1p(np.maximum(rows.others, 0))
    none = (paid == 0).astype(np.float64)
    names, values = stacked(
        {
            "paid": paid,
            **{f"paid_lag{back}": lag(paid, back) for back in (1, 2, 3)},
            **{f"paid_mean_{life}": ew_mean(paid, life) for life in (3, 10, 30, 100, 1000)},
            "paid_deviation_20": rolling_deviation(paid, LAST_ROWS),
            "others": others,
            "others_change": others - lag(others, 1),
            **{f"others_mean_{life}": ew_mean(others, life) for life in (3, 10, 100)},
            **{f"no_bundle_share_{life}": ew_mean(none, life) for life in (5, 50)},
        }
    )
    return TargetTable(
        name="bundle_tips_1",
        unit="ln(1 + milliether)",
        horizon="1 block",
        kind=Kind.NUMBER,
        names=names,
        values=values,
        label=ahead(paid, 1),
        issued=rows.number,
        known=rows.number + 1,
        baselines={
            "persistence": paid,
            f"median_{LAST_ROWS}": last_percentile(paid, 50),
            "mean_10": ew_mean(paid, 10),
            "mean_100": ew_mean(paid, 100),
        },
        first_judged=split(len(paid)),
        source="flashbots_tips",
    )
