"""Base fee two to five blocks ahead, gas used and the winning bid one block ahead."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from models.targets.baselines import LAST_ROWS, last_percentile
from models.targets.block_features import LEAST_BID, block_features, log_bid, next_fee_log
from models.targets.block_rows import BlockRows, read_block_rows
from models.targets.candles import Candles, read_closed_candles
from models.targets.making import split, stacked
from models.targets.past import Floats, ahead, carried, ew_mean
from models.targets.table import Kind, TargetTable

FEE_HORIZONS = (2, 3, 5)
SOURCE = "mevboost_blocks, binance_1m"
_SYMBOLS = {"eth": "ETHUSDT", "btc": "BTCUSDT"}
_GAS_TARGET = 0.5


def build(root: Path) -> Iterator[TargetTable]:
    """Yield the tables of recorded blocks.

    Raises
    ------
    InputError
        If a file is missing or not what it should be.
    """
    candles = {prefix: read_closed_candles(root, symbol) for prefix, symbol in _SYMBOLS.items()}
    return block_tables(read_block_rows(root), candles)


def block_tables(rows: BlockRows, candles: dict[str, Candles]) -> Iterator[TargetTable]:
    """Yield base fee 2, 3 and 5 blocks ahead, gas used and the winning bid one block ahead."""
    names, values = stacked(block_features(rows, candles))
    for horizon in FEE_HORIZONS:
        label, baselines = _fee(rows, horizon)
        yield _table(rows, f"base_fee_{horizon}", "ln ratio", horizon, names, values, label, baselines)
    yield _table(rows, "gas_used_1", "ratio", 1, names, values, *_gas(rows))
    yield _table(rows, "winning_bid_1", "ln(ether)", 1, names, values, *_bid(rows))


def _fee(rows: BlockRows, horizon: int) -> tuple[Floats, dict[str, Floats]]:
    """Log of the fee over the child's exact fee: the part that arithmetic does not give."""
    child, now = next_fee_log(rows), np.log(rows.base_fee.astype(np.float64))
    return ahead(now, horizon) - child, {
        "formula": np.zeros(len(rows)),
        "persistence": now - child,
        f"median_{LAST_ROWS}": last_percentile(now, 50) - child,
    }


def _gas(rows: BlockRows) -> tuple[Floats, dict[str, Floats]]:
    ratio = rows.gas_used / rows.gas_limit
    return ahead(ratio, 1), {
        "persistence": ratio,
        f"median_{LAST_ROWS}": last_percentile(ratio, 50),
        "mean_10": ew_mean(ratio, 10),
        # what the fee mechanism steers towards
        "target": np.full(len(rows), _GAS_TARGET),
    }


def _bid(rows: BlockRows) -> tuple[Floats, dict[str, Floats]]:
    """A block built without an auction has no winning bid: its label never comes."""
    known = carried(log_bid(rows), np.log(LEAST_BID))
    return ahead(log_bid(rows), 1), {
        "persistence": known,
        f"median_{LAST_ROWS}": last_percentile(known, 50),
        "mean_10": ew_mean(known, 10),
        "mean_30": ew_mean(known, 30),
    }


def _table(
    rows: BlockRows,
    name: str,
    unit: str,
    horizon: int,
    names: tuple[str, ...],
    values: Floats,
    label: Floats,
    baselines: dict[str, Floats],
) -> TargetTable:
    return TargetTable(
        name=name,
        unit=unit,
        horizon=f"{horizon} block" + "s" * (horizon > 1),
        kind=Kind.NUMBER,
        names=names,
        values=values,
        label=label,
        issued=rows.number,
        known=rows.number + horizon,
        baselines=baselines,
        first_judged=split(len(rows)),
        source=SOURCE,
    )
