"""Balancer V2 composable stable pools: tokens near parity, scaled by their rates, one vault.

The vault lists the pool's own share among its tokens; it is no part of the maths and not among
``tokens`` here. A rate comes from a provider and is cached: the first swap after the cache has
expired takes the provider's answer and caches it. Rate and amplification depend on time, so the
pool says for which moment it stands.

References
----------
Balancer V2, ComposableStablePool, StableMath and PriceRateCache, as deployed in February 2023.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from chain.blocks import Address
from core.errors import MarketError
from core.reasons import Reason
from market.pools.amplification import Amplification
from market.pools.base import ManyTokenPool
from market.pools.log_exp_math import ONE, div_down, mul_down, mul_up
from market.pools.pool import Swap
from market.pools.spec import PoolSpec
from market.pools.stable_math import balance_v2, invariant, rate_at_size_zero

MAX_BALANCE = 2**112 - 1
MAX_RATE = 2**96 - 1
_ADDRESS_DIGITS = 42


@dataclass(frozen=True, slots=True)
class CachedRate:
    """What the pool takes a token to be worth, 1e18 fixed point.

    Parameters
    ----------
    rate
        Cached by the pool.
    provided
        What the provider says now.
    duration, expires
        Seconds a cached rate lives, and the last second of this one.

    Examples
    --------
    >>> cached = CachedRate(rate=ONE, provided=ONE + 1, duration=60, expires=1_000)
    >>> cached.at(1_000).rate - ONE, cached.at(1_001)
    (0, CachedRate(rate=1000000000000000001, provided=1000000000000000001, duration=60, expires=1061))
    """

    rate: int
    provided: int
    duration: int
    expires: int

    def at(self, timestamp: int) -> CachedRate:
        """Return the cache as a swap in a block finds it."""
        return self if timestamp <= self.expires else self.renewed(self.provided, timestamp)

    def renewed(self, rate: int, timestamp: int) -> CachedRate:
        """Return the cache after the provider was asked in a block."""
        return CachedRate(rate, rate, self.duration, timestamp + self.duration)


@dataclass(frozen=True, slots=True)
class ComposableStablePool(ManyTokenPool):
    """Balances and parameters of one pool of the vault.

    Parameters
    ----------
    spec
        ``pool_id`` is the 32-byte id, ``address`` the vault, ``tokens`` are without the share.
        ``fee`` is not used.
    balances, decimals
        Of each token, in the order of ``spec.tokens``; balances in raw units.
    rates
        Of each token; ``None`` where there is no provider and the rate is one.
    amplification
        Of the invariant.
    swap_fee
        1e18 fixed point.
    timestamp
        Of the block that swaps are meant for.

    Examples
    --------
    >>> spec = PoolSpec("composable_stable", "0x1", "0xv", ("0xa", "0xb"), 0)
    >>> pool = ComposableStablePool(spec=spec, balances=(10**24,) * 2, decimals=(18, 18), rates=(None,) * 2,
    ...                             amplification=Amplification.constant(100_000), swap_fee=10**14)
    >>> pool.swap("0xa", "0xb", 10**21).amount_out
    999890101078297487433
    """

    spec: PoolSpec
    balances: tuple[int, ...]
    decimals: tuple[int, ...]
    rates: tuple[CachedRate | None, ...]
    amplification: Amplification
    swap_fee: int
    timestamp: int = 0

    def __post_init__(self) -> None:
        count = len(self.spec.tokens)
        if count < 2 or not count == len(self.balances) == len(self.decimals) == len(self.rates):
            raise MarketError(
                "a stable pool needs two tokens or more, each with balance, decimals and rate",
                pool_id=self.pool_id,
            )
        fits = min(self.balances) >= 0 and max(self.balances) <= MAX_BALANCE and 0 <= self.swap_fee < ONE
        rates = (max(cached.rate, cached.provided) for cached in self.rates if cached)
        if (
            not fits
            or max(rates, default=0) > MAX_RATE
            or not all(0 <= places <= 18 for places in self.decimals)
        ):
            raise MarketError(
                "balances must fit 112 bits, rates 96, the fee be below one and decimals 18 at most; "
                "reload the pool from a node",
                pool_id=self.pool_id,
                balances=self.balances,
            )

    @property
    def share(self) -> Address:
        """The pool's own token, which is also the pool's contract."""
        return self.pool_id[:_ADDRESS_DIGITS]

    def swap(self, token_in: Address, token_out: Address, amount_in: int) -> Swap:
        """Return what the vault pays for ``amount_in``, and the pool after it.

        Raises
        ------
        SwapRefused
            For the pool's own share, no input, an empty pool, too little for one unit of the
            invariant, or more than the contract's arithmetic holds.
        """
        self._refuse_the_share(token_in, token_out, amount_in)
        index_in, index_out = self._indices(token_in, token_out)
        if amount_in <= 0:
            raise self._refused(Reason.AMOUNT_TOO_SMALL, "the input must be positive", amount_in)
        if self.balances[index_in] + amount_in > MAX_BALANCE:
            raise self._refused(Reason.AMOUNT_TOO_LARGE, "the balance would exceed 112 bits", amount_in)
        rates = self._rates_now()
        factors = self._factors(rates)
        scaled = [mul_down(*pair) for pair in zip(self.balances, factors, strict=True)]
        if 0 in scaled:
            raise self._refused(Reason.ZERO_LIQUIDITY, "a balance is empty", amount_in)
        after_fee = amount_in - mul_up(amount_in, self.swap_fee)
        paid = self._calculate(scaled, index_in, index_out, mul_down(after_fee, factors[index_in]), amount_in)
        amount_out = div_down(paid, factors[index_out])
        balances = list(self.balances)
        balances[index_in] += amount_in
        balances[index_out] -= amount_out
        return Swap(amount_in, amount_out, replace(self, balances=tuple(balances), rates=rates))

    def marginal_rate(self, token_in: Address, token_out: Address) -> float:
        """Return raw output per raw input at size zero, after the fee; 0.0 if nothing can be traded."""
        index_in, index_out = self._indices(token_in, token_out)
        factors = self._factors(self._rates_now())
        scaled = [mul_down(*pair) for pair in zip(self.balances, factors, strict=True)]
        try:
            rate = rate_at_size_zero(self.amplification.at(self.timestamp), scaled, index_in, index_out)
        except ArithmeticError:
            return 0.0
        return rate * (factors[index_in] / factors[index_out]) * (1.0 - self.swap_fee / ONE)

    def at(self, timestamp: int) -> ComposableStablePool:
        """Return the pool for swaps in a block of that time."""
        return replace(self, timestamp=timestamp)

    def after_changes(self, tokens: tuple[Address, ...], changes: tuple[int, ...]) -> ComposableStablePool:
        """Return the pool after signed changes of balances, in raw units; the share's are left out.

        Raises
        ------
        MarketError
            If a token is not the pool's, or a balance would leave its bounds.
        """
        balances = list(self.balances)
        for token, change in zip(tokens, changes, strict=True):
            if token != self.share:
                balances[self._index(token)] += change
        return replace(self, balances=tuple(balances))

    def with_provided(self, provided: tuple[int | None, ...]) -> ComposableStablePool:
        """Return the pool with what its tokens' providers say now, 1e18 fixed point; ``None`` without one."""
        pairs = zip(self.rates, provided, strict=True)
        rates = tuple(rate and replace(rate, provided=new or rate.provided) for rate, new in pairs)
        return replace(self, rates=rates)

    def after_rate_cached(self, place: int, rate: int) -> ComposableStablePool:
        """Return the pool after it has cached a rate at its ``timestamp``.

        Parameters
        ----------
        place
            Among the vault's tokens, the share included, as the event counts.
        rate
            1e18 fixed point.

        Raises
        ------
        MarketError
            If the token there has no provider.
        """
        index, cached = self._rated(place)
        return self._with_rate(index, cached.renewed(rate, self.timestamp))

    def after_duration_set(self, place: int, duration: int) -> ComposableStablePool:
        """Return the pool after a rate that it has just cached was given another duration, in seconds.

        Raises
        ------
        MarketError
            If the token there has no provider.
        """
        index, cached = self._rated(place)
        expires = cached.expires - cached.duration + duration
        return self._with_rate(index, replace(cached, duration=duration, expires=expires))

    def _rated(self, place: int) -> tuple[int, CachedRate]:
        own = sum(token < self.share for token in self.tokens)
        if place == own or not 0 <= place <= len(self.tokens):
            raise MarketError("the pool has no rated token at this place", pool_id=self.pool_id, place=place)
        index = place - (place > own)
        cached = self.rates[index]
        if cached is None:
            raise MarketError("this token has no rate", pool_id=self.pool_id, token=self.tokens[index])
        return index, cached

    def _with_rate(self, index: int, cached: CachedRate) -> ComposableStablePool:
        return replace(self, rates=(*self.rates[:index], cached, *self.rates[index + 1 :]))

    def _calculate(self, scaled: list[int], index_in: int, index_out: int, given: int, amount_in: int) -> int:
        """Return what ``given`` buys, both scaled to 18 decimals and by the rates."""
        amplification = self.amplification.at(self.timestamp)
        try:
            level = invariant(amplification, scaled)
            scaled[index_in] += given
            left = balance_v2(amplification, scaled, level, index_out)
        except ArithmeticError:
            why = "the contract's arithmetic overflows or does not settle"
            raise self._refused(Reason.AMOUNT_TOO_LARGE, why, amount_in) from None
        if left >= scaled[index_out]:
            raise self._refused(Reason.AMOUNT_TOO_SMALL, "the input buys less than one unit", amount_in)
        return scaled[index_out] - left - 1

    def _rates_now(self) -> tuple[CachedRate | None, ...]:
        return tuple(cached and cached.at(self.timestamp) for cached in self.rates)

    def _factors(self, rates: tuple[CachedRate | None, ...]) -> list[int]:
        """Return what each raw balance is multiplied by, 1e18 fixed point."""
        return [
            10 ** (18 - places) * (cached.rate if cached else ONE)
            for places, cached in zip(self.decimals, rates, strict=True)
        ]

    def _refuse_the_share(self, token_in: Address, token_out: Address, amount_in: int) -> None:
        if self.share in (token_in, token_out):
            why = "a swap with the pool's own share is a join or an exit"
            raise self._refused(Reason.SHARE_NOT_SUPPORTED, why, amount_in)
