"""States that a cycle's pools may be in when a trade is carried out, from forecasts of their prices.

A forecast is a mean and a standard deviation of the move of a pool's log price. It becomes a few states at
the nodes of Gauss and Hermite, with their weights: so many nodes integrate polynomials of twice their
number less one exactly, which no sample of that size does, and the same forecast gives the same states.

A pool of constant product moves along its curve: at the move ``m`` one reserve is multiplied by
``exp(-m/2)`` and the other by ``exp(m/2)``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from math import exp, isfinite, prod

import numpy as np

from core.errors import InputError
from market.pools.pool import Pool
from market.pools.uniswap_v2 import MAX_RESERVE, UniswapV2Pool
from scoring.curves import curve_of
from scoring.cycles import Edge
from scoring.risk_size import Scenario

_MOST = 1024
_FARTHEST = 50.0


@dataclass(frozen=True, slots=True)
class PriceMove:
    """What is known of the move of a pool's price.

    Parameters
    ----------
    mean, deviation
        Of the natural logarithm of the price of the pool's first token in its second.
    """

    mean: float
    deviation: float


def moved_along_curve(pool: Pool, move: float) -> UniswapV2Pool:
    """Return a pool of constant product after its log price moved, by whoever's trades.

    Parameters
    ----------
    pool
        A pair.
    move
        Of the natural logarithm of the price of the first token in the second.

    Raises
    ------
    InputError
        If the pool is no pair, or the move leads out of its reserves' 112 bits.

    Examples
    --------
    >>> from market.pools.spec import PoolSpec
    >>> pool = UniswapV2Pool(PoolSpec("uniswap_v2", "0xp", "0xp", ("0xa", "0xb"), 3000), 10**6, 10**6)
    >>> moved = moved_along_curve(pool, 0.02)
    >>> moved.reserve0, moved.reserve1
    (990050, 1010050)
    """
    if not isinstance(pool, UniswapV2Pool):
        raise InputError(
            "only pairs of constant product can be moved along their curve", pool_id=pool.pool_id
        )
    if not isfinite(move) or abs(move) > _FARTHEST:
        raise InputError("a log price moves by a finite number, not by orders of magnitude", move=move)
    reserve0, reserve1 = round(pool.reserve0 * exp(-0.5 * move)), round(pool.reserve1 * exp(0.5 * move))
    if max(reserve0, reserve1) > MAX_RESERVE:
        raise InputError("the move leads out of what a pair can hold; take a smaller one", move=move)
    return pool.after_sync(reserve0, reserve1)


def forecast_scenarios(
    pools: Mapping[str, Pool],
    edges: Sequence[Edge],
    moves: Mapping[str, PriceMove],
    *,
    nodes: int = 7,
    inclusion: float = 1.0,
) -> list[Scenario]:
    """Return the states of a cycle under independent forecasts of some of its pools.

    Parameters
    ----------
    pools
        Present state by pool id.
    edges
        The cycle.
    moves
        By pool id; pools of the cycle without one stay.
    nodes
        States of each pool that moves; all combinations are taken.
    inclusion
        Probability that the trade is carried out at all.

    Raises
    ------
    InputError
        If a forecast or the probability is no such number, a pool is not of the cycle or no pair, or there
        would be more than 1024 states.

    Examples
    --------
    >>> from market.pools.spec import PoolSpec
    >>> pools = {
    ...     name: UniswapV2Pool(PoolSpec("uniswap_v2", name, name, ("0xa", "0xb"), 3000), 10**6, out)
    ...     for name, out in (("0x1", 10**6), ("0x2", 2 * 10**6))
    ... }
    >>> edges = [Edge("0x2", "0xa", "0xb"), Edge("0x1", "0xb", "0xa")]
    >>> states = forecast_scenarios(pools, edges, {"0x2": PriceMove(-0.1, 0.05)}, nodes=3)
    >>> [round(state.probability, 4) for state in states]
    [0.1667, 0.6667, 0.1667]
    """
    named = sorted(moves)
    if not {edge.pool_id for edge in edges} >= set(named):
        raise InputError("a forecast is for a pool that the cycle does not use", pools=named)
    for move in moves.values():
        if not (isfinite(move.mean) and isfinite(move.deviation) and move.deviation >= 0.0):
            raise InputError(
                "a forecast needs a finite mean and a deviation that is not negative", **asdict(move)
            )
    if not (0.0 <= inclusion <= 1.0) or nodes < 1 or nodes ** len(named) > _MOST:
        raise InputError(
            f"take at least one node, at most {_MOST} states, and a probability between 0 and 1",
            nodes=nodes,
            pools=len(named),
            inclusion=inclusion,
        )
    points, weights = np.polynomial.hermite_e.hermegauss(nodes)
    shares = (weights / weights.sum()).tolist()
    states = []
    for places in product(range(nodes), repeat=len(named)):
        changed = {
            name: moved_along_curve(pools[name], moves[name].mean + moves[name].deviation * float(points[at]))
            for name, at in zip(named, places, strict=True)
        }
        curves = tuple(
            curve_of(changed.get(edge.pool_id, pools[edge.pool_id]), edge.token_in, edge.token_out)
            for edge in edges
        )
        states.append(Scenario(inclusion * prod(shares[at] for at in places), curves))
    return states
