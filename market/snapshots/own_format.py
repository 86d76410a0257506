"""Our own snapshot file: any snapshot written as plain JSON and read back equal.

Integers are decimal text, so that no reader rounds them; docs/reference/snapshot-files.md has an
example.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import zstandard

from chain.blocks import Address
from core.errors import InputError, OmniArbError
from core.reasons import Reason, Refusal
from market.pools.pool import Pool
from market.pools.snapshot import pool_from_json, pool_to_json
from market.snapshots.files import bad_file, parse, read_text
from market.snapshots.snapshot import MarketSnapshot
from market.tokens import Token

FORMAT = "omniarb-market-snapshot"
VERSION = 1


def write_snapshot(snapshot: MarketSnapshot, file: Path) -> None:
    """Write a snapshot; packed if the name ends in ``.zst``. The file appears whole or not at all.

    Raises
    ------
    InputError
        If the file cannot be written.
    MarketError
        If a pool's family has no JSON form.
    """
    data = (json.dumps(_to_json(snapshot), indent=1) + "\n").encode()
    if file.suffix == ".zst":
        data = zstandard.compress(data)
    partial = file.with_name(file.name + ".partial")
    try:
        partial.write_bytes(data)
        os.replace(partial, file)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise InputError(
            f"{file} cannot be written ({error.strerror}); name another place", path=str(file)
        ) from None


def read_snapshot(file: Path) -> tuple[MarketSnapshot, ...]:
    """Read a file that :func:`write_snapshot` wrote.

    Raises
    ------
    InputError
        If the file cannot be read.
    TapeError
        If it is no such file, or of a version that we do not know.
    """
    document = parse(file, read_text(file))
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        bad_file(file, f"is no {FORMAT}")
    if document.get("version") != VERSION:
        bad_file(file, f"has version {document.get('version')!r}, and we read {VERSION}")
    try:
        snapshot = _from_json(document)
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, OmniArbError) as error:
        bad_file(file, f"describes no market ({type(error).__name__}: {error})")
    ids = [pool.pool_id for pool in snapshot.pools]
    if len(set(ids)) < len(ids):
        bad_file(file, "lists a pool twice")
    return (snapshot,)


def _to_json(snapshot: MarketSnapshot) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "source": snapshot.source,
        "block_number": snapshot.block_number,
        "gas_price": None if snapshot.gas_price is None else str(snapshot.gas_price),
        "tokens": [[token.address, token.symbol, token.decimals] for token in snapshot.tokens.values()],
        "reference_prices": dict(snapshot.reference_prices),
        "swap_costs": {pool_id: str(cost) for pool_id, cost in snapshot.swap_costs.items()},
        "refused": {name: [refusal.reason, refusal.detail] for name, refusal in snapshot.refused.items()},
        "pools": [pool_to_json(pool) for pool in snapshot.pools],
    }


def _from_json(document: dict[str, Any]) -> MarketSnapshot:
    tokens = [
        Token(str(address).lower(), str(symbol), _whole(places))
        for address, symbol, places in document["tokens"]
    ]
    _check_decimals(tokens)
    gas_price, block_number = document["gas_price"], document["block_number"]
    pools, unread = _pools(document["pools"])
    refused = {
        name: Refusal(Reason(reason), str(detail)) for name, (reason, detail) in document["refused"].items()
    }
    return MarketSnapshot(
        source=str(document["source"]),
        tokens={token.address: token for token in tokens},
        pools=pools,
        refused=refused | unread,
        reference_prices={
            token: _number(price) for token, price in _lowered(document["reference_prices"]).items()
        },
        swap_costs={pool_id: _whole(cost) for pool_id, cost in _lowered(document["swap_costs"]).items()},
        gas_price=None if gas_price is None else _whole(gas_price),
        block_number=None if block_number is None else _whole(block_number),
    )


def _pools(rows: list[Any]) -> tuple[tuple[Pool, ...], dict[str, Refusal]]:
    """Return the pools that can be, and why the others cannot; one bad pool does not take the rest along."""
    pools, refused = [], {}
    for place, row in enumerate(rows):
        try:
            pools.append(pool_from_json(row))
        except (OmniArbError, TypeError) as error:
            refused[f"pool {place}"] = Refusal(Reason.MALFORMED_ENTRY, str(error))
    return tuple(pools), refused


def _lowered(by_address: dict[str, Any]) -> dict[str, Any]:
    """Return entries by lowercase address, as pools name them; two spellings of one contradict each other."""
    lowered = {str(address).lower(): value for address, value in by_address.items()}
    if len(lowered) < len(by_address):
        raise ValueError("an address stands there twice, in other letters")
    return lowered


def _whole(value: Any) -> int:
    """Return an integer or the decimal text of one; nothing is cut off."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(f"{value!r} is no whole number")
    return int(value)


def _number(value: Any) -> float:
    if isinstance(value, bool):
        raise ValueError(f"{value!r} is no number")
    return float(value)


def _check_decimals(tokens: Sequence[Token]) -> None:
    decimals: dict[Address, int] = {}
    for token in tokens:
        if decimals.setdefault(token.address, token.decimals) != token.decimals:
            told = f"{decimals[token.address]} and {token.decimals}"
            raise ValueError(f"{token.address} is said to have {told} decimals")
