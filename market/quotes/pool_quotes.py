"""Quotes of whole pools over arrays of inputs: the float side of every family.

A quote is what the contract pays before it floors. It is above that by what the contract rounds away, and
below it by no more than the terms' ``excess``, up to a relative error of a few 1e-15. A pool that takes no
more stays at its last output, one that takes nothing gives 0.0, and no input gives NaN.

The one family whose outputs may fall again is Curve's newest, where the fee rises off balance: a trade that
is large enough pays for itself with the fee. The quote says what the contract pays there too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chain.blocks import Address
from core.errors import MarketError
from market.pools.balancer_v3_stable import BalancerV3StablePool
from market.pools.balancer_v3_weighted import BalancerV3WeightedPool
from market.pools.composable_stable import ComposableStablePool
from market.pools.concentrated import ConcentratedPool
from market.pools.curve_stable import CurveStablePool
from market.pools.pool import Pool
from market.pools.solidly import SolidlyPool
from market.pools.uniswap_v2 import UniswapV2Pool
from market.pools.weighted import WeightedPool
from market.quotes import constant_product, solidly_stable, stable, weighted
from market.quotes.concentrated import Segments, segments_of
from market.quotes.stable_terms import (
    StableTerms,
    balancer_v3_stable_terms,
    composable_stable_terms,
    curve_stable_terms,
)
from market.quotes.terms import (
    ConstantProductTerms,
    SolidlyStableTerms,
    WeightedTerms,
    balancer_v3_weighted_terms,
    constant_product_terms,
    places_of,
    solidly_terms,
    weighted_terms,
)

Terms = ConstantProductTerms | WeightedTerms | SolidlyStableTerms | StableTerms
"""What one direction of a pool without ticks is described by."""


def quote(pool: Pool, token_in: Address, token_out: Address, amounts: ArrayLike) -> NDArray[np.float64]:
    """Return what a pool pays for each of many inputs.

    Parameters
    ----------
    pool
        Of any family of :mod:`market.pools`.
    token_in, token_out
        Two different tokens of the pool.
    amounts
        Raw units of ``token_in``, fee included, of any shape; negative ones and NaN count as zero.

    Raises
    ------
    MarketError
        If the family has no formula here, or the pool does not hold the tokens.

    Examples
    --------
    >>> from market.pools.spec import PoolSpec
    >>> spec = PoolSpec("uniswap_v2", "0xp", "0xp", ("0xa", "0xb"), 3000)
    >>> pool = UniswapV2Pool(spec=spec, reserve0=1000 * 10**18, reserve1=2_000_000 * 10**6)
    >>> quote(pool, "0xa", "0xb", [0.0, 1e18]).tolist(), pool.swap("0xa", "0xb", 10**18).amount_out
    ([0.0, 1992013962.0798063], 1992013962)
    """
    if isinstance(pool, ConcentratedPool):
        return _segments(pool, token_in, token_out).amounts_out(_taken(amounts, np.inf))
    terms = terms_of(pool, token_in, token_out)
    given = _taken(amounts, terms.largest)
    if isinstance(terms, ConstantProductTerms):
        return constant_product.amounts_out(given, terms.reserve_in, terms.reserve_out, terms.keep)
    if isinstance(terms, WeightedTerms):
        return weighted.amounts_out(given, *_weighted(terms))
    if isinstance(terms, SolidlyStableTerms):
        scaled = given * terms.into
        return terms.out * solidly_stable.amounts_out(scaled, terms.balance_in, terms.balance_out)
    gross = stable.amounts_out(given * terms.into, *_stable(terms))
    return terms.out * gross * (1.0 - _fees(terms, given * terms.into))


def rates(pool: Pool, token_in: Address, token_out: Address, amounts: ArrayLike) -> NDArray[np.float64]:
    """Return raw output per further raw input at each of many inputs; parameters as of :func:`quote`.

    Raises
    ------
    MarketError
        If the family has no formula here, or the pool does not hold the tokens.

    Examples
    --------
    >>> from market.pools.spec import PoolSpec
    >>> spec = PoolSpec("uniswap_v2", "0xp", "0xp", ("0xa", "0xb"), 0)
    >>> rates(UniswapV2Pool(spec=spec, reserve0=1000, reserve1=2000), "0xa", "0xb", [0, 1000])
    array([2. , 0.5])
    """
    if isinstance(pool, ConcentratedPool):
        return _segments(pool, token_in, token_out).rates(_taken(amounts, np.inf))
    terms = terms_of(pool, token_in, token_out)
    given = _taken(amounts, terms.largest)
    if isinstance(terms, ConstantProductTerms):
        found = constant_product.rates(given, terms.reserve_in, terms.reserve_out, terms.keep)
    elif isinstance(terms, WeightedTerms):
        found = weighted.rates(given, *_weighted(terms))
    elif isinstance(terms, SolidlyStableTerms):
        scaled = given * terms.into
        slope = solidly_stable.rates(scaled, terms.balance_in, terms.balance_out)
        found = terms.into * terms.out * slope
    else:
        found = terms.into * terms.out * _after_fee(terms, given * terms.into)
    return np.where(np.asarray(amounts) > terms.largest, 0.0, found)


def terms_of(pool: Pool, token_in: Address, token_out: Address) -> Terms:
    """Return what the formula of a pool's family needs of one direction; not of concentrated liquidity.

    Raises
    ------
    MarketError
        If the family has no formula here, or the pool does not hold the tokens.
    """
    index_in, index_out = places_of(pool, token_in, token_out)
    match pool:
        case UniswapV2Pool():
            return constant_product_terms(pool, index_in)
        case SolidlyPool():
            return solidly_terms(pool, index_in)
        case WeightedPool():
            return weighted_terms(pool, index_in, index_out)
        case BalancerV3WeightedPool():
            return balancer_v3_weighted_terms(pool, index_in, index_out)
        case ComposableStablePool():
            return composable_stable_terms(pool, index_in, index_out)
        case BalancerV3StablePool():
            return balancer_v3_stable_terms(pool, index_in, index_out)
        case CurveStablePool():
            return curve_stable_terms(pool, index_in, index_out)
    raise MarketError(
        "there is no formula for this pool family; add one to market/quotes and scoring/curves",
        family=pool.family,
    )


def _segments(pool: ConcentratedPool, token_in: Address, token_out: Address) -> Segments:
    index_in, _ = places_of(pool, token_in, token_out)
    return segments_of(pool, zero_for_one=index_in == 0)


def _taken(amounts: ArrayLike, largest: float) -> NDArray[np.float64]:
    return np.asarray(np.fmin(np.fmax(np.asarray(amounts, dtype=np.float64), 0.0), largest))


def _weighted(terms: WeightedTerms) -> tuple[float, float, float, float]:
    return terms.balance_in, terms.balance_out, terms.exponent, terms.keep


def _stable(terms: StableTerms) -> tuple[float, float, float]:
    return terms.balance_in, terms.balance_out, terms.product_term


def _fees(terms: StableTerms, scaled: NDArray[np.float64]) -> NDArray[np.float64]:
    means_in = terms.balance_in + 0.5 * scaled
    means_out = 0.5 * (terms.balance_out + stable.balances_left(scaled, *_stable(terms)))
    return stable.offpeg_fees(means_in, means_out, terms.fee, terms.multiplier)


def _after_fee(terms: StableTerms, scaled: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the scaled rate after a fee on the output, which itself may move with the input."""
    slope = stable.rates(scaled, *_stable(terms))
    means_in = terms.balance_in + 0.5 * scaled
    means_out = 0.5 * (terms.balance_out + stable.balances_left(scaled, *_stable(terms)))
    rises = stable.offpeg_slopes(means_in, means_out, slope, terms.fee, terms.multiplier)
    charged = stable.offpeg_fees(means_in, means_out, terms.fee, terms.multiplier)
    return slope * (1.0 - charged) - stable.amounts_out(scaled, *_stable(terms)) * rises
