"""Recorded days: raw logs of V3 pools; for mainnet merged with block rows and candles.

Nothing from the future leaks into a block: a pool is unknown until its first swap of the
day, a candle counts only when it had closed, and what a block paid its proposer belongs to
that block.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from chain.blocks import Address, Block, BlockHeader, RawLog
from core.errors import InputError
from market.context import NO_CONTEXT, BlockContext, Candle
from market.history_files import read_blocks, read_candles, read_log_times, read_logs
from market.pools.spec import PoolSpec
from market.pools.uniswap_v3 import NOTHING_KNOWN, UniswapV3Pool
from market.recorded import Recorded
from market.tokens import Token

__all__ = [
    "HISTORY_SPECS",
    "HISTORY_TOKENS",
    "POLYGON_SPECS",
    "POLYGON_TOKENS",
    "Recorded",
    "load_before",
    "load_day",
    "load_polygon_day",
    "read_logs",
]

_USDC = Token("0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48", "USDC", 6)
_WETH = Token("0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2", "WETH", 18)
_OSQTH = Token("0xf1b99e3e573a1a9c5e6b2ce818b617f0e664e86b", "OSQTH", 18)

HISTORY_TOKENS: dict[Address, Token] = {token.address: token for token in (_USDC, _WETH, _OSQTH)}

_POLYGON_USDC = Token("0x2791bca1f2de4661ed88a30c99a7a9449aa84174", "USDC.e", 6)
_POLYGON_WETH = Token("0x7ceb23fd6bc0add59e62ac25578270cff1b9f619", "WETH", 18)

POLYGON_TOKENS: dict[Address, Token] = {token.address: token for token in (_POLYGON_USDC, _POLYGON_WETH)}


def _v3(address: Address, token0: Token, token1: Token, fee: int, spacing: int) -> PoolSpec:
    tokens = (token0.address, token1.address)
    return PoolSpec("uniswap_v3", address, address, tokens, fee, spacing, venue="uniswap_v3")


HISTORY_SPECS = (
    _v3("0x88e6a0c2ddd26feeb64f039a2c41296fcb3f5640", _USDC, _WETH, 500, 10),
    _v3("0x8ad599c3a0ff1de082011efddc58f1908eb6e6d8", _USDC, _WETH, 3000, 60),
    _v3("0x82c427adfdf2d245ec51d8046b41c4ee87f0d29c", _WETH, _OSQTH, 3000, 60),
)

POLYGON_SPECS = (_v3("0x45dda9cb7c25131df268515131f647d726f50608", _POLYGON_USDC, _POLYGON_WETH, 500, 10),)


def load_day(data_root: Path | str, day: str = "2024-01-05") -> Recorded:
    """Load one recorded day of mainnet.

    Parameters
    ----------
    data_root
        Folder that holds the recorded files.
    day
        ``YYYY-MM-DD``.

    Returns
    -------
    Recorded
        Every block of the day, also those without logs. Initial pools hold no price: their
        first swap of the day brings it.

    Raises
    ------
    InputError
        If the folder, the day or a file is not there or is not what it should be.
    """
    root = Path(data_root)
    logs = _logs_by_block(_logs_file(root, "mainnet", day))
    rows = read_blocks(root, min(logs), max(logs))
    candles = read_candles(root, rows[0]["block_timestamp"], rows[-1]["block_timestamp"])
    return Recorded(
        specs=HISTORY_SPECS,
        tokens=HISTORY_TOKENS,
        pools=_unseen(HISTORY_SPECS),
        block_count=len(rows) - 1,
        open_blocks=partial(_blocks, rows, logs, candles),
        source=f"recorded mainnet {day}",
    )


def load_polygon_day(data_root: Path | str, day: str = "2022-01-05") -> Recorded:
    """Load one recorded day of Polygon: one pool's logs and the times of their blocks, nothing else.

    Parameters
    ----------
    data_root
        Folder that holds the recorded files.
    day
        ``YYYY-MM-DD``.

    Returns
    -------
    Recorded
        Every height from the first log to the last. What nobody recorded is left blank in the headers:
        hashes are empty, gas used and gas limit are 0. A block without logs has the time of the last
        one before it that has some, which is not later than its own. The base fee is 0, since Polygon
        had none before its London upgrade at block 23,850,000.

    Raises
    ------
    InputError
        If the folder, the day or the file is not there or is not what it should be.
    """
    file = _logs_file(Path(data_root), "polygon", day)
    logs, times = _logs_by_block(file), read_log_times(file)
    return Recorded(
        specs=POLYGON_SPECS,
        tokens=POLYGON_TOKENS,
        pools=_unseen(POLYGON_SPECS),
        block_count=max(logs) - min(logs) + 1,
        open_blocks=partial(_blocks_of_logs, logs, times),
        source=f"recorded Polygon {day}",
    )


def load_before(data_root: Path | str, first: int) -> Recorded:
    """Load the blocks recorded before height ``first``: headers, bids and candles, no pools.

    They are warm-up history. Nothing in them is younger than the block before ``first``.

    Parameters
    ----------
    data_root
        Folder that holds the recorded files.
    first
        Height of the first block that is *not* wanted.

    Raises
    ------
    InputError
        If a file is missing or not what it should be, or a block between is missing.
    """
    root = Path(data_root)
    earliest = [int(file.stem.split("_")[2]) for file in root.glob("mevboost_blocks_*.parquet")]
    earliest = [height for height in earliest if height < first - 1]
    if not earliest:
        raise InputError(f"no block rows before block {first} in {root}; fetch them", path=str(root))
    # the very first row only gives the parent hash of the second
    rows = read_blocks(root, min(earliest) + 1, first - 1)
    candles = read_candles(root, rows[0]["block_timestamp"], rows[-1]["block_timestamp"])
    return Recorded(
        specs=(),
        tokens={},
        pools=(),
        block_count=len(rows) - 1,
        open_blocks=partial(_blocks, rows, {}, candles),
        source=f"recorded mainnet blocks before {first}",
    )


def _unseen(specs: tuple[PoolSpec, ...]) -> tuple[UniswapV3Pool, ...]:
    return tuple(UniswapV3Pool(spec, 0, 0, 0, {}, NOTHING_KNOWN) for spec in specs)


def _logs_by_block(file: Path) -> dict[int, list[RawLog]]:
    grouped: dict[int, list[RawLog]] = defaultdict(list)
    for log in read_logs(file):
        grouped[log.block_number].append(log)
    if not grouped:
        raise InputError(f"{file.name} holds no logs; fetch it again", path=str(file))
    return dict(grouped)


def _logs_file(root: Path, chain: str, day: str) -> Path:
    """Return the file of a day's logs; refuse a folder or a day that is not there."""
    if not root.is_dir():
        raise InputError(f"no recorded history at {root}; set OMNIARB_DATA to its folder", path=str(root))
    try:
        compact = date.fromisoformat(day).strftime("%Y%m%d")
    except ValueError:
        raise InputError(f"{day!r} is not a day; write it as YYYY-MM-DD", day=day) from None
    file = root / f"v3_logs_{chain}_{compact}.parquet"
    if not file.is_file():
        days = sorted(path.stem[-8:] for path in root.glob(f"v3_logs_{chain}_*.parquet"))
        listed = ", ".join(f"{name[:4]}-{name[4:6]}-{name[6:]}" for name in days) or "none"
        raise InputError(f"no logs for {day} in {root}; recorded days: {listed}", path=str(file))
    return file


def _blocks(
    rows: list[dict[str, Any]],
    logs: dict[int, list[RawLog]],
    candles: tuple[list[int], list[Candle]],
) -> Iterator[tuple[Block, BlockContext]]:
    close_times, closed = candles
    for parent, row in pairwise(rows):
        timestamp = row["block_timestamp"]
        header = BlockHeader(
            number=row["block_number"],
            hash=row["block_hash"],
            parent_hash=parent["block_hash"],
            timestamp=timestamp,
            base_fee=row["base_fee_per_gas"],
            gas_used=row["gas_used"],
            gas_limit=row["gas_limit"],
        )
        at = bisect_right(close_times, timestamp)
        context = BlockContext(
            candle=closed[at - 1] if at else None,
            winning_bid=None if row["value"] is None else int(row["value"]),
            builder=row["builder_label"],
        )
        block_logs = tuple(logs.get(header.number, ()))
        yield Block(header, block_logs, timestamp * 1_000_000_000), context


def _blocks_of_logs(
    logs: dict[int, list[RawLog]], times: dict[int, int]
) -> Iterator[tuple[Block, BlockContext]]:
    timestamp = 0
    for number in range(min(logs), max(logs) + 1):
        timestamp = times.get(number, timestamp)
        header = BlockHeader(number, b"", b"", timestamp, base_fee=0, gas_used=0, gas_limit=0)
        yield Block(header, tuple(logs.get(number, ())), timestamp * 1_000_000_000), NO_CONTEXT
