"""What the stable formula needs of one direction of a pool: Curve's three generations and Balancer's two.

The contracts find the invariant D in integers. A D that is too small by some units makes a trade pay more,
by that many units times what the last balance falls with D; this and a unit for each rounding of the trade
is the ``excess``. It is a few units in 18 decimals, more where balances are far apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from market.pools import balancer_v3, composable_stable
from market.pools.balancer_v3_stable import BalancerV3StablePool
from market.pools.composable_stable import ComposableStablePool
from market.pools.curve_stable import FEE_DENOMINATOR, CurveStablePool, Generation
from market.pools.log_exp_math import mul_down
from market.pools.stable_math import AMPLIFICATION_PRECISION, invariant
from market.quotes.stable import trade
from market.quotes.terms import DEAD, ONE, ConstantProductTerms, account_of

_WORD = 2.0**256
_CURVE_PRECISION = 100
_HALVINGS = 60
_CLEARLY_BEYOND = 1.0 + 2.0**-40


@dataclass(frozen=True, slots=True)
class StableTerms:
    """One direction of a stable pool.

    Parameters
    ----------
    balance_in, balance_out
        Scaled to 18 decimals and by rates.
    product_term
        ``T`` of :func:`market.quotes.stable.amounts_out`.
    into
        Scaled input that counts of one raw unit.
    out
        Raw units paid of one scaled unit.
    largest, excess
        As of :mod:`market.quotes.terms`.
    fee, multiplier
        Share of the output at balance, and how many times it may rise, of Curve's newest generation where
        the fee moves; it is not in ``out`` then. Zero and one elsewhere.
    """

    balance_in: float
    balance_out: float
    product_term: float
    into: float
    out: float
    largest: float
    excess: float
    fee: float = 0.0
    multiplier: float = 1.0


@dataclass(frozen=True, slots=True)
class _Level:
    """Scaled balances, the contract's D, and ``A n`` as a fraction of integers."""

    balances: tuple[int, ...]
    found: int
    amplification: int
    precision: int

    def product_term(self) -> float:
        count, found = len(self.balances), self.found
        above: int = found ** (count + 1) * self.precision
        term: float = above / (count**count * prod(self.balances) * self.amplification)
        return term

    def excess(self, index_out: int) -> float:
        """Return how much more may leave, scaled, since D is no real number."""
        count, found, precision = len(self.balances), self.found, self.precision
        product = count**count * prod(self.balances)
        power: int = found ** (count + 1)
        total = sum(self.balances) - found
        above = (self.amplification * total + found * precision) * product - power * precision
        slope = self.amplification / precision - 1.0 + (count + 1) * (power / (product * found))
        low = max(above / (product * precision) / slope, 0.0)
        falls = max((count + 1) * (self.balances[index_out] / found), 1.0)
        return float(low * falls + 1.0)


def composable_stable_terms(
    pool: ComposableStablePool, index_in: int, index_out: int
) -> StableTerms | ConstantProductTerms:
    """Return the terms of a pool of the V2 vault at its time: rates that have expired are renewed."""
    rates = [cached.at(pool.timestamp).rate if cached else ONE for cached in pool.rates]
    factors = [10 ** (18 - places) * rate for places, rate in zip(pool.decimals, rates, strict=True)]
    scaled = tuple(mul_down(*pair) for pair in zip(pool.balances, factors, strict=True))
    level = _balancer_level(scaled, pool.amplification.at(pool.timestamp))
    if level is None:
        return DEAD
    return StableTerms(
        float(scaled[index_in]),
        float(scaled[index_out]),
        level.product_term(),
        (1.0 - pool.swap_fee / ONE) * (factors[index_in] / ONE),
        ONE / factors[index_out],
        float(composable_stable.MAX_BALANCE - pool.balances[index_in]),
        level.excess(index_out) * ONE / factors[index_out],
    )


def balancer_v3_stable_terms(
    pool: BalancerV3StablePool, index_in: int, index_out: int
) -> StableTerms | ConstantProductTerms:
    """Return the terms of a pool of the V3 vault, up to where its balances would be too far apart."""
    account = account_of(pool, index_in, index_out)
    if account is None:
        return DEAD
    live = account.last_live
    level = _balancer_level(live, pool.amplification.at(pool.timestamp))
    if level is None:
        return DEAD
    into, term = (1.0 - account.swap_fee / ONE) * (account.factor(index_in) / ONE), level.product_term()
    largest = float(balancer_v3.MAX_BALANCE - account.balances[index_in])
    if pool.imbalance_limit:
        balanced = _within_limit(live, index_in, index_out, term, pool.imbalance_limit)
        largest = min(largest, balanced / into)
    if largest == 0.0:
        return DEAD
    out = ONE / account.factor(index_out)
    excess = level.excess(index_out) * out
    return StableTerms(float(live[index_in]), float(live[index_out]), term, into, out, largest, excess)


def curve_stable_terms(
    pool: CurveStablePool, index_in: int, index_out: int
) -> StableTerms | ConstantProductTerms:
    """Return the terms of a Curve pool at its time; the fee rounds down, and so does each solver's step."""
    scaled = tuple(balance * rate // ONE for balance, rate in zip(pool.balances, pool.rates, strict=True))
    precision = 1 if pool.generation is Generation.LEGACY else _CURVE_PRECISION
    amplification = pool.amplification.at(pool.timestamp) * len(scaled)
    if 0 in scaled or amplification < precision:
        return DEAD
    try:
        found = pool.invariant()
    except ArithmeticError:
        return DEAD
    level = _Level(scaled, found, amplification, precision)
    moves = pool.generation is Generation.NG and pool.offpeg_multiplier > FEE_DENOMINATOR
    fee = pool.fee / FEE_DENOMINATOR
    to_raw = ONE / pool.rates[index_out]
    excess = level.excess(index_out) + _rounded_down(level, index_in, index_out) + 1.0
    if moves:  # the fee is of balances in whole units
        ratio = scaled[index_out] / scaled[index_in]
        excess += 2.0 * fee * (pool.offpeg_multiplier / FEE_DENOMINATOR) * (1.0 + ratio)
    return StableTerms(
        float(scaled[index_in]),
        float(scaled[index_out]),
        level.product_term(),
        pool.rates[index_in] / ONE,
        to_raw if moves else to_raw * (1.0 - fee),
        _WORD / pool.rates[index_in],
        excess * to_raw,
        fee if moves else 0.0,
        pool.offpeg_multiplier / FEE_DENOMINATOR if moves else 1.0,
    )


def _balancer_level(scaled: tuple[int, ...], amplification: int) -> _Level | None:
    if 0 in scaled:
        return None
    try:
        found = invariant(amplification, scaled)
    except ArithmeticError:
        return None
    return _Level(scaled, found, amplification * len(scaled), AMPLIFICATION_PRECISION)


def _rounded_down(level: _Level, index_in: int, index_out: int) -> float:
    """Return what Curve's solver may give away by rounding each factor of its constant term down.

    A unit of a partial product is a share of it, and the balance that is left falls by that share at most.
    """
    count, found = len(level.balances), level.found
    partial, shares = float(found), 0.0
    for index, balance in enumerate(level.balances):
        if index != index_out:
            partial *= found / (count * max(balance, found if index == index_in else 0))
            shares += 1.0 / partial
    return level.balances[index_out] * min(shares, 1.0)


def _within_limit(live: tuple[int, ...], index_in: int, index_out: int, term: float, limit: int) -> float:
    """Return the largest scaled input after which the largest balance is below ``limit`` times the smallest.

    The contract compares the balances before and after the trade together, so more input never helps.
    """
    lowest, highest = float(min(live)), float(max(live))
    x0, y0 = float(live[index_in]), float(live[index_out])

    def too_far(given: float) -> bool:
        _, _, left = trade(given, x0, y0, term)
        return max(highest, x0 + given) >= limit * min(lowest, left)

    if too_far(0.0):
        return 0.0
    low, high = 0.0, limit * highest
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if too_far(middle) else (middle, high)
    return high * _CLEARLY_BEYOND
