"""Balances of pools with any number of tokens in columns, padded to the pool that has most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chain.blocks import Address
from market.arrays.limbs import Limbs, compiled, from_limbs, to_floats, to_limbs

BALANCE_LIMBS = 4
TOKEN_LIMBS = 3


class BalanceColumns(NamedTuple):
    """One row per pool, one place per token.

    Parameters
    ----------
    length
        Tokens of each pool, shape ``(n,)``.
    tokens
        Addresses, shape ``(n, most, 3)``.
    balances
        Raw units, shape ``(n, most, 4)``; zero where there is no token.
    balance_floats
        The same as float64, shape ``(n, most)``.
    """

    length: NDArray[np.int32]
    tokens: Limbs
    balances: Limbs
    balance_floats: NDArray[np.float64]


def balance_columns(count: int, most: int) -> BalanceColumns:
    """Return columns of pools without tokens."""
    return BalanceColumns(
        np.zeros(count, np.int32),
        np.zeros((count, most, TOKEN_LIMBS), np.uint64),
        np.zeros((count, most, BALANCE_LIMBS), np.uint64),
        np.zeros((count, most)),
    )


def write_tokens(pools: BalanceColumns, slot: int, tokens: Sequence[Address]) -> None:
    """Set the tokens of a pool."""
    pools.length[slot] = len(tokens)
    pools.tokens[slot, : len(tokens)] = to_limbs((int(token, 16) for token in tokens), TOKEN_LIMBS)


def write_balances(pools: BalanceColumns, slot: int, balances: Sequence[int]) -> None:
    """Set the balances of a pool, raw units below ``2**256``."""
    pools.balances[slot, : len(balances)] = to_limbs(balances, BALANCE_LIMBS)
    pools.balance_floats[slot] = to_floats(pools.balances[slot])


def read_balances(pools: BalanceColumns, slot: int) -> tuple[int, ...]:
    """Return the balances of a pool, raw units."""
    return tuple(from_limbs(pools.balances[slot, : pools.length[slot]]))


@compiled
def place_of_token(pools: BalanceColumns, slot: int, words: Limbs, log: int, word: int) -> int:
    """Return the place of the token in a log's word among a pool's, -1 if it is not one of them."""
    for place in range(pools.length[slot]):
        same = True
        for limb in range(TOKEN_LIMBS):
            same = same and pools.tokens[slot, place, limb] == words[log, word, limb]
        if same:
            return place
    return -1
