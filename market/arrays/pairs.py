"""Reserves of pairs in columns: Uniswap V2 and its forks, and Solidly's."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from market.arrays.limbs import Limbs, from_limbs, to_floats, to_limbs

RESERVE_LIMBS = 4


class PairColumns(NamedTuple):
    """One row per pair.

    Parameters
    ----------
    reserves
        Raw units of ``token0`` and ``token1``, shape ``(n, 2, 4)``.
    reserve_floats
        The same as float64, shape ``(n, 2)``.
    """

    reserves: Limbs
    reserve_floats: NDArray[np.float64]


def pair_columns(count: int) -> PairColumns:
    """Return columns of empty pairs."""
    return PairColumns(np.zeros((count, 2, RESERVE_LIMBS), np.uint64), np.zeros((count, 2)))


def write_pair(pairs: PairColumns, slot: int, reserve0: int, reserve1: int) -> None:
    """Set both reserves, raw units below ``2**256``."""
    pairs.reserves[slot] = to_limbs((reserve0, reserve1), RESERVE_LIMBS)
    pairs.reserve_floats[slot] = to_floats(pairs.reserves[slot])


def read_pair(pairs: PairColumns, slot: int) -> tuple[int, int]:
    """Return both reserves, raw units."""
    reserve0, reserve1 = from_limbs(pairs.reserves[slot])
    return reserve0, reserve1
