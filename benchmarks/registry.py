"""Every benchmark by name."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks import learning, loop, market, scoring
from benchmarks.gpu import RESULT as GPU_RESULT
from benchmarks.harness import Elsewhere, Progress, Row, read_result
from benchmarks.peers.rows import RESULT as PEERS_RESULT

BENCHMARKS: dict[str, Callable[[Progress], list[Row]]] = {
    "learning": learning.rows,
    "loop": loop.rows,
    "market": market.rows,
    "scoring": scoring.rows,
}


def measured_elsewhere() -> tuple[Elsewhere, ...]:
    """Return what benchmarks with an environment or a machine of their own measured last."""
    return (
        Elsewhere("peers", "make bench-peers", read_result(PEERS_RESULT)),
        Elsewhere("gpu", "make bench-gpu", read_result(GPU_RESULT)),
    )
