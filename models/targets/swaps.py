"""Recorded swaps of the two WETH/USDC pools, as prices after each swap.

Three recordings know different things. Logs and the swaps of October 2022 carry the pool's price after the
swap. Those of April 2023 carry amounts only: there the rate of the swap without its fee stands for it, which
is off by half of the swap's own impact.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError
from market.events import V3_SWAP
from models.targets.past import Floats, Integers
from models.targets.reading import one_file, read_columns

CHEAP_POOL = bytes.fromhex("88e6a0c2ddd26feeb64f039a2c41296fcb3f5640")
DEAR_POOL = bytes.fromhex("8ad599c3a0ff1de082011efddc58f1908eb6e6d8")
FEES = {CHEAP_POOL: 500e-6, DEAR_POOL: 3000e-6}

_DATA_BYTES = 160
_WEI, _USDC = 1e18, 1e6
_LEAST_USDC = 50.0
"""Rates of smaller swaps are rounding."""


@dataclass(frozen=True, slots=True, eq=False)
class Swaps:
    """Swaps in order, arrays of one length.

    Parameters
    ----------
    block
        Height, ``int64``; the timestamp's where heights were not recorded.
    time
        Timestamp of the block, ``int64`` seconds.
    cheap
        True in the pool of 0.05 %, False in that of 0.3 %.
    log_price
        Logarithm of USDC per WETH after the swap.
    ether
        WETH the pool took in; negative where it gave.
    """

    block: Integers
    time: Integers
    cheap: NDArray[np.bool_]
    log_price: Floats
    ether: Floats


def read_day_swaps(root: Path) -> Swaps:
    """Read the swaps in the logs of 2024-01-05.

    Raises
    ------
    InputError
        If the file is missing or not what it should be.
    """
    file = one_file(root, "v3_logs_mainnet_*.parquet")
    names = ("block_number", "block_timestamp", "log_index", "topics", "data", "pool")
    columns = read_columns(file, names)
    order = np.lexsort((columns["log_index"], columns["block_number"]))
    wanted = np.array(
        [
            topics[:32] == V3_SWAP and pool in FEES
            for topics, pool in zip(columns["topics"], columns["pool"], strict=True)
        ]
    )
    rows = order[wanted[order]]
    if not len(rows) or any(len(data) != _DATA_BYTES for data in columns["data"][rows]):
        raise InputError(f"{file.name} holds no swaps, or one is damaged; fetch it again", path=str(file))
    words = np.frombuffer(b"".join(columns["data"][rows]), ">u8").reshape(len(rows), 5, 4)
    # prices stay below 2^160, amounts of WETH below 2^127
    root_price = words[:, 2, 1] * 2.0**32 + words[:, 2, 2] * 2.0**-32 + words[:, 2, 3] * 2.0**-96
    ether = words[:, 1, 2].astype(np.int64) * 2.0**64 + words[:, 1, 3]
    return Swaps(
        block=columns["block_number"][rows].astype(np.int64),
        time=columns["block_timestamp"][rows].astype("datetime64[s]").astype(np.int64),
        cheap=columns["pool"][rows] == CHEAP_POOL,
        log_price=np.log(_WEI / _USDC) - 2 * np.log(root_price),
        ether=ether / _WEI,
    )


def read_april_swaps(root: Path) -> Swaps:
    """Read the swaps of six days of April 2023, by time; their order inside a block is not known.

    Raises
    ------
    InputError
        If the file is missing or not what it should be.
    """
    names = ("timestamp", "amountIn", "amountOut", "tokenIn_symbol", "pool_id")
    columns = read_columns(one_file(root, "v3_swaps_weth_usdc_4tiers_*.parquet"), names)
    bought = columns["tokenIn_symbol"] == "USDC"
    usdc = np.where(bought, columns["amountIn"], columns["amountOut"]) / _USDC
    ether = np.where(bought, columns["amountOut"], columns["amountIn"]) / _WEI
    fee = np.array([FEES.get(pool, np.nan) for pool in columns["pool_id"]])
    rows = np.flatnonzero(np.isfinite(fee) & (usdc > _LEAST_USDC) & (ether > 0))
    rows = rows[np.argsort(columns["timestamp"][rows], kind="stable")]
    # the fee is on what comes in, so the pool's own rate lies below a buyer's and above a seller's
    of_fee = np.where(bought, 1.0, -1.0) * np.log1p(-fee, where=np.isfinite(fee), out=np.zeros(len(fee)))
    time = columns["timestamp"][rows].astype(np.int64)
    return Swaps(
        block=time,
        time=time,
        cheap=columns["pool_id"][rows] == CHEAP_POOL,
        log_price=np.log(usdc[rows] / ether[rows]) + of_fee[rows],
        ether=np.where(bought, -ether, ether)[rows],
    )


def read_october_swaps(root: Path) -> Swaps:
    """Read the swaps of the pool of 0.05 % from 2022-10-31, 25 hours.

    Raises
    ------
    InputError
        If the file is missing or not what it should be.
    """
    names = ("block_number", "block_time", "log_index", "price", "amount1")
    columns: dict[str, NDArray[Any]] = read_columns(one_file(root, "v3_weth_usdc_005_*_gas.parquet"), names)
    order = np.lexsort((columns["log_index"], columns["block_number"]))
    return Swaps(
        block=columns["block_number"][order].astype(np.int64),
        time=columns["block_time"][order].astype(np.int64),
        cheap=np.ones(len(order), dtype=np.bool_),
        log_price=np.log(columns["price"][order]),
        ether=columns["amount1"][order].astype(np.float64),
    )
