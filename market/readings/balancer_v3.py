"""Read pools of Balancer's V3 vault: the vault's account of a pool, and what the pool's maths needs.

References
----------
Balancer V3, IVaultExtension, IVaultAdmin and VaultTypes.
"""

from __future__ import annotations

from collections.abc import Sequence

from chain.questions import Reading
from core.errors import MarketError
from core.reasons import Reason
from market.pools.balancer_v3 import VaultAccount
from market.pools.balancer_v3_stable import IMBALANCE_LIMIT, BalancerV3StablePool
from market.pools.balancer_v3_weighted import BalancerV3WeightedPool
from market.pools.spec import PoolSpec
from market.readings.answers import WORD, View, Words, address_of, array_at, read, same
from market.readings.ramp import line_through

_FIRST_VERSION = b'"version":1,'
"""In what ``version()`` says; the pools of the first factory let balances differ as much as they will."""
_DIFFERENCE_BITS = 5
_INFO_WORDS = 3
_CONFIG_WORDS, _HOOKS_WORDS = 13, 11
_SWAP_HOOKS = (3, 4, 5)
"""Words of the hooks' flags: a fee of their own, and calls before and after a swap."""


def read_v3_weighted(spec: PoolSpec) -> Reading[BalancerV3WeightedPool]:
    """Read a weighted pool.

    Raises
    ------
    MarketError
        If tokens or weights differ from the description, hooks take part in swaps, or the vault
        does not trade the pool.
    """
    views = [
        View(spec.pool_id, "getNormalizedWeights()", words=2, more=True),
        View(spec.pool_id, "getMinTokenBalances()", words=2, more=True, optional=True),
    ]
    account, (weights, least) = yield from _read_with_account(spec, views)
    same("weights", array_at(weights, 0), spec.weights)
    return BalancerV3WeightedPool(spec, account, array_at(least, 0) if least else ())


def read_v3_stable(spec: PoolSpec, timestamp: int) -> Reading[BalancerV3StablePool]:
    """Read a stable pool, for swaps in a block of some time.

    Raises
    ------
    MarketError
        If the tokens differ from the description, hooks take part in swaps, or the vault does not
        trade the pool.
    """
    views = [
        View(spec.pool_id, "getAmplificationState()", words=5),
        View(spec.pool_id, "getAmplificationParameter()", words=3),
        View(spec.pool_id, "version()", words=2, more=True, optional=True),
    ]
    account, ((*ramp, _), (value, *_), version) = yield from _read_with_account(spec, views)
    text = b"".join(word.to_bytes(WORD, "big") for word in version)
    limit = 0 if _FIRST_VERSION in text.replace(b" ", b"") else IMBALANCE_LIMIT
    line = line_through(ramp, value, timestamp)
    if line is None:
        raise MarketError("the amplification is not what its ramp says; check the block's time", value=value)
    return BalancerV3StablePool(spec, account, line, timestamp, limit)


def _read_with_account(spec: PoolSpec, own: Sequence[View]) -> Reading[tuple[VaultAccount, list[Words]]]:
    """Read what the vault keeps of a pool, and in the same round what the pool itself is asked."""
    pool, vault = (spec.pool_id,), spec.address
    views = [
        View(vault, "getPoolTokenInfo(address)", pool, words=4, more=True),
        View(vault, "getPoolTokenRates(address)", pool, words=2, more=True),
        View(vault, "getPoolConfig(address)", pool, words=_CONFIG_WORDS),
        View(vault, "getHooksConfig(address)", pool, words=_HOOKS_WORDS),
        View(vault, "getMinimumTradeAmount()"),
    ]
    info, rates, config, hooks, (smallest_trade,), *found = yield from read([*views, *own])
    same("tokens", tuple(address_of(word) for word in array_at(info, 0)), spec.tokens)
    _check_tradable(config, hooks)
    swap_fee, protocol_swap_fee, protocol_yield_fee, differences = config[4:8]
    account = VaultAccount(
        balances=array_at(info, 2),
        decimals=_decimals(differences, len(spec.tokens)),
        rates=array_at(rates, 1),
        last_live=array_at(info, 3),
        pays_yield_fees=_pay_yield_fees(info, len(spec.tokens)),
        swap_fee=swap_fee,
        protocol_swap_fee=protocol_swap_fee,
        protocol_yield_fee=protocol_yield_fee,
        recovering=bool(config[-1]),
        smallest_trade=smallest_trade,
    )
    return account, found


def _check_tradable(config: Words, hooks: Words) -> None:
    *_, initialised, paused, _ = config
    if any(hooks[place] for place in _SWAP_HOOKS):
        reason = Reason.HOOKS_NOT_SUPPORTED
        raise MarketError(f"{reason}: hooks take part in the pool's swaps; leave it out", reason=reason)
    if paused or not initialised:
        raise MarketError("the vault does not trade the pool: it is paused or was never filled; leave it out")


def _decimals(differences: int, count: int) -> tuple[int, ...]:
    """Return each token's decimals from what they lack of 18, five bits a token."""
    mask = 2**_DIFFERENCE_BITS - 1
    return tuple(18 - (differences >> _DIFFERENCE_BITS * place & mask) for place in range(count))


def _pay_yield_fees(info: Words, count: int) -> tuple[bool, ...]:
    """Return the last of three words of each token's info: its kind, rate provider and this."""
    start = info[1] // WORD + 1
    rows = info[start : start + _INFO_WORDS * count]
    if len(rows) != _INFO_WORDS * count or info[start - 1] != count:
        raise MarketError("the vault's answer about the tokens is cut off; check the pool's address")
    return tuple(bool(flag) for flag in rows[_INFO_WORDS - 1 :: _INFO_WORDS])
