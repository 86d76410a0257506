"""What ``omniarb score`` is asked for: its options, and tokens by symbol or address."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from chain.blocks import Address
from cli.options import named_path
from core.errors import InputError
from market.tokens import Token

MOST_TRADES = 10_000
DEFAULT_GAP = 1.1
_ADDRESS = re.compile(r"0x[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class ScoreOptions:
    """A file and how to score it; empty texts leave a choice to the command."""

    file: Path
    format: str
    chain: str
    count: int
    hops: int
    hubs: tuple[str, ...]
    max_gap: float
    before_gas: bool
    device: str
    as_json: bool


def above_one(rate: float) -> float:
    """Return the rate.

    Raises
    ------
    typer.BadParameter
        For a rate that every cycle which earns exceeds.
    """
    if not rate > 1.0 or math.isnan(rate):
        raise typer.BadParameter("it must be above 1, such as 1.1; inf withholds nothing")
    return rate


def token_named(name: str, tokens: Mapping[Address, Token]) -> Address:
    """Return a token's address; a symbol must be that of one token only.

    Raises
    ------
    InputError
        If no token has this symbol, or several have.

    Examples
    --------
    >>> dai = Token("0x6b175474e89094c44da98b954eedeac495271d0f", "DAI", 18)
    >>> token_named("dai", {dai.address: dai}) == token_named(dai.address.upper(), {}) == dai.address
    True
    """
    lowered = name.strip().lower()
    if _ADDRESS.fullmatch(lowered):
        return lowered
    found = sorted(_with_symbol(lowered, tokens.values()))
    if not found:
        raise InputError(f"no token of the file has the symbol {name!r}; name the hub by its address")
    if len(found) > 1:
        raise InputError(f"{len(found)} tokens have the symbol {name!r}: {', '.join(found)}; name one")
    return found[0]


def _with_symbol(lowered: str, tokens: Iterable[Token]) -> set[Address]:
    return {token.address for token in tokens if token.symbol.lower() == lowered}


Pools = Annotated[
    Path,
    typer.Option(
        "--pools", parser=named_path, metavar="<path>", help="A snapshot file, plain or zstd, of any format."
    ),
]
Format = Annotated[
    str, typer.Option("--format", help="Name of the file's format; told by what it holds if empty.")
]
Chain = Annotated[str, typer.Option("--chain", help="The chain that the pools are on.")]
Top = Annotated[int, typer.Option("--top", min=1, max=MOST_TRADES, help="Cycles to show at most.")]
Hops = Annotated[int, typer.Option("--hops", min=2, max=4, help="Longest cycle, in swaps.")]
Hubs = Annotated[
    list[str] | None,
    typer.Option(
        "--hub",
        help="A token that cycles may start in, by symbol or address; give it again for another. Default: "
        "the wrapped native token and those that most pools hold.",
    ),
]
MaxGap = Annotated[
    float,
    typer.Option(
        "--max-gap",
        callback=above_one,
        help="Withhold cycles whose rate at size zero is above this; inf shows them too.",
    ),
]
BeforeGas = Annotated[
    bool, typer.Option("--before-gas", help="Leave out what the file says that swaps cost.")
]
Device = Annotated[
    str,
    typer.Option(
        "--device", help="Score the list of all cycles there: cpu or gpu. Default: search, which lists none."
    ),
]
