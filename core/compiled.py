"""The one way in which functions of numbers and arrays become machine code."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

from core.kernel_cache import VARIABLE

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Mark a function to be compiled at its first call; it releases the GIL.

    Divisions by zero follow IEEE 754, as in NumPy: checks would cost more than the arithmetic. Operations
    are neither reordered nor fused, so that another device can give the same bits.

    The machine code is kept where :mod:`core.kernel_cache` says, if a process has asked for that.
    """
    return cast(F, njit(nogil=True, error_model="numpy", cache=bool(os.environ.get(VARIABLE)))(function))
