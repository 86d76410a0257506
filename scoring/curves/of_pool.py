"""The curve of a pool's direction, whatever its family."""

from __future__ import annotations

from chain.blocks import Address
from market.pools.concentrated import ConcentratedPool
from market.pools.pool import Pool
from market.quotes.pool_quotes import terms_of
from market.quotes.stable_terms import StableTerms
from market.quotes.terms import DEAD as NOTHING
from market.quotes.terms import ConstantProductTerms, SolidlyStableTerms, WeightedTerms, places_of
from scoring.curves.curve import Curve
from scoring.curves.moebius import DEAD, MoebiusCurve
from scoring.curves.offpeg import offpeg_curve
from scoring.curves.segmented import SegmentedCurve
from scoring.curves.solidly import SolidlyStableCurve
from scoring.curves.stable import StableCurve
from scoring.curves.weighted import WeightedCurve


def curve_of(pool: Pool, token_in: Address, token_out: Address) -> Curve:
    """Return the curve of one direction of a pool.

    Raises
    ------
    MarketError
        If there is no curve for this kind of pool, or it does not hold the tokens.

    Examples
    --------
    >>> from market.pools.spec import PoolSpec
    >>> from market.pools.uniswap_v2 import UniswapV2Pool
    >>> spec = PoolSpec("uniswap_v2", "0xp", "0xp", ("0xa", "0xb"), 3000)
    >>> pool = UniswapV2Pool(spec=spec, reserve0=1000 * 10**18, reserve1=2_000_000 * 10**6)
    >>> out, _ = curve_of(pool, "0xa", "0xb").evaluate(1e18)
    >>> int(out) == pool.swap("0xa", "0xb", 10**18).amount_out
    True
    """
    if isinstance(pool, ConcentratedPool):
        index_in, _ = places_of(pool, token_in, token_out)
        return SegmentedCurve(pool, zero_for_one=index_in == 0)
    terms = terms_of(pool, token_in, token_out)
    if terms is NOTHING:
        return DEAD
    match terms:
        case ConstantProductTerms():
            return MoebiusCurve.of(terms)
        case WeightedTerms():
            return WeightedCurve.of(terms)
        case SolidlyStableTerms():
            return SolidlyStableCurve(terms)
        case StableTerms():
            return StableCurve(terms) if terms.multiplier <= 1.0 else offpeg_curve(terms)
