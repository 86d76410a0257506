"""Which device scores, and why; chosen once, when a scorer is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError
from core.reasons import Refusal
from core.seams import Clock, Randomness, SystemClock
from scoring.batch import Majorants, collect
from scoring.columns import EdgeColumns
from scoring.devices.cpu import CpuDevice
from scoring.devices.device import CycleTable, Device

Maker = Callable[[EdgeColumns, NDArray[np.float64], CycleTable], Device]
"""Makes a device from a market's edges, the worth of its tokens and a table of cycles."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A device to score on.

    Parameters
    ----------
    name
        ``cpu`` or ``gpu``.
    make
        Makes the device.
    why
        One line for people.
    refusal
        Why it is not the other, where something is missing for that.
    """

    name: str
    make: Maker
    why: str
    refusal: Refusal | None = None


def choose_device(wanted: str | None = None) -> Chosen:
    """Return the device that was asked for, or the graphics card where there is one.

    Parameters
    ----------
    wanted
        ``cpu``, ``gpu``, or None for whichever is there.

    Raises
    ------
    InputError
        If there is no such device; ``fields['reason']`` says what is missing.

    Examples
    --------
    >>> choose_device("cpu").why
    'the processor was asked for'
    """
    if wanted == "cpu":
        return Chosen("cpu", CpuDevice, "the processor was asked for")
    if wanted not in (None, "gpu"):
        raise InputError(f"there is no device {wanted!r}; choose cpu or gpu", wanted=wanted)
    refusal = gpu_refusal()
    if refusal is None:
        why = "the graphics card was asked for" if wanted else "a graphics card is there"
        return Chosen("gpu", _on_the_card, why)
    if wanted:
        raise InputError(f"cannot score on a graphics card: {refusal}", reason=refusal.reason.value)
    return Chosen("cpu", CpuDevice, str(refusal), refusal)


def gpu_refusal() -> Refusal | None:
    """Return why no graphics card can be used, None if one can."""
    from scoring.devices.cuda import DeviceError, load_cupy

    try:
        load_cupy()
    except DeviceError as error:
        return Refusal(error.fields["reason"], error.message)
    return None


def _on_the_card(edges: EdgeColumns, worth: NDArray[np.float64], table: CycleTable) -> Device:
    from scoring.devices.cuda import CudaDevice

    return CudaDevice(edges, worth, table)


_SIZES = (30_000, 100_000, 300_000, 1_000_000, 3_000_000)


def threads_pay_from(threads: int, sizes: Sequence[int] = _SIZES, clock: Clock | None = None) -> int | None:
    """Measure from how many cycles on several threads scan a table faster than one, by a tenth at least.

    Starting threads takes a few hundred microseconds, and where another process is busy a thread may wait for
    a whole time slice. So one thread is the default everywhere, and this is asked once, on the machine that
    will score, by whoever wants more.

    Parameters
    ----------
    threads
        How many to compare with one.
    sizes
        Cycles of the tables that are tried, ascending.
    clock
        What measures.

    Returns
    -------
    int or None
        The least size from which threads won at every larger one; None if they lost at the largest.
    """
    clock = clock or SystemClock()
    draw = Randomness(0).stream("threads")
    rate = draw.normal(0.998, 0.004, 10_000)
    rows = np.stack([rate, np.full(10_000, 1e-6), np.zeros(10_000), np.ones(10_000)], axis=1)
    hops = draw.integers(0, 10_000, (max(sizes), 4)).astype(np.uint16)
    pays: int | None = None
    for size in sizes:
        took = {1: [0] * 7, threads: [0] * 7}
        for turn in range(7):
            for count, times in took.items():
                start = clock.monotonic_ns()
                collect(Majorants(rate, rows), hops[:size], 1000, count)
                times[turn] = clock.monotonic_ns() - start
        won = float(np.median(took[threads])) < 0.9 * float(np.median(took[1]))
        pays = (pays or size) if won else None
    return pays
