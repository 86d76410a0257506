"""One direction of a pool as a row of columns, from its exact state.

Rows and the objects of :mod:`scoring.curves` hold the same numbers, so they give the same outputs. Stable
rows are in raw input: the formula is homogeneous, so any unit will do for balances and the product term.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from chain.blocks import Address
from core.errors import MarketError, SwapRefused
from core.reasons import Reason
from market.pools.pool import Pool
from market.quotes.pool_quotes import Terms, terms_of
from market.quotes.stable_terms import StableTerms
from market.quotes.terms import DEAD, ConstantProductTerms, SolidlyStableTerms, WeightedTerms
from scoring.columns import MOEBIUS, OFFPEG, SOLIDLY_STABLE, STABLE, WEIGHTED
from scoring.curves.curve import UPWARD
from scoring.curves.offpeg import OffpegCurve, offpeg_curve
from scoring.kernels.curves import FEE_STEP

_STEEPEST = 2.0**180
"""Rates beyond this, either way, are no market's; five in a row would overflow."""


@dataclass(frozen=True, slots=True)
class EdgeTerms:
    """Kind, terms and excess of one edge; see :mod:`scoring.kernels.curves`."""

    kind: int
    terms: tuple[float, ...]
    excess: float = 0.0


def edge_terms(pool: Pool, token_in: Address, token_out: Address) -> EdgeTerms | Reason:
    """Return the row of one direction of a pool without ticks, or why nothing can be traded.

    Raises
    ------
    MarketError
        If the family has no formula, or the pool does not hold the tokens.

    Examples
    --------
    >>> from market.pools.spec import PoolSpec
    >>> from market.pools.uniswap_v2 import UniswapV2Pool
    >>> pool = UniswapV2Pool(PoolSpec("uniswap_v2", "0xp", "0xp", ("0xa", "0xb"), 0), 1000, 0)
    >>> str(edge_terms(pool, "0xa", "0xb"))
    'zero_liquidity'
    """
    try:
        terms = terms_of(pool, token_in, token_out)
        row = None if terms is DEAD else _row(terms)
    except ArithmeticError:
        return Reason.IMPOSSIBLE_STATE
    if row is None:
        return why_dead(pool, token_in, token_out)
    return row if all(map(isfinite, (*row.terms, row.excess))) else Reason.IMPOSSIBLE_STATE


def is_market_rate(rate: float) -> bool:
    """Return whether a rate is one that a few hops can be multiplied by; NaN is not.

    Examples
    --------
    >>> is_market_rate(2000.0), is_market_rate(0.0), is_market_rate(1e60), is_market_rate(float("nan"))
    (True, False, False, False)
    """
    return 1.0 / _STEEPEST < rate < _STEEPEST


def why_dead(pool: Pool, token_in: Address, token_out: Address) -> Reason:
    """Return why a pool gives nothing at all in one direction."""
    try:
        pool.swap(token_in, token_out, 1)
    except SwapRefused as refused:
        reason: Reason = refused.fields["reason"]
        return Reason.ZERO_LIQUIDITY if reason is Reason.AMOUNT_TOO_SMALL else reason
    except (MarketError, ArithmeticError):
        return Reason.IMPOSSIBLE_STATE
    return Reason.ZERO_LIQUIDITY


def _row(terms: Terms) -> EdgeTerms:
    match terms:
        case ConstantProductTerms():
            rate = terms.keep * (terms.reserve_out / terms.reserve_in)
            return EdgeTerms(MOEBIUS, (UPWARD * rate, terms.keep / terms.reserve_in), terms.excess)
        case WeightedTerms():
            balances = terms.balance_in, UPWARD * terms.balance_out
            return EdgeTerms(WEIGHTED, (*balances, terms.exponent, terms.keep, terms.largest))
        case SolidlyStableTerms():
            numbers = terms.balance_in, terms.balance_out, terms.into, UPWARD * terms.out, terms.largest
            return EdgeTerms(SOLIDLY_STABLE, numbers, terms.excess)
        case StableTerms():
            return _stable_row(terms)


def _stable_row(terms: StableTerms) -> EdgeTerms:
    into = terms.into
    curve = offpeg_curve(terms) if terms.multiplier > 1.0 else None
    balances = terms.balance_in / into, terms.balance_out / into, terms.product_term / into
    out = UPWARD * terms.out * into
    if isinstance(curve, OffpegCurve):
        ends = curve.flat_from / into, curve.straight_to / into
        return EdgeTerms(OFFPEG, (*balances, out, *ends, terms.fee, terms.multiplier), terms.excess)
    if curve is not None:  # the fee may fall as balances move: the lowest, everywhere
        out *= 1.0 - terms.fee + FEE_STEP
    return EdgeTerms(STABLE, (*balances, out, terms.largest), terms.excess)
