"""From edges that moved to the best cycles on the host, captured once as a CUDA graph and launched as one.

Launched one by one, an upload, three kernels and a download cost the host more than the card needs for them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring.devices.cuda_kernels import Cycles, Found, Kernels, Moved, Tables, found_on_host, room_for_found
from scoring.devices.device import Top

EDGES_AT_ONCE = 1024
"""Edges that one launch can take over: what most blocks move, in 24 KB that are copied every time."""


class CapturedTop:
    """Upload, patch, score, merge and download, for one number of wanted cycles.

    Parameters
    ----------
    cupy, stream
        The library, and the stream to capture on; not the default one, which cannot be captured.
    kernels, cycles, tables, drops
        What is on the card. The graph keeps their addresses, so they must not be replaced.
    keep
        How many cycles are wanted.
    """

    def __init__(
        self, cupy: Any, stream: Any, kernels: Kernels, cycles: Cycles, tables: Tables, drops: Any, keep: int
    ) -> None:
        self._runtime = cupy.cuda.runtime
        self._stream = stream
        self._kernels, self._cycles, self._tables, self._drops = kernels, cycles, tables, drops
        self._launch = kernels.plan(keep, cycles.count, int(tables.edge_count), 1)
        self._found = room_for_found(cupy.empty, 1, self._launch.blocks * keep)
        self._upload = _pinned(cupy, EDGES_AT_ONCE * 24 + 4)
        self._uploaded = cupy.zeros(len(self._upload), np.uint8)
        self._staged, self._moved = _as_moved(self._upload), _as_moved(self._uploaded)
        self._downloaded = cupy.zeros(keep * 12, np.uint8)
        self._download = _pinned(cupy, keep * 12)
        self._best, self._answer = _as_found(self._downloaded, keep), _as_found(self._download, keep)
        with stream:
            # once in the open: the kernels are loaded, and an error arises where it is one
            self._enqueue()
            stream.synchronize()
            stream.begin_capture()
            self._enqueue()
            self._graph = stream.end_capture()

    def __call__(
        self, edges: NDArray[np.int64], rates: NDArray[np.float64], bends: NDArray[np.float64]
    ) -> Top:
        """Take over at most ``EDGES_AT_ONCE`` edges that moved, and return the best cycles."""
        moved = len(edges)
        self._staged.edges[:moved] = edges
        self._staged.rates[:moved] = rates
        self._staged.bends[:moved] = bends
        self._staged.count[0] = moved
        self._graph.launch(self._stream)
        self._stream.synchronize()
        return Top(*found_on_host(self._answer.nets, self._answer.rows))

    def _enqueue(self) -> None:
        copy, there, back = (
            self._runtime.memcpyAsync,
            self._runtime.memcpyHostToDevice,
            self._runtime.memcpyDeviceToHost,
        )
        upload, download = self._upload.ctypes.data, self._download.ctypes.data
        copy(self._uploaded.data.ptr, upload, len(self._upload), there, self._stream.ptr)
        self._kernels.patch(self._moved, self._tables, self._drops, EDGES_AT_ONCE)
        self._kernels.score(self._cycles, self._tables, self._launch, self._found, self._best)
        copy(download, self._downloaded.data.ptr, len(self._download), back, self._stream.ptr)


def _pinned(cupy: Any, size: int) -> NDArray[np.uint8]:
    """Return zeroed bytes of the host that the card copies from and to by itself."""
    memory = np.frombuffer(cupy.cuda.alloc_pinned_memory(size), np.uint8, size)
    memory[:] = 0
    return memory


def _as_moved(memory: Any) -> Moved:
    """Return bytes, of the host or of the card, as edges that moved in the only state."""
    most = EDGES_AT_ONCE
    return Moved(
        rates=memory[: 8 * most].view(np.float64),
        bends=memory[8 * most : 16 * most].view(np.float64),
        edges=memory[16 * most : 20 * most].view(np.int32),
        states=memory[20 * most : 24 * most].view(np.int32),
        count=memory[24 * most :].view(np.int32),
    )


def _as_found(memory: Any, keep: int) -> Found:
    return Found(memory[: 8 * keep].view(np.float64), memory[8 * keep :].view(np.uint32))
