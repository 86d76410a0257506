"""Tables of cycles: all of a market, or as many as one wants drawn at random.

The walk goes depth first and takes edges in ascending order, from the first edge on, so cycles come out in
lexicographic order of their hops. It never takes a last hop that does not close the cycle: edges are looked
up by the pair of tokens that they join.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.compiled import compiled
from core.errors import InputError
from core.seams import Randomness
from scoring.columns import EdgeColumns
from scoring.devices.device import CycleTable

LEAST_HOPS, MOST_HOPS = 2, 5
MOST_CYCLES = 2**31 - 1
_UINT16_ROWS = 2**16


class _Ways(NamedTuple):
    """Edges by token taken, ascending, and by pair of tokens; ``firsts`` are where a token's begin."""

    leaving: NDArray[np.int32]
    firsts: NDArray[np.int64]
    joining: NDArray[np.int32]
    pool: NDArray[np.int32]
    token_in: NDArray[np.int32]
    token_out: NDArray[np.int32]


def list_cycles(edges: EdgeColumns, worth: NDArray[np.float64], max_hops: int = 4) -> CycleTable:
    """Return all cycles of a market.

    Parameters
    ----------
    edges
        The market.
    worth
        Wei of the native token for a raw unit of every token; cycles start where it is positive.
    max_hops
        Longest cycle, 2 to 5 hops.

    Raises
    ------
    InputError
        If the hops are out of range, or there are more cycles than 31 bits can number.

    Examples
    --------
    >>> from scoring.columns import moebius_columns
    >>> one, there, back = np.ones(4), np.array([0, 1, 0, 1]), np.array([1, 0, 1, 0])
    >>> edges, _ = moebius_columns(one, one, np.array([0, 0, 1, 1]), there, back, one)
    >>> table = list_cycles(edges, np.array([1.0, 0.0]), 3)
    >>> table.hops.tolist(), table.start.tolist()
    ([[0, 3, 4], [2, 1, 4]], [0, 0])
    """
    ways, starts = _ways(edges, worth, max_hops)
    total = int(_walk(ways, starts, _no_hops(max_hops), _EVERY))
    if total > MOST_CYCLES:
        raise InputError(f"the market has {total:,} cycles, more than a table takes; draw a sample of them")
    return _table(edges, ways, starts, max_hops, total, _EVERY)


def count_cycles(edges: EdgeColumns, worth: NDArray[np.float64], max_hops: int = 4) -> int:
    """Return how many cycles :func:`list_cycles` would list."""
    ways, starts = _ways(edges, worth, max_hops)
    return int(_walk(ways, starts, _no_hops(max_hops), _EVERY))


def sample_cycles(
    edges: EdgeColumns, worth: NDArray[np.float64], count: int, max_hops: int = 4, seed: int = 0
) -> CycleTable:
    """Return so many of all cycles, each set of them as likely as any other; all, if there are fewer.

    Parameters
    ----------
    edges, worth, max_hops
        As for :func:`list_cycles`.
    count
        How many.
    seed
        Of the draw.

    Raises
    ------
    InputError
        If the hops are out of range or the count is negative.
    """
    if not 0 <= count <= MOST_CYCLES:
        raise InputError(f"a table takes 0 to {MOST_CYCLES:,} cycles; ask for that many", count=count)
    ways, starts = _ways(edges, worth, max_hops)
    total = int(_walk(ways, starts, _no_hops(max_hops), _EVERY))
    if total <= count:
        return _table(edges, ways, starts, max_hops, total, _EVERY)
    draw = Randomness(seed).stream("cycles")
    return _table(edges, ways, starts, max_hops, count, _drawn(draw, total, count))


_EVERY = np.full(1, -1)
"""Instead of the ordinals of those to list: all."""


def _no_hops(max_hops: int) -> NDArray[np.int32]:
    """Return a table without rows: to count only."""
    return np.empty((0, max_hops), np.int32)


def _ways(edges: EdgeColumns, worth: NDArray[np.float64], max_hops: int) -> tuple[_Ways, NDArray[np.int32]]:
    """Return the graph, and the edges that leave a start token."""
    if not LEAST_HOPS <= max_hops <= MOST_HOPS:
        raise InputError(f"cycles have {LEAST_HOPS} to {MOST_HOPS} hops, not {max_hops}", max_hops=max_hops)
    pool, token_in, token_out = edges.pool[:-1], edges.token_in[:-1], edges.token_out[:-1]
    leaving = np.argsort(token_in, kind="stable").astype(np.int32)
    joining = np.lexsort((token_out, token_in)).astype(np.int32)
    tokens = max(token_in.max(initial=-1), token_out.max(initial=-1)) + 1
    if tokens > len(worth):
        raise InputError("an edge takes or gives a token that has no worth; give every token's, 0 for most")
    firsts = np.searchsorted(token_in[leaving], np.arange(tokens + 1))
    starts = np.flatnonzero(np.asarray(worth)[token_in] > 0.0).astype(np.int32)
    return _Ways(leaving, firsts, joining, pool, token_in, token_out), starts


def _drawn(draw: np.random.Generator, total: int, count: int) -> NDArray[np.int64]:
    """Return ordinals, ascending, of which the last is beyond all."""
    if 3 * count > total:
        chosen = np.sort(draw.permutation(total)[:count])
    else:
        chosen = np.empty(0, np.int64)
        while len(chosen) < count:
            more = draw.integers(0, total, count - len(chosen))
            chosen = np.sort(np.concatenate([chosen, more]))
            chosen = chosen[np.diff(chosen, prepend=-1) > 0]
    return np.append(chosen, total)


def _table(
    edges: EdgeColumns,
    ways: _Ways,
    starts: NDArray[np.int32],
    max_hops: int,
    count: int,
    ordinals: NDArray[np.int64],
) -> CycleTable:
    rows = len(edges.rate)
    kind = np.uint16 if rows <= _UINT16_ROWS else np.int32
    hops: NDArray[Any] = np.full((count, max_hops), rows - 1, kind)
    _walk(ways, starts, hops, ordinals)
    return CycleTable(hops, edges.token_in[hops[:, 0]])


@compiled
def _walk(ways: _Ways, starts: NDArray[np.int32], hops: NDArray[Any], ordinals: NDArray[np.int64]) -> int:
    """Walk all cycles; write those of the given ordinals, and return how many there are.

    A table without rows is not written.
    """
    leaving, firsts, joining, pool, token_in, token_out = ways
    last = hops.shape[1] - 1
    path, at, stop = np.zeros(last + 1, np.int32), np.zeros(last + 1, np.int64), np.zeros(last + 1, np.int64)
    seen = written = 0
    for first in starts:
        path[0], start, depth = first, token_in[first], 1
        at[1], stop[1] = _next_hops(firsts, joining, token_out, token_out[first], start, last == 1)
        while depth > 0:
            if at[depth] == stop[depth]:
                depth -= 1
                continue
            edge = joining[at[depth]] if depth == last else leaving[at[depth]]
            at[depth] += 1
            seen_before = False
            for hop in range(depth):
                seen_before |= pool[path[hop]] == pool[edge]
                seen_before |= hop > 0 and token_in[path[hop]] == token_out[edge]
            if seen_before:
                continue
            path[depth] = edge
            if token_out[edge] != start:
                depth += 1
                at[depth], stop[depth] = _next_hops(
                    firsts, joining, token_out, token_out[edge], start, depth == last
                )
                continue
            if written < len(hops) and (ordinals[0] < 0 or ordinals[written] == seen):
                for hop in range(depth + 1):
                    hops[written, hop] = path[hop]
                written += 1
            seen += 1
    return seen


@compiled
def _next_hops(
    firsts: NDArray[np.int64],
    joining: NDArray[np.int32],
    token_out: NDArray[np.int32],
    here: int,
    start: int,
    closing: bool,
) -> tuple[int, int]:
    """Return where the edges that may come next stand: all that leave, or at last those that close."""
    first, stop = firsts[here], firsts[here + 1]
    if not closing:
        return first, stop
    return _lower_bound(joining, token_out, first, stop, start), _lower_bound(
        joining, token_out, first, stop, start + 1
    )


@compiled
def _lower_bound(
    joining: NDArray[np.int32], token_out: NDArray[np.int32], first: int, stop: int, token: int
) -> int:
    """Return the first place from which edges of one token lead to ``token`` or a later one."""
    while first < stop:
        middle = (first + stop) // 2
        if token_out[joining[middle]] < token:
            first = middle + 1
        else:
            stop = middle
    return first
