"""A file that lists pools to follow and their tokens, written by hand or by another command."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chain.blocks import Address
from core.errors import InputError
from market.pools.snapshot import spec_from_json
from market.pools.spec import PoolSpec
from market.tokens import Token


@dataclass(frozen=True, slots=True)
class PoolList:
    """Pools to follow.

    Parameters
    ----------
    specs
        At least one, no pool twice.
    tokens
        All their tokens, by address.
    """

    specs: tuple[PoolSpec, ...]
    tokens: Mapping[Address, Token]


def read_pool_list(path: Path) -> PoolList:
    """Read a JSON object with ``specs`` and ``tokens``; what else it holds is not looked at.

    A spec is what :func:`market.pools.snapshot.spec_to_json` writes, a token an object of ``address``,
    ``symbol`` and ``decimals``; the line that ``omniarb devnet`` prints is such an object.

    Raises
    ------
    InputError
        If the file is not there or is something else; the message names the entry.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}); name a file of pools") from None
    except RecursionError:
        raise _bad(path, "is nested too deep") from None
    except ValueError as error:
        raise _bad(path, f"is no JSON ({error})") from None
    if not (isinstance(document, dict) and document.get("specs") and isinstance(document["specs"], list)):
        raise _bad(path, "lists no pools")
    tokens = {token.address: token for token in _tokens(path, document.get("tokens"))}
    specs = tuple(_spec(path, place, row) for place, row in enumerate(document["specs"]))
    for spec in specs:
        missing = [token for token in spec.tokens if token not in tokens]
        if missing:
            raise _bad(path, f"does not describe token {missing[0]} of pool {spec.pool_id}")
    if len({spec.pool_id for spec in specs}) < len(specs):
        raise _bad(path, "lists a pool twice")
    return PoolList(specs, tokens)


def _tokens(path: Path, rows: Any) -> list[Token]:
    try:
        found = [Token(row["address"].lower(), str(row["symbol"]), row["decimals"]) for row in rows]
    except (KeyError, TypeError, AttributeError):
        raise _bad(path, "needs `tokens`, each with address, symbol and decimals") from None
    for token in found:
        if type(token.decimals) is not int or not 0 <= token.decimals <= 255:
            raise _bad(path, f"gives token {token.address} decimals that are none")
        _check_address(path, token.address)
    return found


def _spec(path: Path, place: int, row: Any) -> PoolSpec:
    try:
        spec = spec_from_json(
            row
            | {name: row[name].lower() for name in ("pool_id", "address")}
            | {"tokens": [token.lower() for token in row["tokens"]]}
        )
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise _bad(path, f"has a pool at place {place} that is none ({error!r})") from None
    texts = (spec.family, spec.venue, spec.hooks, spec.variant, spec.factory)
    if not all(isinstance(text, str) for text in texts) or min(spec.fee, spec.tick_spacing, *spec.fees) < 0:
        raise _bad(path, f"has a pool at place {place} with a name that is no text or a negative number")
    for address in (spec.address, *spec.tokens):
        _check_address(path, address)
    return spec


def _check_address(path: Path, text: str) -> None:
    if len(text) != 42 or text[:2] != "0x" or set(text[2:]) - set("0123456789abcdef"):
        raise _bad(path, f"has {text!r} where an address should be")


def _bad(path: Path, what: str) -> InputError:
    return InputError(f"{path} {what}; docs/how-to/record-a-tape.md shows such a file", path=str(path))
