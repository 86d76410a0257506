"""Sizes along pieces against every input of a fine grid, evaluated in plain Python."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.columns import MOEBIUS, SEGMENTED, EdgeColumns, PieceColumns, moebius_columns
from scoring.kernels.solve import solve, solve_many
from scoring.kernels.walk import walk

seeds = st.integers(0, 10**9)
ONE = 1e18


def chain(rng: random.Random, price: float) -> list[tuple[float, float, float]]:
    """Pieces ``(a, c, width)`` of one direction: rates fall within a piece, and jump down where a gap is."""
    found, rate = [], price
    for _ in range(rng.choice([1, 2, 5, 40])):
        falls = 10 ** rng.uniform(-4, -0.5)
        width = ONE * 10 ** rng.uniform(-3, 1)
        bend = falls / width
        found.append((rate, bend, width))
        rate /= (1.0 + falls) ** 2
        rate *= rng.choice([1.0, 1.0, 1.0, 0.97])
    return found


def columns(chains: list[list[tuple[float, float, float]]]) -> tuple[EdgeColumns, PieceColumns]:
    """Edges of one piece are constant product, those of more are segmented."""
    ids, zeros = np.arange(len(chains), dtype=np.int32), np.zeros(len(chains))
    rates, bends = (
        np.array([one[0][0] for one in chains]),
        np.array([min(c for _, c, _ in one) for one in chains]),
    )
    edges, _ = moebius_columns(rates, bends, ids, ids, ids, zeros)
    rows = []
    for place, pieces in enumerate(chains):
        edges.first[place] = len(rows)
        edges.kind[place] = MOEBIUS if len(pieces) == 1 else SEGMENTED
        # with its least bend and no piece steeper than the first at its start, a majorant
        edges.bend[place] = pieces[0][1] if len(pieces) == 1 else 0.5 * least_bend(pieces)
        given_in = paid = 0.0
        for a, c, width in pieces:
            rows.append((a, c, given_in, paid, width))
            given_in, paid = given_in + width, paid + a * width / (1.0 + c * width)
        edges.stop[place] = len(rows)
    return edges, PieceColumns(*(np.array(column) for column in zip(*rows, strict=True)))


def least_bend(pieces: list[tuple[float, float, float]]) -> float:
    """``a / f(x) - 1 / x`` at the least, over many inputs; far out the curve is flat."""
    end = sum(width for _, _, width in pieces)
    return min(pieces[0][0] / paid_by(pieces, x) - 1.0 / x for x in np.geomspace(1e-6 * end, 2.0 * end, 400))


def paid_by(pieces: list[tuple[float, float, float]], amount: float) -> float:
    if len(pieces) == 1:
        a, c, _ = pieces[0]
        return a * amount / (1.0 + c * amount)
    paid = 0.0
    for a, c, width in pieces:
        inside = min(amount, width)
        paid += a * inside / (1.0 + c * inside)
        amount -= inside
    return paid


def profit(chains: list[list[tuple[float, float, float]]], amount: float) -> float:
    paid = amount
    for pieces in chains:
        paid = paid_by(pieces, paid)
    return paid - amount


def cycle(rng: random.Random, pieced: int, count: int) -> list[list[tuple[float, float, float]]]:
    """A cycle that gains a little or a lot; ``pieced`` of its hops have pieces, in any places."""
    noise = rng.choice([0.002, 0.02, 0.2, 1.0])
    prices = [np.exp(rng.gauss(0.0, 2.0)) for _ in range(count - 1)]
    prices.append(np.exp(abs(rng.gauss(0.0, noise))) / np.prod(prices))
    places = set(rng.sample(range(count), pieced))
    chains = []
    for place, price in enumerate(prices):
        pieces = chain(rng, price)
        chains.append(pieces if place in places and len(pieces) > 1 else pieces[:1])
    return chains


def grid(best: float) -> np.ndarray:
    around = best * (1.0 + np.array([-1e-3, -1e-6, -1e-9, 1e-9, 1e-6, 1e-3]))
    return np.concatenate([np.geomspace(1e-6 * ONE, 1e3 * ONE, 150), around])


@settings(max_examples=60, deadline=None)
@given(seed=seeds, count=st.integers(2, 5))
def test_no_input_earns_more_than_the_size_or_its_bound(seed, count):
    rng = random.Random(seed)
    chains = cycle(rng, rng.randint(1, count), count)
    edges, pieces = columns(chains)
    amount, earned, bound = solve(edges, pieces, np.arange(count), count)
    assert earned == pytest.approx(profit(chains, amount), abs=1e-13 * amount + 1e-3)
    assert earned <= bound <= earned * (1 + 1e-9) + 1e-10 * amount + 1.0
    for other in grid(amount):
        assert profit(chains, other) <= earned + 1e-9 * abs(earned) + 1e-13 * other + 1.0
        assert profit(chains, other) <= bound + 1e-15 * other


@settings(max_examples=60, deadline=None)
@given(seed=seeds, place=st.integers(0, 2))
def test_one_edge_with_pieces_is_walked_to_the_best_input_itself(seed, place):
    rng = random.Random(seed)
    chains = [pieces[:1] for pieces in cycle(rng, 0, 3)]
    chains[place] = [(chains[place][0][0] * a, c, width) for a, c, width in chain(rng, 1.0)]
    _, pieces = columns([chains[place]])
    before, after = together(chains[:place]), together(chains[place + 1 :])
    best = walk(before, after, 0, len(pieces.a), *pieces)
    chains[place] = [*chains[place], (0.0, 0.0, 1.0)]
    for other in grid(best):
        assert profit(chains, other) <= profit(chains, best) + 1e-13 * other


def together(chains: list[list[tuple[float, float, float]]]) -> tuple[float, float]:
    rate, bend = 1.0, 0.0
    for ((a, c, _),) in chains:
        rate, bend = rate * a, bend + c * rate
    return rate, bend


def test_many_of_them_are_each_alone():
    rng = random.Random(3)
    cycles = [cycle(rng, 2, 3) for _ in range(40)]
    edges, pieces = columns([pieces for chains in cycles for pieces in chains])
    hops = np.arange(120).reshape(40, 3)
    found = np.zeros((3, 40))
    solve_many(edges, pieces, hops, *found)
    assert found.T.tolist() == [list(solve(edges, pieces, row, 3)) for row in hops]
    assert (found[1] > 0.0).sum() > 30
