"""Prices of tokens that bound what any set of trades in a market can earn.

With a price for every token, a market falls apart: each pool, alone, can earn some most at these prices,
and what all of them can earn together is no more than the sum. That holds for any prices that are not
below what a token is worth to the trader, so the lowest sum is a bound on every set of trades that makes
one swap in each pool at most, and zero if and only if nothing can be earned. The prices that give it are the
market's own. In pools where several swaps never beat one, a set may make any number.

``docs/explanation/portfolio.md`` has the derivation and says for which trades it holds.

References
----------
Diamandis, Resnick, Chitra, Angeris, "An Efficient Algorithm for Optimal Routing Through Constant Function
Market Makers", arXiv:2302.04938.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import permutations
from math import isfinite, log

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from chain.blocks import Address
from core.errors import InputError
from core.reasons import Reason
from market.pools.pool import Pool
from scoring.curves import Curve, MoebiusCurve, curve_of
from scoring.sizing import size_cycle

Floats = NDArray[np.float64]

_MARGIN = 2.0**-40
_FINE = 2.0**-64
"""Raw units in which single trades are sized, so that no step of the search is a whole unit."""
_NOTHING_WEI = 1.0
_MAX_STARTS = 6
_MAX_STEPS = 100
_GAIN_RELATIVE = 1e-3
_REMEMBERED = 20
_PROGRESS = 1e-13
_SLOPE = 1e-12
_FARTHEST = 60.0
"""How far the search may take the logarithm of a price from its first guess."""


@dataclass(frozen=True, slots=True)
class DualPrices:
    """Prices, and what a market can earn at most.

    Parameters
    ----------
    prices
        Wei of the native token per raw unit, of every token that a hub token can be traded for.
    residual
        Wei; the sum of what each pool can earn at these prices. Zero, within ``margin``, where no trade
        that ends short of nothing earns anything.
    margin
        Wei; what rounding of floats, and contracts that round in the trader's favour, may add.
    steps
        How often all pools were evaluated.
    """

    prices: Mapping[Address, float]
    residual: float
    margin: float
    steps: int

    @property
    def upper_bound(self) -> float:
        """Wei that no set of trades with at most one swap in each pool exceeds, before costs."""
        return self.residual + self.margin


def dual_prices(pools: Iterable[Pool], worth: Mapping[Address, float]) -> DualPrices:
    """Return the prices at which all pools together, one swap in each direction, can earn least.

    Parameters
    ----------
    pools
        The market; their order does not matter.
    worth
        Wei of the native token per raw unit of each token to profit in.

    Raises
    ------
    InputError
        If a worth is not a positive number, or none is given.

    Examples
    --------
    >>> from market.pools.spec import PoolSpec
    >>> from market.pools.uniswap_v2 import UniswapV2Pool
    >>> specs = [PoolSpec("uniswap_v2", name, name, ("0xa", "0xb"), 0) for name in ("0x1", "0x2")]
    >>> cheap, dear = (UniswapV2Pool(spec, 10**18, out) for spec, out in zip(specs, (10**18, 4 * 10**18)))
    >>> found = dual_prices([cheap, dear], {"0xa": 1.0})
    >>> round(found.residual / 1e18, 6), round(found.prices["0xb"], 6)
    (0.2, 0.36)
    >>> dual_prices([cheap], {"0xa": 1.0}).residual < 1.0
    True
    """
    if not worth or not all(isfinite(each) and each > 0.0 for each in worth.values()):
        raise InputError("worth must be a positive number of wei for one token at least", worth=dict(worth))
    ordered = sorted(pools, key=lambda pool: pool.pool_id)
    edges = [
        _Edge(token_in, token_out, curve)
        for pool in ordered
        for token_in, token_out in permutations(pool.tokens, 2)
        if (curve := curve_of(pool, token_in, token_out)).tangent_map()[0] > 0.0
    ]
    start = _first_prices(edges, worth)
    network = _Network([edge for edge in edges if edge.token_in in start], start)
    search = _Search(network, np.array([worth.get(token, 0.0) for token in start]))
    best = search.best(np.array(list(start.values())))
    residual, margin = network.bounds(best)
    return DualPrices(dict(zip(start, best.tolist(), strict=True)), residual, margin, search.steps)


@dataclass(frozen=True, slots=True)
class _Edge:
    """One direction of one pool that gives something."""

    token_in: Address
    token_out: Address
    curve: Curve


class _Network:
    """The edges of a market in columns; constant products are evaluated all at once."""

    def __init__(self, edges: list[_Edge], tokens: Iterable[Address]) -> None:
        place = {token: position for position, token in enumerate(tokens)}
        self.tokens = len(place)
        self._in = np.array([place[edge.token_in] for edge in edges], np.intp)
        self._out = np.array([place[edge.token_out] for edge in edges], np.intp)
        self._curves = [edge.curve for edge in edges]
        maps = np.array([curve.tangent_map() for curve in self._curves]).reshape(-1, 2)
        self._rate, self._bend = maps[:, 0], maps[:, 1]
        self._excess = np.array([curve.excess for curve in self._curves])
        self._closed = np.array([isinstance(curve, MoebiusCurve) for curve in self._curves], bool)

    def depth(self, prices: Floats) -> Floats:
        """Return by token how many wei the pools that hold it are deep."""
        depth = prices[self._in] / self._bend
        return self._per_token(self._in, depth) + self._per_token(self._out, depth)

    def evaluate(self, prices: Floats) -> tuple[float, Floats]:
        """Return the sum of the best profits, in wei, and by token the net flow to the trader, raw units."""
        amounts_in, amounts_out, profits, _ = self._trades(prices)
        flows = self._per_token(self._out, amounts_out) - self._per_token(self._in, amounts_in)
        return float(profits.sum()), flows

    def bounds(self, prices: Floats) -> tuple[float, float]:
        """Return the sum of the best profits, and by how much it may be too low, in wei."""
        amounts_in, amounts_out, profits, gaps = self._trades(prices)
        spent, got = prices[self._in] * amounts_in, prices[self._out] * amounts_out
        excess = prices[self._out] * self._excess
        margin = _MARGIN * float((spent + got).sum()) + float(gaps.sum()) + float(excess.sum())
        return float(profits.sum()), margin

    def _trades(self, prices: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Return each edge's best input and output (raw), its profit and how much is not found (wei)."""
        price_in, price_out = prices[self._in], prices[self._out]
        root = np.sqrt(np.maximum(self._rate * (price_out / price_in), 1.0))
        amounts_in = (root - 1.0) / self._bend
        amounts_out = amounts_in * self._rate / root
        profits = price_in * (root - 1.0) * amounts_in
        gaps = np.zeros(len(profits))
        for edge in np.flatnonzero((root > 1.0) & ~self._closed).tolist():
            trade = _best_trade(self._curves[edge], price_out[edge] / price_in[edge])
            amounts_in[edge], amounts_out[edge] = trade[:2]
            profits[edge], gaps[edge] = trade[2] * price_in[edge], trade[3] * price_in[edge]
        return amounts_in, amounts_out, profits, gaps

    def _per_token(self, tokens: NDArray[np.intp], values: Floats) -> Floats:
        return np.bincount(tokens, values, self.tokens).astype(np.float64, copy=False)


def _best_trade(curve: Curve, price: float) -> tuple[float, float, float, float]:
    """Return best input, its output, its profit, and how far that may be below the best of all.

    All but the output in raw units of input; ``price`` is theirs for one unit of output.
    """
    size = size_cycle([MoebiusCurve(_FINE, 0.0), curve, MoebiusCurve(price / _FINE, 0.0)])
    if isinstance(size, Reason):
        return 0.0, 0.0, 0.0, _FINE
    amount_in = _FINE * size.amount_in
    return (
        amount_in,
        curve.evaluate(amount_in)[0],
        _FINE * size.profit,
        _FINE * (size.upper_bound - size.profit),
    )


class _Search:
    """Descent in the logarithms of prices; every price seen is a bound, and the lowest is kept.

    The sum is convex in the prices, so where it is stationary in their logarithms it is lowest. Its slope
    along a price is the net flow of that token. Steps are measured by the depth of the pools around a
    token, since pools of a market differ by many orders of magnitude.
    """

    def __init__(self, network: _Network, worth: Floats) -> None:
        self._network = network
        self._worth = worth
        self._lowest = np.inf
        self._prices = worth
        self.steps = 0

    def best(self, prices: Floats) -> Floats:
        """Return the prices, in wei per raw unit, found from a first guess."""
        before, after = np.inf, self._value(prices)[0]
        for _ in range(_MAX_STARTS):
            if after <= _NOTHING_WEI or before - after <= _GAIN_RELATIVE * after:
                break
            self._descend(self._prices, after)
            before, after = after, self._lowest
        return self._prices

    def _descend(self, prices: Floats, scale: float) -> None:
        """Go down from these prices, at which the sum is ``scale`` wei, until steps gain little.

        A start anew measures its steps afresh, and a step that once went wrong is forgotten.
        """
        step = np.sqrt(scale / np.maximum(self._network.depth(prices), scale))
        origin = np.log(prices)
        with np.errstate(divide="ignore"):
            least = (np.log(self._worth) - origin) / step
        farthest = _FARTHEST / step

        def objective(moves: Floats) -> tuple[float, Floats]:
            value, slopes = self._value(np.maximum(np.exp(origin + step * moves), self._worth))
            return value / scale, slopes * step / scale

        def enough(intermediate_result: object) -> None:
            if self._lowest <= _NOTHING_WEI:
                raise StopIteration

        minimize(
            objective,
            np.zeros(len(prices)),
            jac=True,
            method="L-BFGS-B",
            bounds=np.column_stack([np.maximum(least, -farthest), farthest]),
            callback=enough,
            options={"maxiter": _MAX_STEPS, "maxcor": _REMEMBERED, "ftol": _PROGRESS, "gtol": _SLOPE},
        )

    def _value(self, prices: Floats) -> tuple[float, Floats]:
        """Return the sum in wei, and its slopes along the logarithms of the prices."""
        self.steps += 1
        value, flows = self._network.evaluate(prices)
        if value < self._lowest:
            self._lowest, self._prices = value, prices
        return value, prices * flows


def _first_prices(edges: list[_Edge], worth: Mapping[Address, float]) -> dict[Address, float]:
    """Return prices that follow from the tokens to profit in, through the deepest pool first.

    A token that nothing leads to or from has none: it takes part in no trade that earns anything.
    """
    around: dict[Address, list[tuple[Address, float, float]]] = {}
    for edge in edges:
        rate, bend = edge.curve.tangent_map()
        around.setdefault(edge.token_in, []).append((edge.token_out, 1.0 / rate, 1.0 / bend))
        around.setdefault(edge.token_out, []).append((edge.token_in, rate, rate / bend))
    prices: dict[Address, float] = {}
    # the logarithm of the price lets ties be broken by token alone and keeps the queue finite
    queue = [(-float("inf"), token, log(each)) for token, each in sorted(worth.items())]
    while queue:
        _, token, at = heappop(queue)
        if token in prices:
            continue
        price = worth.get(token, 0.0) or float(np.exp(at))
        prices[token] = price
        for other, rate, depth in around.get(token, ()):
            if other not in prices:
                heappush(queue, (-price * depth, other, log(price) + log(rate)))
    return prices
