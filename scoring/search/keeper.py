"""The best loops met so far.

A loop through several hubs is met once for each of them; it is kept once, with the start that earns most.
What is kept does not depend on the order in which loops are met: net values and, where they are equal, hops
order all cycles.
"""

from __future__ import annotations

from math import inf
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.compiled import compiled

WIDTH = 4
_SIZE, _WORST = 0, 1


class Keeper(NamedTuple):
    """Rows for the best loops, in no order.

    Parameters
    ----------
    hops, length, start
        int32 hops of shape ``(rows, WIDTH)``, padded; how many there are; the token they start in.
    amount_in, profit, upper_bound
        float64, raw units of the start token.
    net
        float64, wei of the native token.
    loop
        The hops turned so that the least row comes first, which tells loops apart.
    state
        int64: how many rows are taken, and once all are, the row of the worst.
    widest
        float64 of length 1; greatest distance, wei, between the profit of any loop met and its bound.
    """

    hops: NDArray[np.int32]
    length: NDArray[np.int32]
    start: NDArray[np.int32]
    amount_in: NDArray[np.float64]
    profit: NDArray[np.float64]
    upper_bound: NDArray[np.float64]
    net: NDArray[np.float64]
    loop: NDArray[np.int32]
    state: NDArray[np.int64]
    widest: NDArray[np.float64]


def empty_keeper(rows: int) -> Keeper:
    """Return a keeper of so many loops, with none in it."""
    return Keeper(
        np.zeros((rows, WIDTH), np.int32),
        np.zeros(rows, np.int32),
        np.zeros(rows, np.int32),
        np.zeros(rows),
        np.zeros(rows),
        np.zeros(rows),
        np.zeros(rows),
        np.zeros((rows, WIDTH), np.int32),
        np.zeros(2, np.int64),
        np.zeros(1),
    )


@compiled
def kept(keeper: Keeper) -> int:
    """Return how many loops are kept."""
    return keeper.state[_SIZE]  # type: ignore[no-any-return]


@compiled
def least_net(keeper: Keeper) -> float:
    """Return the net value, wei, below which nothing can be kept any more."""
    if keeper.state[_SIZE] < len(keeper.net):
        return 0.0
    return keeper.net[keeper.state[_WORST]]  # type: ignore[no-any-return]


@compiled
def keep(
    keeper: Keeper,
    hops: NDArray[np.int32],
    length: int,
    start: int,
    size: tuple[float, float, float],
    net: float,
) -> None:
    """Keep a cycle if it is among the best loops, earns something, and beats its loop's other starts.

    Parameters
    ----------
    keeper
        What is kept so far.
    hops, length, start
        The cycle; ``hops`` is padded.
    size
        Amount in, profit and its upper bound, raw units of the start token.
    net
        Wei of the native token.
    """
    if not 0.0 < net < inf:
        return
    is_full = keeper.state[_SIZE] == len(keeper.net)
    # what does not beat the worst beats no start of its own loop either
    if is_full and not _beats(net, hops, keeper, keeper.state[_WORST]):
        return
    loop = np.empty(WIDTH, np.int32)
    _turn(hops, length, loop)
    row = _find(keeper, loop)
    if row >= 0:
        if not _beats(net, hops, keeper, row):
            return
    elif is_full:
        row = keeper.state[_WORST]
    else:
        row = keeper.state[_SIZE]
        keeper.state[_SIZE] += 1
    for hop in range(WIDTH):
        keeper.hops[row, hop], keeper.loop[row, hop] = hops[hop], loop[hop]
    keeper.length[row], keeper.start[row], keeper.net[row] = length, start, net
    keeper.amount_in[row], keeper.profit[row], keeper.upper_bound[row] = size
    if keeper.state[_SIZE] == len(keeper.net) and (not is_full or row == keeper.state[_WORST]):
        _note_worst(keeper)


@compiled
def _note_worst(keeper: Keeper) -> None:
    worst = 0
    for row in range(1, len(keeper.net)):
        if _beats(keeper.net[worst], keeper.hops[worst], keeper, row):
            worst = row
    keeper.state[_WORST] = worst


@compiled
def _turn(hops: NDArray[np.int32], length: int, loop: NDArray[np.int32]) -> None:
    least = 0
    for hop in range(1, length):
        if hops[hop] < hops[least]:
            least = hop
    for hop in range(WIDTH):
        loop[hop] = hops[(least + hop) % length] if hop < length else hops[hop]


@compiled
def _find(keeper: Keeper, loop: NDArray[np.int32]) -> int:
    for row in range(keeper.state[_SIZE]):
        hop = 0
        while hop < WIDTH and keeper.loop[row, hop] == loop[hop]:
            hop += 1
        if hop == WIDTH:
            return row
    return -1


@compiled
def _beats(net: float, hops: NDArray[np.int32], keeper: Keeper, row: int) -> bool:
    if net != keeper.net[row]:
        return net > keeper.net[row]  # type: ignore[no-any-return]
    for hop in range(WIDTH):
        if hops[hop] != keeper.hops[row, hop]:
            return hops[hop] < keeper.hops[row, hop]  # type: ignore[no-any-return]
    return False
