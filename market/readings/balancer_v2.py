"""Read pools of Balancer's V2 vault: weighted and composable stable.

The vault tells balances, the pool the rest. No function tells the line along which a stable pool's
amplification moves, so it is taken from storage and held against the value that the pool computes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from chain.blocks import Address
from chain.questions import ContractCall, Reading, StorageSlot
from core.errors import MarketError
from market.pools.amplification import Amplification
from market.pools.composable_stable import CachedRate, ComposableStablePool
from market.pools.spec import PoolSpec
from market.pools.weighted import WeightedPool
from market.readings.answers import View, Words, address_of, array_at, decimals_of, read, same, stored
from market.readings.ramp import line_through
from market.tokens import Token

SLOT_OF_AMPLIFICATION = 9
"""Storage slot of a composable stable pool: start, end and their times, 64 bits each."""
_PPM = 10**12
_ADDRESS_DIGITS = 42
_CALLS_OF_A_RATE = 2


def read_weighted(spec: PoolSpec, tokens: Mapping[Address, Token]) -> Reading[WeightedPool]:
    """Read balances and the fee.

    Raises
    ------
    MarketError
        If tokens or weights differ from the description, or the fee is no whole part per million.
    """
    pool = _contract(spec)
    views = [
        _pool_tokens(spec),
        View(pool, "getSwapFeePercentage()"),
        View(pool, "getNormalizedWeights()", words=2, more=True),
    ]
    held, (fee,), weights = yield from read(views)
    balances = _balances(spec, held)
    same("weights", array_at(weights, 0), spec.weights)
    if fee % _PPM:
        raise MarketError("the fee is finer than a part per million, which is not modelled", fee=fee)
    return WeightedPool(replace(spec, fee=fee // _PPM), balances, decimals_of(spec, tokens))


def read_composable_stable(
    spec: PoolSpec, tokens: Mapping[Address, Token], timestamp: int
) -> Reading[ComposableStablePool]:
    """Read balances, fee, rates and amplification, for swaps in a block of some time.

    Raises
    ------
    MarketError
        If the tokens differ from the description, or the amplification moves along a line that is
        not where this version of the contract keeps it.
    """
    pool = _contract(spec)
    views = [
        _pool_tokens(spec),
        View(pool, "getSwapFeePercentage()"),
        View(pool, "getAmplificationParameter()", words=3),
        View(pool, "getRateProviders()", words=2, more=True),
    ]
    questions: list[ContractCall | StorageSlot] = [view.question() for view in views]
    *answers, slot = yield [*questions, StorageSlot(pool, SLOT_OF_AMPLIFICATION)]
    found = [view.words_of(answer) for view, answer in zip(views, answers, strict=True)]
    held, (fee,), (value, moving, _), providers = found
    balances = _balances(spec, held, without=pool)
    line = _line(stored(slot), value, bool(moving), timestamp)
    rates = yield from _read_rates(spec, array_at(held, 0), array_at(providers, 0))
    return ComposableStablePool(spec, balances, decimals_of(spec, tokens), rates, line, fee, timestamp)


def _contract(spec: PoolSpec) -> Address:
    """Return the pool's contract, with whose address the vault's id begins."""
    return spec.pool_id[:_ADDRESS_DIGITS]


def _pool_tokens(spec: PoolSpec) -> View:
    return View(spec.address, "getPoolTokens(bytes32)", (spec.pool_id,), words=3, more=True)


def _balances(spec: PoolSpec, held: Words, without: Address = "") -> tuple[int, ...]:
    """Return what the vault holds of each token of a pool; one of them may be left out."""
    rows = {
        address_of(token): balance
        for token, balance in zip(array_at(held, 0), array_at(held, 1), strict=False)
    }
    rows.pop(without, None)
    same("tokens", tuple(rows), spec.tokens)
    return tuple(rows.values())


def _line(packed: int, value: int, moving: bool, timestamp: int) -> Amplification:
    """Return the line of the amplification, which the pool's own value must lie on."""
    line = line_through([packed >> shift & 2**64 - 1 for shift in (0, 64, 128, 192)], value, timestamp)
    if line is not None:
        return line
    if moving:
        raise MarketError("the amplification is on the move, and the contract does not keep its line here")
    return Amplification.constant(value)


def _read_rates(spec: PoolSpec, held: Words, providers: Words) -> Reading[tuple[CachedRate | None, ...]]:
    """Read each token's cached rate and what its provider says, ``None`` for one without a provider."""
    if len(held) != len(providers):
        raise MarketError("the pool names another number of rate providers than it has tokens")
    by_token = {address_of(token): address_of(each) for token, each in zip(held, providers, strict=True)}
    rated = {token: by_token[token] for token in spec.tokens if int(by_token[token], 16)}
    if not rated:
        return (None,) * len(spec.tokens)
    views = [
        view
        for token, provider in rated.items()
        for view in (
            View(provider, "getRate()"),
            View(_contract(spec), "getTokenRateCache(address)", (token,), words=4),
        )
    ]
    answers = yield from read(views)
    pairs = zip(answers[::_CALLS_OF_A_RATE], answers[1::_CALLS_OF_A_RATE], strict=True)
    cached = {
        token: CachedRate(rate, provided, duration, expires)
        for token, ((provided,), (rate, _, duration, expires)) in zip(rated, pairs, strict=True)
    }
    return tuple(cached.get(token) for token in spec.tokens)
