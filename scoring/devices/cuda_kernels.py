"""The kernels of ``cuda_kernels.cu``, compiled for one shape of table, and how wide each is launched.

Whoever calls hands CuPy over: nothing here imports it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError

THREADS = 512
SOURCE = Path(__file__).with_suffix(".cu")
_VECTOR_BYTES = 16
_ENTRY_BYTES = 12
_STATIC_BYTES = 1024
"""Of shared memory, kept back for what the compiler and the driver take of it."""


@dataclass(frozen=True, slots=True)
class Tables:
    """Curves of the edges on the card, for one state of the market or for several.

    Parameters
    ----------
    edges
        float64 of shape ``(states, edges, 4)``: rate, bend, cost in wei, worth of the token that goes in.
    logs
        float32 of shape ``(states, edges)``; the filter's.
    """

    edges: Any
    logs: Any

    @property
    def states(self) -> int:
        """How many states."""
        return int(self.logs.shape[0])

    @property
    def edge_count(self) -> np.int32:
        """How many edges, the padding included."""
        return np.int32(self.logs.shape[1])


@dataclass(frozen=True, slots=True)
class Cycles:
    """Cycles on the card, one column for each hop.

    Parameters
    ----------
    hops
        Shape ``(width, stride)``; a stride is a multiple of 16 bytes.
    count
        How many cycles there are, at most the stride.
    """

    hops: Any
    count: int


@dataclass(frozen=True, slots=True)
class Launch:
    """How wide cycles are scored.

    Parameters
    ----------
    keep
        How many of the best are wanted.
    capacity
        Entries that a block can hold before it must forget some, a power of two.
    blocks
        Blocks for each state.
    shared_bytes
        Shared memory of a block; with ``logs_shared`` the filter's table lies there.
    """

    keep: int
    capacity: int
    blocks: int
    shared_bytes: int
    logs_shared: bool


class Kernels:
    """Compiled kernels, launched on the current stream.

    Parameters
    ----------
    cupy
        The library.
    hop_type, width
        Type of a hop, uint16 or int32, and how many a cycle has.
    """

    def __init__(self, cupy: Any, hop_type: np.dtype[Any], width: int) -> None:
        shape = {"INDEX_BYTES": hop_type.itemsize, "WIDTH": width, "THREADS": THREADS}
        options = ("--std=c++17", "--fmad=false", *(f"-D{name}={value}" for name, value in shape.items()))
        module = cupy.RawModule(code=SOURCE.read_text(), options=options, backend="nvrtc")
        self._cupy = cupy
        self._lanes = _VECTOR_BYTES // hop_type.itemsize
        self._score, self._merge, self._patch, self._spread, self._check = (
            module.get_function(name) for name in ("score", "merge", "patch", "spread", "check")
        )
        properties = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.runtime.getDevice())
        self._processors = int(properties["multiProcessorCount"])
        self._shared_most = int(properties["sharedMemPerBlockOptin"]) - _STATIC_BYTES
        for kernel in (self._score, self._merge):
            kernel.max_dynamic_shared_size_bytes = self._shared_most

    def stride(self, cycles: int) -> int:
        """Return the length of a column of hops that holds so many cycles and ends where a vector does."""
        return -(-max(cycles, 1) // self._lanes) * self._lanes

    def plan(self, keep: int, cycles: int, edge_count: int, states: int) -> Launch:
        """Return how to score so many cycles in so many states.

        Raises
        ------
        InputError
            If a block cannot hold as many of the best as are wanted.
        """
        capacity = _power_of_two(keep + THREADS)
        tile = THREADS * self._lanes
        queue = 4 * (THREADS + tile)
        working = _ENTRY_BYTES * capacity + queue
        if working > self._shared_most:
            most = _power_of_two((self._shared_most - queue) // _ENTRY_BYTES + 1) // 2 - THREADS
            raise InputError(f"the graphics card finds the best {most} at most; ask for no more", most=most)
        logs_shared = working + 4 * edge_count <= self._shared_most
        shared = working + (4 * edge_count if logs_shared else 0)
        at_once = self._cupy.cuda.driver.occupancyMaxActiveBlocksPerMultiprocessor(
            self._score.kernel.ptr, THREADS, shared
        )
        resident = self._processors * max(1, at_once)
        blocks = min(max(1, resident // states), -(-max(cycles, 1) // tile))
        return Launch(keep, capacity, blocks, shared, logs_shared)

    def score(self, cycles: Cycles, tables: Tables, launch: Launch, found: Found, best: Found) -> None:
        """Find the best cycles in each state: first of each block, then of all."""
        stride = np.uint64(cycles.hops.shape[1])
        keep, capacity = np.int32(launch.keep), np.int32(launch.capacity)
        self._score(
            (launch.blocks, tables.states),
            (THREADS,),
            (
                *(cycles.hops, stride, np.uint32(cycles.count)),
                *(tables.edges, tables.logs, tables.edge_count),
                *(keep, capacity, np.int32(launch.logs_shared), found.nets, found.rows),
            ),
            shared_mem=launch.shared_bytes,
        )
        self._merge(
            (1, tables.states),
            (THREADS,),
            (found.nets, found.rows, np.int32(launch.blocks), keep, capacity, best.nets, best.rows),
            shared_mem=_ENTRY_BYTES * launch.capacity,
        )

    def patch(self, moved: Moved, tables: Tables, drops: Any, most: int) -> None:
        """Write edges that moved, ``most`` at most, into the tables of their states."""
        self._patch(
            (max(1, min(self._processors, -(-most // THREADS))),),
            (THREADS,),
            (
                *(moved.count, moved.states, moved.edges, moved.rates, moved.bends),
                *(drops, tables.edge_count, tables.edges, tables.logs),
            ),
        )

    def spread(self, base: Tables, states: Tables) -> None:
        """Copy the present tables to every state."""
        grid = (-(-int(base.edge_count) // THREADS), states.states)
        self._spread(grid, (THREADS,), (base.edges, base.logs, base.edge_count, states.edges, states.logs))

    def wrong_rows(self, cycles: Cycles, start: Any, token_in: Any, token_out: Any) -> tuple[int, int]:
        """Return how many rows are none of these edges, and how many others are no closed walks."""
        wrong = self._cupy.zeros(2, np.uint64)
        stride, edge_count = np.uint64(cycles.hops.shape[1]), np.int32(len(token_in))
        self._check(
            (4 * self._processors,),
            (THREADS,),
            (cycles.hops, stride, np.uint32(cycles.count), start, token_in, token_out, edge_count, wrong),
        )
        unknown, open_walks = wrong.get().tolist()
        return unknown, open_walks


@dataclass(frozen=True, slots=True)
class Moved:
    """Edges that moved, on the card; ``count`` is there as well, so that a captured launch can vary it."""

    count: Any
    states: Any
    edges: Any
    rates: Any
    bends: Any


@dataclass(frozen=True, slots=True)
class Found:
    """Net values in wei and rows, on the card; best first for each state, unused places hold 0."""

    nets: Any
    rows: Any


def room_for_found(empty: Callable[..., Any], states: int, places: int) -> Found:
    """Return arrays for so many found cycles of each state."""
    return Found(empty((states, places), np.float64), empty((states, places), np.uint32))


def found_on_host(
    nets: NDArray[np.float64], rows: NDArray[np.uint32]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return rows and net values of one state, without the unused places."""
    count = int(np.count_nonzero(nets > 0.0))
    return rows[:count].astype(np.int64), nets[:count].copy()


def _power_of_two(least: int) -> int:
    return 1 << (least - 1).bit_length()
