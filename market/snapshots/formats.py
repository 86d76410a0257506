"""The formats of snapshot files that can be read, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from core.errors import InputError
from market.snapshots.cow_auction import read_cow_auctions
from market.snapshots.own_format import read_snapshot
from market.snapshots.snapshot import MarketSnapshot
from market.snapshots.tycho import read_tycho_pools, read_tycho_snapshot

Reader = Callable[[Path], tuple[MarketSnapshot, ...]]

FORMATS: Mapping[str, Reader] = {
    "omniarb": read_snapshot,
    "cow-auction": read_cow_auctions,
    "tycho-pools": read_tycho_pools,
    "tycho-snapshot": read_tycho_snapshot,
}


def read_snapshots(file: Path, name: str) -> tuple[MarketSnapshot, ...]:
    """Read every snapshot in a file.

    Parameters
    ----------
    file
        Plain or zstd.
    name
        A key of ``FORMATS``.

    Raises
    ------
    InputError
        If there is no such format, or the file cannot be read.
    TapeError
        If the file is not of this format.
    """
    if name not in FORMATS:
        raise InputError(
            f"{name!r} is no format of snapshots; there are {', '.join(FORMATS)}", path=str(file)
        )
    return FORMATS[name](file)
