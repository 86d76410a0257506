"""Scoring on a graphics card, through CuPy.

The card keeps the cycles and the curves; what travels is edges that moved, and the best cycles back. It
finds the same cycles with the same values as the processor, to the bit: see ``cuda_kernels.cu``.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError, OmniArbError
from core.reasons import Reason
from scoring.batch import BEND, majorants_of
from scoring.columns import EdgeColumns
from scoring.devices.cuda_graph import EDGES_AT_ONCE, CapturedTop
from scoring.devices.cuda_kernels import Cycles, Kernels, Moved, Tables, found_on_host, room_for_found
from scoring.devices.device import Change, CycleTable, Top
from scoring.devices.potentials import potential_drops

MOST_CYCLES = 2**31
_ROWS_AT_ONCE = 2**24
_STATES_AT_ONCE = 256


class DeviceError(OmniArbError):
    """A graphics card cannot be used; ``fields['reason']`` says why."""

    code = "DEVICE_ERROR"


def load_cupy() -> Any:
    """Return CuPy, if it is installed and finds a graphics card.

    Raises
    ------
    DeviceError
        If not; with the reason ``CUPY_MISSING`` or ``NO_GPU``.
    """
    try:
        # it warns of what it does not find of CUDA; whether it can work is asked right after
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import cupy
    except ImportError as error:
        raise DeviceError(
            f"CuPy cannot be imported ({_first_line(error)}); for an NVIDIA card install the extra gpu",
            reason=Reason.CUPY_MISSING,
        ) from None
    try:
        count = int(cupy.cuda.runtime.getDeviceCount())
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise DeviceError(
            f"CUDA finds no graphics card ({_first_line(error)}); see what nvidia-smi says",
            reason=Reason.NO_GPU,
        ) from None
    if count == 0:
        raise DeviceError("CUDA finds no graphics card; see what nvidia-smi says", reason=Reason.NO_GPU)
    return cupy


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


class CudaDevice:
    """All cycles of one table on the first graphics card; see :class:`scoring.devices.device.Device`.

    Parameters
    ----------
    edges
        The market at first.
    worth
        Wei of the native token for a raw unit of every token, 0 where no cycle may start.
    table
        The cycles; fewer than 2**31.

    Raises
    ------
    DeviceError
        If there is no graphics card, or it has no room; ``fields['reason']`` tells.
    InputError
        If these do not fit each other, or a number among them is not finite, or the table has too many rows.
    """

    def __init__(self, edges: EdgeColumns, worth: NDArray[np.float64], table: CycleTable) -> None:
        if len(table) >= MOST_CYCLES or table.hops.dtype not in (np.uint16, np.int32):
            raise InputError(
                f"a card takes fewer than {MOST_CYCLES:,} cycles, of uint16 or int32; make it so"
            )
        curves = majorants_of(edges, worth)
        self._cupy = load_cupy()
        properties = self._cupy.cuda.runtime.getDeviceProperties(self._cupy.cuda.runtime.getDevice())
        self.name: str = properties["name"].decode()
        self._kernels = Kernels(self._cupy, table.hops.dtype, table.hops.shape[1])
        self._stream = self._cupy.cuda.Stream(non_blocking=True)
        self._rates, self._bends = curves.rate, curves.edges[:, BEND].copy()
        self._moved: list[NDArray[np.int64]] = []
        self._captured: dict[int, CapturedTop] = {}
        with self._stream, self._room(table.hops.nbytes + table.start.nbytes + 44 * len(edges.rate)):
            self._cycles = self._uploaded(table)
            self._drops = self._drops_of(table, edges, worth)
            self._tables = self._empty_tables(1, len(edges.rate))
            self._tables.edges[0] = self._cupy.asarray(curves.edges)
            self._write([np.arange(len(edges.rate))], [self._rates], [self._bends], self._tables)
            self._stream.synchronize()

    def update(self, change: Change) -> None:
        """Take over edges that moved.

        Raises
        ------
        InputError
            If a row is none of an edge, or a rate or bend is not finite or below zero; nothing is taken then.
        """
        possible = self._possible(change)
        self._rates[possible.edges] = possible.rates
        self._bends[possible.edges] = possible.bends
        self._moved.append(possible.edges)

    def top(self, count: int) -> Top:
        """Return the best cycles of all.

        Raises
        ------
        InputError
            If ``count`` is below one, or more than the card can keep.
        DeviceError
            If the card has no room.
        """
        keep = self._most_found(count)
        if keep == 0:
            return _nothing()
        captured = self._captured.get(keep) or self._capture(keep)
        moved = np.concatenate(self._moved) if self._moved else np.zeros(0, np.int64)
        if len(moved) > EDGES_AT_ONCE:
            self._take_over(moved)
            moved = moved[:0]
        self._moved.clear()
        # an edge that moved twice comes twice, with the same values
        return captured(moved, self._rates[moved], self._bends[moved])

    def what_if(self, changes: Sequence[Change], count: int) -> list[Top]:
        """Return the best of all cycles in each of many states that differ by a few edges; keep none.

        Raises
        ------
        InputError, DeviceError
            As :meth:`update` and :meth:`top`.
        """
        keep = self._most_found(count)
        changes = [self._possible(change) for change in changes]
        if keep == 0:
            return [_nothing() for _ in changes]
        if self._moved:
            self._take_over(np.concatenate(self._moved))
            self._moved.clear()
        starts = range(0, len(changes), _STATES_AT_ONCE)
        return [
            top for at in starts for top in self._best_of_states(changes[at : at + _STATES_AT_ONCE], keep)
        ]

    def _best_of_states(self, changes: Sequence[Change], keep: int) -> list[Top]:
        states, edge_count = len(changes), len(self._rates)
        launch = self._kernels.plan(keep, self._cycles.count, edge_count, states)
        places = launch.blocks * keep
        with self._stream, self._room(states * (edge_count * 36 + (places + keep) * 12)):
            tables = self._empty_tables(states, edge_count)
            found = room_for_found(self._cupy.empty, states, places)
            best = room_for_found(self._cupy.empty, states, keep)
            self._kernels.spread(self._tables, tables)
            after = [self._curves_after(change) for change in changes]
            self._write(
                [change.edges for change in changes],
                [each[0] for each in after],
                [each[1] for each in after],
                tables,
            )
            self._kernels.score(self._cycles, tables, launch, found, best)
            nets, rows = best.nets.get(), best.rows.get()
        return [Top(*found_on_host(nets[state], rows[state])) for state in range(states)]

    def _curves_after(self, change: Change) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return what holds for the edges of a change after it: of an edge named twice, the last."""
        edges, after = change.edges, []
        for present, values in ((self._rates, change.rates), (self._bends, change.bends)):
            kept = present[edges]
            present[edges] = values
            after.append(present[edges])
            present[edges] = kept
        return after[0], after[1]

    def _take_over(self, moved: NDArray[np.int64]) -> None:
        with self._stream, self._room(len(moved) * 24):
            self._write([moved], [self._rates[moved]], [self._bends[moved]], self._tables)
            self._stream.synchronize()

    def _write(
        self,
        edges: Sequence[NDArray[np.int64]],
        rates: Sequence[NDArray[np.float64]],
        bends: Sequence[NDArray[np.float64]],
        tables: Tables,
    ) -> None:
        """Write the edges of each state into its table."""
        counts = [len(each) for each in edges]
        states = np.repeat(np.arange(len(edges), dtype=np.int32), counts)
        total = len(states)
        if total == 0:
            return
        on_card = self._cupy.asarray
        moved = Moved(
            count=on_card(np.array([total], np.int32)),
            states=on_card(states),
            edges=on_card(np.concatenate(edges).astype(np.int32)),
            rates=on_card(np.concatenate(rates)),
            bends=on_card(np.concatenate(bends)),
        )
        self._kernels.patch(moved, tables, self._drops, total)

    def _capture(self, keep: int) -> CapturedTop:
        with self._stream, self._room(EDGES_AT_ONCE * 24):
            captured = CapturedTop(
                self._cupy, self._stream, self._kernels, self._cycles, self._tables, self._drops, keep
            )
        self._captured[keep] = captured
        return captured

    def _uploaded(self, table: CycleTable) -> Cycles:
        """Return the hops in columns, turned on the card: the host need not hold them twice."""
        count, width = table.hops.shape
        columns = self._cupy.zeros((width, self._kernels.stride(count)), table.hops.dtype)
        for at in range(0, count, _ROWS_AT_ONCE):
            rows = self._cupy.asarray(np.ascontiguousarray(table.hops[at : at + _ROWS_AT_ONCE]))
            columns[:, at : at + len(rows)] = rows.T
        return Cycles(columns, count)

    def _drops_of(self, table: CycleTable, edges: EdgeColumns, worth: NDArray[np.float64]) -> Any:
        """Return the edges' drops of potential, zero if there are rows around which they would not cancel."""
        on_card = self._cupy.asarray
        unknown, open_walks = self._kernels.wrong_rows(
            self._cycles, on_card(table.start), on_card(edges.token_in), on_card(edges.token_out)
        )
        if unknown:
            raise InputError(
                f"{unknown} cycles hold a hop that is no edge, or start elsewhere than their first edge; "
                "make the cycles from these edges",
                unknown=unknown,
            )
        drops = np.zeros(len(edges.rate)) if open_walks else potential_drops(edges, worth)
        return on_card(drops)

    def _possible(self, change: Change) -> Change:
        """Return a copy of a change, which may be of any kind of numbers.

        Raises
        ------
        InputError
            If it cannot be.
        """
        edges, last = np.asarray(change.edges), len(self._rates) - 1
        rates, bends = np.array(change.rates, np.float64), np.array(change.bends, np.float64)
        if not edges.shape == rates.shape == bends.shape:
            raise InputError("a change needs one rate and one bend for each edge")
        if len(edges) == 0:
            return Change(edges.astype(np.int64), rates, bends)
        if edges.dtype.kind not in "iu" or edges.min() < 0 or edges.max() >= last:
            raise InputError(f"a change names a row that is no edge; they are integers from 0 to {last - 1}")
        for values in (rates, bends):
            # a value that is no number fails either comparison
            if not (values.min() >= 0.0 and values.max() < np.inf):
                raise InputError("a rate or bend is negative or not finite; a dead edge has the rate 0")
        return Change(edges.astype(np.int64), rates, bends)

    def _most_found(self, count: int) -> int:
        if count < 1:
            raise InputError("ask for one cycle at least", count=count)
        return min(count, self._cycles.count)

    def _empty_tables(self, states: int, edge_count: int) -> Tables:
        empty = self._cupy.empty
        return Tables(empty((states, edge_count, 4), np.float64), empty((states, edge_count), np.float32))

    @contextmanager
    def _room(self, size: int) -> Iterator[None]:
        try:
            yield
        except self._cupy.cuda.memory.OutOfMemoryError:
            raise DeviceError(
                f"{self.name} has no room for {size:,} bytes more; score fewer cycles or states at once",
                reason=Reason.GPU_MEMORY_FULL,
                bytes=size,
            ) from None


def _nothing() -> Top:
    return Top(np.zeros(0, np.int64), np.zeros(0))
