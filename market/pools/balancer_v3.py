"""Balancer V3: what the vault does for every pool, whatever its maths.

The vault keeps the balances, scales them to 18 decimals and by the tokens' rates, takes the swap
fee, and charges the protocol's share of fees and of the yield that rising rates bring. A pool only
says how much an amount buys, all of it scaled. Amounts that enter the maths are rounded down, and
the rate of the token that leaves is rounded up.

Pools whose hooks take part in swaps have them in ``spec.hooks`` and are refused.

References
----------
Balancer V3, Vault, PoolDataLib and ScalingHelpers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from chain.blocks import Address
from core.errors import MarketError, SwapRefused
from core.reasons import Reason
from market.pools.base import ManyTokenPool
from market.pools.log_exp_math import ONE, div_down, mul_down, mul_up
from market.pools.pool import Swap
from market.pools.spec import PoolSpec

MAX_BALANCE = 2**128 - 1
SMALLEST_TRADE = 10**6
"""In 18 decimals, of the vaults on Ethereum, Arbitrum, OP Mainnet and Base."""


@dataclass(frozen=True, slots=True)
class VaultAccount:
    """What the vault keeps of one pool.

    Parameters
    ----------
    balances, decimals
        Of each token; balances in raw units.
    rates
        Of each token, 1e18 fixed point, as its provider says now; one without a provider.
    last_live
        Scaled balances after the latest swap or change of liquidity; yield counts from there.
    pays_yield_fees
        Whether the protocol has a share in the yield of the token.
    swap_fee
        1e18 fixed point, as the next two.
    protocol_swap_fee, protocol_yield_fee
        The share of protocol and pool creator together.
    recovering
        Whether the pool is in recovery mode, in which they have no share.
    smallest_trade
        What either side of a swap must be worth, scaled.

    Examples
    --------
    >>> account = VaultAccount(balances=(10**12,), decimals=(6,), rates=(2 * ONE,), last_live=(10**24,),
    ...                        pays_yield_fees=(True,), swap_fee=0, protocol_swap_fee=0,
    ...                        protocol_yield_fee=ONE // 10)
    >>> account.charged().balances, account.charged().last_live
    ((950000000000,), (1900000000000000000000000,))
    """

    balances: tuple[int, ...]
    decimals: tuple[int, ...]
    rates: tuple[int, ...]
    last_live: tuple[int, ...]
    pays_yield_fees: tuple[bool, ...]
    swap_fee: int
    protocol_swap_fee: int
    protocol_yield_fee: int
    recovering: bool = False
    smallest_trade: int = SMALLEST_TRADE

    def __post_init__(self) -> None:
        columns = (self.balances, self.decimals, self.rates, self.last_live, self.pays_yield_fees)
        if len({len(column) for column in columns}) != 1 or not all(
            0 <= each <= 18 for each in self.decimals
        ):
            raise MarketError(
                "each token needs a balance, 0 to 18 decimals, a rate and a last scaled balance"
            )
        held = (*self.balances, *self.last_live)
        fees = (self.swap_fee, self.protocol_swap_fee, self.protocol_yield_fee)
        if (
            not 0 <= min(held) <= max(held) <= MAX_BALANCE
            or min(self.rates) <= 0
            or not all(0 <= fee < ONE for fee in fees)
        ):
            raise MarketError(
                "balances must fit 128 bits, rates be positive, fees below one; reload the pool from a node",
                balances=self.balances,
                fees=fees,
            )

    def factor(self, index: int) -> int:
        """Return what a raw amount of a token is multiplied by, 1e18 fixed point."""
        power: int = 10 ** (18 - self.decimals[index])
        return power * self.rates[index]

    def scaled(self, index: int, raw: int) -> int:
        """Return a raw amount of a token in 18 decimals and at its rate, rounded down."""
        return mul_down(raw, self.factor(index))

    def raw_out(self, index: int, scaled: int) -> int:
        """Return the raw amount that leaves the vault: the rate is rounded up, the amount down."""
        rate = self.rates[index] + (self.rates[index] % ONE != 0)
        return div_down(scaled, 10 ** (18 - self.decimals[index]) * rate)

    def charged(self, adding: bool = False) -> VaultAccount:
        """Return the account as an operation finds it: yield fees taken, scaled balances renewed.

        Parameters
        ----------
        adding
            Adding liquidity measures the yield by scaled balances that are rounded up.
        """
        balances = tuple(self._after_yield_fee(index, adding) for index in range(len(self.balances)))
        return replace(self, balances=balances, last_live=self._live(balances))

    def moved(self, changes: Sequence[int], fees: Sequence[int]) -> VaultAccount:
        """Return the account after signed changes of raw balances, given the whole swap fee in each token.

        The vault says both in its events. Yield fees must have been :meth:`charged` before.
        """
        share = 0 if self.recovering else self.protocol_swap_fee
        balances = tuple(
            balance + change - mul_down(fee, share)
            for balance, change, fee in zip(self.balances, changes, fees, strict=True)
        )
        return replace(self, balances=balances, last_live=self._live(balances))

    def recovered(self, recovering: bool) -> VaultAccount:
        """Return the account after recovery mode was entered or left; leaving it gives up the yield fees."""
        account = self if recovering else self.charged()
        return replace(account, recovering=recovering)

    def _after_yield_fee(self, index: int, adding: bool) -> int:
        balance = self.balances[index]
        live = (mul_up if adding else mul_down)(balance, self.factor(index))
        gained = live - self.last_live[index]
        if gained <= 0 or self.recovering or not self.pays_yield_fees[index]:
            return balance
        return balance - div_down(mul_up(gained, self.protocol_yield_fee), self.factor(index))

    def _live(self, balances: Sequence[int]) -> tuple[int, ...]:
        return tuple(self.scaled(index, balance) for index, balance in enumerate(balances))


@dataclass(frozen=True, slots=True)
class BalancerV3Pool(ManyTokenPool, ABC):
    """A pool of the vault; a family adds its maths, all in scaled amounts.

    Parameters
    ----------
    spec
        ``pool_id`` is the pool's address, ``address`` the vault; ``fee`` is not used.
    account
        What the vault keeps of the pool.
    """

    spec: PoolSpec
    account: VaultAccount

    def __post_init__(self) -> None:
        if not 2 <= len(self.tokens) == len(self.account.balances):
            raise MarketError(
                "a pool needs two tokens or more, each with a balance in the vault", pool_id=self.pool_id
            )

    def swap(self, token_in: Address, token_out: Address, amount_in: int) -> Swap:
        """Return what the vault pays for ``amount_in``, and the pool after it.

        Raises
        ------
        SwapRefused
            For hooks, an empty pool, less than the vault's smallest trade on either side, or what
            the family's maths does not allow.
        """
        index_in, index_out = self._indices(token_in, token_out)
        account = self._found(index_in, index_out, amount_in)
        given = account.scaled(index_in, amount_in)
        fee = mul_up(given, account.swap_fee)
        self._check_trade(given - fee, amount_in)
        paid = self._amount_out(account.last_live, index_in, index_out, given - fee, amount_in)
        self._check_trade(paid, amount_in)
        amount_out = account.raw_out(index_out, paid)
        changes, fees = [0] * len(self.tokens), [0] * len(self.tokens)
        changes[index_in], changes[index_out] = amount_in, -amount_out
        fees[index_in] = div_down(fee, account.factor(index_in))
        try:
            moved = account.moved(changes, fees)
        except MarketError:
            raise self._refused(
                Reason.AMOUNT_TOO_LARGE, "a balance would exceed 128 bits", amount_in
            ) from None
        return Swap(amount_in, amount_out, replace(self, account=moved))

    def marginal_rate(self, token_in: Address, token_out: Address) -> float:
        """Return raw output per raw input at size zero, after the fee; 0.0 if nothing can be traded."""
        index_in, index_out = self._indices(token_in, token_out)
        try:
            account = self._found(index_in, index_out, 1)
        except SwapRefused:
            return 0.0
        rate = self._rate_at_size_zero(account.last_live, index_in, index_out)
        return rate * (account.factor(index_in) / account.factor(index_out)) * (1.0 - account.swap_fee / ONE)

    def after_swap(
        self, token_in: Address, token_out: Address, amount_in: int, amount_out: int, fee: int
    ) -> Self:
        """Return the pool after a swap as its event tells it, all in raw units.

        Raises
        ------
        MarketError
            If a token is not the pool's, or a balance would leave its bounds.
        """
        index_in, index_out = self._indices(token_in, token_out)
        changes, fees = [0] * len(self.tokens), [0] * len(self.tokens)
        changes[index_in], changes[index_out], fees[index_in] = amount_in, -amount_out, fee
        return replace(self, account=self.account.charged().moved(changes, fees))

    def after_liquidity(self, changes: Sequence[int], fees: Sequence[int], adding: bool) -> Self:
        """Return the pool after a change of liquidity as its event tells it, all in raw units.

        Raises
        ------
        MarketError
            If a balance would leave its bounds.
        """
        return replace(self, account=self.account.charged(adding).moved(changes, fees))

    @abstractmethod
    def _amount_out(
        self, live: Sequence[int], index_in: int, index_out: int, given: int, amount_in: int
    ) -> int:
        """Return what ``given`` buys; both and ``live`` are scaled, ``amount_in`` is for a refusal."""

    @abstractmethod
    def _rate_at_size_zero(self, live: Sequence[int], index_in: int, index_out: int) -> float:
        """Return scaled output per scaled input at size zero, without fees."""

    def _found(self, index_in: int, index_out: int, amount_in: int) -> VaultAccount:
        if self.spec.hooks.strip("0x"):
            raise self._refused(Reason.HOOKS_NOT_SUPPORTED, "hooks take part in the pool's swaps", amount_in)
        if amount_in <= 0:
            raise self._refused(Reason.AMOUNT_TOO_SMALL, "the input must be positive", amount_in)
        try:
            account = self.account.charged()
        except MarketError:
            raise self._refused(Reason.AMOUNT_TOO_LARGE, "a balance exceeds 128 bits", amount_in) from None
        if 0 in (account.last_live[index_in], account.last_live[index_out]):
            raise self._refused(Reason.ZERO_LIQUIDITY, "a balance is empty", amount_in)
        return account

    def _check_trade(self, scaled: int, amount_in: int) -> None:
        if scaled < self.account.smallest_trade:
            raise self._refused(Reason.AMOUNT_TOO_SMALL, "the vault does not trade so little", amount_in)
