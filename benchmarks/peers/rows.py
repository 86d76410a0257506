"""Our scorer beside degenbot on the same cycles: how fast, and who earns more.

The peer has an environment of its own, in which both run; here the figures become rows.
They are kept as JSON for the page of figures.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.harness import Progress, Result, Row, at_least, at_most, measure, write_result
from core.config_loader import ROOT
from core.errors import OmniArbError

PAIR_REACH, TICK_REACH = 100.0, 1000.0
LOWER_REACH, SHORT_REACH = 1e-8, 1e-4

RESULT = ROOT / "benchmarks" / "results" / "peers.json"

_ENVIRONMENT = ROOT / "build" / "peers"
_LIMIT_SECONDS = 600


class PeersMissing(OmniArbError):
    """The peers' environment is not there, or does not work."""

    code = "PEERS_MISSING"


def rows(progress: Progress) -> list[Row]:
    """Return the figures of the comparison.

    Raises
    ------
    PeersMissing
        If the environment is not there, or the run in it fails.
    """
    progress("running both on the same cycles")
    figures = _figures()
    peer = f"degenbot {figures['degenbot']}, Python {figures['python']}"
    measured: list[Row] = []
    for group in figures["pairs"]:
        measured += _pair_rows(group, peer)
    for group in figures["ticks"]:
        measured += _tick_rows(group, peer)
    return measured


def _figures() -> dict[str, Any]:
    python = _ENVIRONMENT / ".venv" / "bin" / "python"
    if not python.exists():
        raise PeersMissing("the peers are not installed; run `make bench-peers`", path=str(python))
    try:
        ran = subprocess.run(
            [str(python), "-m", "benchmarks.peers.inside"],
            cwd=ROOT,
            env={**os.environ, "HOME": str(_ENVIRONMENT / "home")},
            capture_output=True,
            text=True,
            timeout=_LIMIT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise PeersMissing(f"the comparison took over {_LIMIT_SECONDS} s; try on a quieter machine") from None
    if ran.returncode != 0:
        last = (ran.stderr.strip().splitlines() or ["no message"])[-1]
        raise PeersMissing(f"the comparison failed in the peers' environment: {last}")
    figures: dict[str, Any] = json.loads(ran.stdout)
    return figures


def _pair_rows(group: dict[str, Any], peer: str) -> list[Row]:
    name = f"{group['hops']} pairs, {group['count']} cycles"
    gains = np.array(group["gains"])
    return [
        at_least(f"{name}: best integer trade, a call", group["ratio"], "x", PAIR_REACH, peer),
        Row(f"{name}: our time, a call", group["seconds"] * 1e6, "us"),
        at_most(f"{name}: profit lower than the peer's, worst", _worst(gains), "share", LOWER_REACH, peer),
        Row(f"{name}: profit higher than the peer's by over 1e-8", _above(gains), "share", baseline=peer),
        at_most(
            f"{name}: short of the best found, p99",
            float(np.quantile(group["short"], 0.99)),
            "share",
            SHORT_REACH,
        ),
        Row(
            f"{name}: the peer short of the best found, p99",
            float(np.quantile(group["peer_short"], 0.99)),
            "share",
        ),
    ]


def _tick_rows(group: dict[str, Any], peer: str) -> list[Row]:
    name = f"pair and V3 pool, {group['crossed']:.0f} ticks crossed, {group['count']} cycles"
    return [
        at_least(f"{name}: best size, in a list", group["ratio"], "x", TICK_REACH, peer),
        Row(f"{name}: best size, a call", group["plain_ratio"], "x", baseline=peer),
        Row(f"{name}: our time, in a list", group["seconds"] * 1e9, "ns"),
        at_most(
            f"{name}: profit lower than the peer's, worst",
            _worst(np.array(group["gains"])),
            "share",
            LOWER_REACH,
            peer,
        ),
    ]


def _worst(gains: NDArray[np.float64]) -> float:
    return max(0.0, -float(gains.min()))


def _above(gains: NDArray[np.float64]) -> float:
    return float((gains > LOWER_REACH).mean())


def _print(result: Result) -> None:
    table = Table(
        "what", "value", "unit", "reach", "ok", title=f"{result.rows[0].baseline}; {result.machine}"
    )
    for row in result.rows:
        verdict = {True: "yes", False: "no", None: ""}[row.ok]
        table.add_row(row.what, f"{row.value:.4g}", row.unit, row.reach, verdict)
    Console().print(table)


def main(arguments: Sequence[str]) -> int:
    """Run the comparison, print it, and write it where asked; 1 if a row falls short."""
    parser = argparse.ArgumentParser(description="Compare with peers on the same cycles.")
    parser.add_argument("--write", type=Path, default=RESULT, help="file for the rows, JSON")
    chosen = parser.parse_args(arguments)
    try:
        result = measure("peers", rows, lambda message: print(message, file=sys.stderr))
    except PeersMissing as error:
        print(f"peers: {error}", file=sys.stderr)
        return 1
    _print(result)
    write_result(result, chosen.write)
    return 0 if result.ok else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
