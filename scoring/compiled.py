"""The one way in which scoring turns functions of numbers and arrays into machine code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Mark a function to be compiled at its first call; it releases the GIL.

    Divisions by zero follow IEEE 754, as in NumPy: checks would cost more than the arithmetic. Operations
    are neither reordered nor fused, so that another device can give the same bits.
    """
    return cast(F, njit(nogil=True, error_model="numpy")(function))
