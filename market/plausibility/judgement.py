"""Which pools of a market are not worth believing: dust, one-sided, or far from everybody else's price.

A filter for what is traded, not a verdict on a pool: a token that cannot be sold again looks fine
here, and a real gap of a few percent must pass.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

from chain.blocks import Address
from core.reasons import Reason, Refusal
from market.plausibility.holdings import holdings
from market.plausibility.prices import agreed_prices, pair_prices
from market.pools.pool import Pool

DUST_WEI = 10**17
"""Value below which a side of a pool is dust: at a gap of 10 % what it pays does not buy a swap's gas."""

PRICE_FACTOR = 10.0
"""How many times dearer or cheaper than elsewhere a price may be: one order of magnitude."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where plausible ends.

    Parameters
    ----------
    dust_wei
        Least value of each side of a pool, in wei of the native token.
    price_factor
        Most that a price may be off, as a factor in either direction; above 1.
    """

    dust_wei: float = DUST_WEI
    price_factor: float = PRICE_FACTOR


@dataclass(frozen=True, slots=True)
class Judgement:
    """Pools that passed, why the others did not, and the prices they were held against."""

    plausible: tuple[Pool, ...]
    refused: Mapping[str, Refusal]
    prices: Mapping[Address, float]

    def reasons(self) -> Counter[Reason]:
        """Return how many pools were refused, by reason."""
        return Counter(refusal.reason for refusal in self.refused.values())


_DEFAULT_BOUNDS = Bounds()
_NO_BALANCES: Mapping[str, tuple[int, ...]] = {}


def judge(
    pools: Sequence[Pool],
    reference: Mapping[Address, float],
    bounds: Bounds = _DEFAULT_BOUNDS,
    balances: Mapping[str, tuple[int, ...]] = _NO_BALANCES,
) -> Judgement:
    """Sort a market's pools into plausible and refused.

    Parameters
    ----------
    pools
        The market: prices that are not given come from it.
    reference
        Known prices, wei of the native token per raw unit of a token.
    bounds
        Where plausible ends.
    balances
        Raw units of each token that the contract which pays really owns, by pool id, where that is
        known; in the order of ``pool.tokens``.

    Returns
    -------
    Judgement
        Of several reasons the first counts, in the order ``ZERO_LIQUIDITY``, ``ONE_SIDED``,
        ``OUTPUT_EXCEEDS_HOLDINGS``, ``PRICE_IMPLAUSIBLE``, ``DUST_POOL``, ``PRICE_UNKNOWN``.

    Examples
    --------
    >>> from market.pools.spec import PoolSpec
    >>> from market.pools.uniswap_v2 import UniswapV2Pool
    >>> def pair(name, first, second):
    ...     return UniswapV2Pool(PoolSpec("uniswap_v2", name, name, ("0xa", "0xb"), 3000), first, second)
    >>> pools = [pair("0x1", 10**20, 10**20), pair("0x2", 10**18, 10**20), pair("0x3", 10**6, 10**6)]
    >>> {name: refusal.reason.value for name, refusal in judge(pools, {"0xa": 1.0}).refused.items()}
    {'0x2': 'price_implausible', '0x3': 'dust_pool'}
    """
    prices = agreed_prices(pools, reference, bounds.dust_wei)
    refused: dict[str, Refusal] = {}
    for pool in pools:
        refusal = (
            _cannot_trade(pool)
            or _exceeds(pool, balances.get(pool.pool_id))
            or _price_refusal(pool, prices, bounds)
            or _value_refusal(pool, prices, bounds)
        )
        if refusal is not None:
            refused[pool.pool_id] = refusal
    return Judgement(tuple(pool for pool in pools if pool.pool_id not in refused), refused, prices)


def _cannot_trade(pool: Pool) -> Refusal | None:
    held = holdings(pool)
    rates = {pair: pool.marginal_rate(*pair) for pair in permutations(pool.tokens, 2)}
    if not any(held) or not any(rates.values()):
        return Refusal(Reason.ZERO_LIQUIDITY, "nothing can be traded")
    if not all(held):
        return Refusal(Reason.ONE_SIDED, f"it holds no {pool.tokens[held.index(0)]}")
    dead = [pair for pair, rate in rates.items() if rate == 0]
    if dead:
        return Refusal(Reason.ONE_SIDED, f"it takes no {dead[0][0]} for {dead[0][1]}")
    return None


def _exceeds(pool: Pool, balances: tuple[int, ...] | None) -> Refusal | None:
    for token, most, owned in zip(pool.tokens, holdings(pool), balances or (), strict=balances is not None):
        if most > owned:
            detail = f"its state would pay up to {most} of {token}, of which it owns {owned}"
            return Refusal(Reason.OUTPUT_EXCEEDS_HOLDINGS, detail)
    return None


def _price_refusal(pool: Pool, prices: Mapping[Address, float], bounds: Bounds) -> Refusal | None:
    for pair in pair_prices(pool):
        if pair.first not in prices or pair.second not in prices:
            continue
        off = pair.ratio * prices[pair.second] / prices[pair.first]
        if not 1 / bounds.price_factor <= off <= bounds.price_factor:
            detail = f"{pair.first} costs {off:.3g} times as much {pair.second} as elsewhere"
            return Refusal(Reason.PRICE_IMPLAUSIBLE, detail)
    return None


def _value_refusal(pool: Pool, prices: Mapping[Address, float], bounds: Bounds) -> Refusal | None:
    missing = None
    for token, held in zip(pool.tokens, holdings(pool), strict=True):
        if token not in prices:
            missing = token
        elif held * prices[token] < bounds.dust_wei:
            worth = f"its {token} is worth {held * prices[token]:.3g} wei"
            return Refusal(Reason.DUST_POOL, f"{worth} where {bounds.dust_wei:.3g} are the least")
    if missing is None:
        return None
    return Refusal(Reason.PRICE_UNKNOWN, f"no pool that is not dust leads to a price of {missing}")
