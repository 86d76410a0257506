"""What the float formulas need of one direction of a pool: a few floats, taken from the exact state.

``excess`` is what a contract may pay beyond its formula, in raw units of output. Most contracts round every
step in the pool's favour, and it is zero. Some round one step the other way: Solidly's fee is rounded down,
and an invariant in integers may be a little low. The amounts are tiny, but a bound has to count them.

``largest`` is the raw input beyond which the pool takes nothing; no contract takes more.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import expm1, log

from chain.blocks import Address
from core.errors import MarketError
from market.pools import balancer_v3, uniswap_v2, weighted
from market.pools.balancer_v3 import BalancerV3Pool, VaultAccount
from market.pools.balancer_v3_weighted import BalancerV3WeightedPool
from market.pools.pool import Pool
from market.pools.solidly import SolidlyPool
from market.pools.uniswap_v2 import UniswapV2Pool
from market.pools.weighted import WeightedPool

ONE = 10**18
_PPM = 1_000_000
_MAX_IN_RATIO = 0.3
_WORD = 2.0**256
_MOST_ON_STABLE_CURVE = 4.9e13
"""Where the cube of a balance, in whole tokens, leaves the contract's 256 bits."""


@dataclass(frozen=True, slots=True)
class ConstantProductTerms:
    """Reserves in raw units, and the share of the input left after the fee."""

    reserve_in: float
    reserve_out: float
    keep: float
    largest: float
    excess: float = 0.0


@dataclass(frozen=True, slots=True)
class WeightedTerms:
    """Balances in raw units, weight of the input over weight of the output, share left after the fee."""

    balance_in: float
    balance_out: float
    exponent: float
    keep: float
    largest: float
    excess: float = 0.0


@dataclass(frozen=True, slots=True)
class SolidlyStableTerms:
    """Balances in whole tokens; tokens left of one raw input after the fee; raw units of one token paid."""

    balance_in: float
    balance_out: float
    into: float
    out: float
    largest: float
    excess: float


DEAD = ConstantProductTerms(1.0, 0.0, 1.0, 0.0)
"""A direction in which nothing can be traded."""


def constant_product_terms(pool: UniswapV2Pool, index_in: int) -> ConstantProductTerms:
    """Return the terms of a pair, with the fee of the side that is paid."""
    reserve_in, reserve_out = _ordered(pool, index_in)
    if 0 in (reserve_in, reserve_out):
        return DEAD
    fee = pool.spec.fees[index_in] if pool.spec.fees else pool.spec.fee
    room = float(uniswap_v2.MAX_RESERVE - reserve_in)
    return ConstantProductTerms(float(reserve_in), float(reserve_out), (_PPM - fee) / _PPM, room)


def solidly_terms(pool: SolidlyPool, index_in: int) -> ConstantProductTerms | SolidlyStableTerms:
    """Return the terms of a volatile or a stable pool.

    The fee is rounded down, so up to one unit more of the input counts than the share says. On the stable
    curve ``k`` is rounded down in steps of 1e-18, so a trade may leave that much less than there was: of the
    output's balance it is the share of ``k`` that its rounding may be.
    """
    reserve_in, reserve_out = _ordered(pool, index_in)
    if 0 in (reserve_in, reserve_out):
        return DEAD
    keep, unrounded = (_PPM - pool.spec.fee) / _PPM, float(pool.spec.fee > 0)
    if not pool.stable:
        excess, largest = unrounded * (reserve_out / reserve_in), _WORD / (keep * reserve_out)
        return ConstantProductTerms(float(reserve_in), float(reserve_out), keep, largest, excess)
    places_in, places_out = pool.decimals[index_in], pool.decimals[1 - index_in]
    x, y = reserve_in / 10**places_in, reserve_out / 10**places_out
    per_unit = keep / 10**places_in
    rate = (3.0 * x * x + y * y) * y / ((x * x + 3.0 * y * y) * x) * 10.0 ** (places_out - places_in)
    rounded = ((x + y) ** 2 + 1.0) / (x * y * (x * x + y * y))
    if max(places_in, places_out) > 18:
        rounded += 4.0 / x + 4.0 / y
    excess = min(unrounded * rate + rounded / ONE * reserve_out, float(reserve_out))
    largest = max(_MOST_ON_STABLE_CURVE - x, 0.0) / per_unit
    return SolidlyStableTerms(x, y, per_unit, float(10**places_out), largest, excess)


def weighted_terms(pool: WeightedPool, index_in: int, index_out: int) -> WeightedTerms | ConstantProductTerms:
    """Return the terms of a weighted pool of the V2 vault."""
    balance_in, balance_out = pool.balances[index_in], pool.balances[index_out]
    if 0 in (balance_in, balance_out):
        return DEAD
    exponent = pool.spec.weights[index_in] / pool.spec.weights[index_out]
    keep = (_PPM - pool.spec.fee) / _PPM
    largest = min(_MAX_IN_RATIO * balance_in / keep, float(weighted.MAX_BALANCE - balance_in))
    return WeightedTerms(float(balance_in), float(balance_out), exponent, keep, largest)


def balancer_v3_weighted_terms(
    pool: BalancerV3WeightedPool, index_in: int, index_out: int
) -> WeightedTerms | ConstantProductTerms:
    """Return the terms of a weighted pool of the V3 vault, its least balances counted."""
    account = account_of(pool, index_in, index_out)
    if account is None:
        return DEAD
    live_in, live_out = account.last_live[index_in], account.last_live[index_out]
    keep = 1.0 - account.swap_fee / ONE
    exponent = pool.spec.weights[index_in] / pool.spec.weights[index_out]
    balance_in, balance_out = (
        live_in * ONE / account.factor(index_in),
        live_out * ONE / account.factor(index_out),
    )
    room = balancer_v3.MAX_BALANCE - account.balances[index_in]
    largest = min(_MAX_IN_RATIO * balance_in / keep, float(room))
    if pool.least_balances:
        least_in, least_out = pool.least_balances[index_in], pool.least_balances[index_out]
        if live_in + 1 < least_in or live_out <= least_out:
            return DEAD
        if least_out:
            power = log(live_out / least_out) / exponent
            largest = min(largest, balance_in * expm1(min(power, 1.0)) / keep)
    return WeightedTerms(balance_in, balance_out, exponent, keep, largest)


def account_of(pool: BalancerV3Pool, index_in: int, index_out: int) -> VaultAccount | None:
    """Return the account as a swap finds it, ``None`` if the vault or its hooks let nobody trade from it."""
    if pool.spec.hooks.strip("0x"):
        return None
    try:
        account = pool.account.charged()
    except MarketError:
        return None
    return None if 0 in (account.last_live[index_in], account.last_live[index_out]) else account


def places_of(pool: Pool, token_in: Address, token_out: Address) -> tuple[int, int]:
    """Return the places of two different tokens in a pool.

    Raises
    ------
    MarketError
        If they are the same, or one is not the pool's.
    """
    if token_in == token_out or not {token_in, token_out} <= set(pool.tokens):
        raise MarketError(
            "a quote needs two different tokens of the pool; take them from `tokens`",
            pool_id=pool.pool_id,
            token_in=token_in,
            token_out=token_out,
        )
    return pool.tokens.index(token_in), pool.tokens.index(token_out)


def _ordered(pool: UniswapV2Pool | SolidlyPool, index_in: int) -> tuple[int, int]:
    reserves = (pool.reserve0, pool.reserve1)
    return reserves[index_in], reserves[1 - index_in]
