"""Balancer V2 weighted pools: any number of tokens, fixed weights, one vault.

The vault holds the tokens and moves them; the pool only computes. Tokens keep their raw
units outside; inside, everything is scaled to 18 decimals as the contract does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from chain.blocks import Address
from core.errors import MarketError
from core.reasons import Reason
from market.pools.base import ManyTokenPool
from market.pools.log_exp_math import complement, div_down, div_up, mul_down, mul_up, power_up
from market.pools.pool import Swap
from market.pools.spec import PoolSpec

MAX_IN_RATIO = 3 * 10**17
MAX_BALANCE = 2**112 - 1
_PPM_TO_FIXED = 10**12


@dataclass(frozen=True, slots=True)
class WeightedPool(ManyTokenPool):
    """Balances of one pool of the vault.

    Parameters
    ----------
    spec
        ``pool_id`` is the 32-byte id, ``address`` the vault, ``weights`` 1e18 fixed point.
    balances
        Raw units, in the order of ``spec.tokens``.
    decimals
        Of each token, in the same order; the contract scales by them.

    Examples
    --------
    >>> spec = PoolSpec("weighted", "0x1", "0xv", ("0xa", "0xb"), 0, weights=(5 * 10**17,) * 2)
    >>> pool = WeightedPool(spec=spec, balances=(1000 * 10**18,) * 2, decimals=(18, 18))
    >>> pool.swap("0xa", "0xb", 250 * 10**18).amount_out
    200000000000000000000
    """

    spec: PoolSpec
    balances: tuple[int, ...]
    decimals: tuple[int, ...]

    def __post_init__(self) -> None:
        count = len(self.spec.tokens)
        complete = count == len(self.balances) == len(self.decimals) == len(self.spec.weights)
        if count < 2 or not complete or not all(0 <= places <= 18 for places in self.decimals):
            raise MarketError(
                "a weighted pool needs two tokens or more, each with balance, weight and 0 to 18 decimals",
                pool_id=self.spec.pool_id,
            )
        fits = min(self.balances) >= 0 and max(self.balances) <= MAX_BALANCE and min(self.spec.weights) > 0
        if not fits or not 0 <= self.spec.fee < 1_000_000:
            raise MarketError(
                "balances must fit 112 bits, weights be positive and the fee below a million; "
                "reload the pool from a node",
                pool_id=self.spec.pool_id,
                balances=self.balances,
                fee=self.spec.fee,
            )

    def swap(self, token_in: Address, token_out: Address, amount_in: int) -> Swap:
        """Return what the vault pays for ``amount_in``, and the pool after it.

        Raises
        ------
        SwapRefused
            For more than 30 % of the balance, no input, an empty pool, or a power the
            contract cannot compute.
        """
        index_in, index_out = self._indices(token_in, token_out)
        if amount_in <= 0:
            raise self._refused(Reason.AMOUNT_TOO_SMALL, "the input must be positive", amount_in)
        after_fee = amount_in - mul_up(amount_in, self.spec.fee * _PPM_TO_FIXED)
        scaled_in = after_fee * self._factor(index_in)
        balance_in, balance_out = self._scaled(index_in), self._scaled(index_out)
        if balance_in == 0 or balance_out == 0:
            raise self._refused(Reason.ZERO_LIQUIDITY, "the pool is empty", amount_in)
        if scaled_in > mul_down(balance_in, MAX_IN_RATIO):
            raise self._refused(Reason.AMOUNT_TOO_LARGE, "the input exceeds 30 % of the balance", amount_in)
        base = div_up(balance_in, balance_in + scaled_in)
        exponent = div_down(self.spec.weights[index_in], self.spec.weights[index_out])
        try:
            kept = power_up(base, exponent)
        except ValueError:
            why = "the power leaves the contract's bounds"
            raise self._refused(Reason.AMOUNT_TOO_LARGE, why, amount_in) from None
        amount_out = mul_down(balance_out, complement(kept)) // self._factor(index_out)
        balances = list(self.balances)
        balances[index_in] += amount_in
        balances[index_out] -= amount_out
        if balances[index_in] > MAX_BALANCE:
            raise self._refused(Reason.AMOUNT_TOO_LARGE, "the balance would exceed 112 bits", amount_in)
        return Swap(amount_in, amount_out, replace(self, balances=tuple(balances)))

    def marginal_rate(self, token_in: Address, token_out: Address) -> float:
        """Return raw output per raw input at size zero, after the fee; 0.0 if empty."""
        index_in, index_out = self._indices(token_in, token_out)
        balance_in, balance_out = self.balances[index_in], self.balances[index_out]
        if balance_in == 0 or balance_out == 0:
            return 0.0
        weights = self.spec.weights[index_in] / self.spec.weights[index_out]
        return balance_out / balance_in * weights * (1.0 - self.spec.fee / 1_000_000)

    def after_changes(self, tokens: tuple[Address, ...], changes: tuple[int, ...]) -> WeightedPool:
        """Return the pool after signed changes of balances, in raw units.

        Raises
        ------
        MarketError
            If a token is not the pool's, or a balance would leave its bounds.
        """
        balances = list(self.balances)
        for token, change in zip(tokens, changes, strict=True):
            balances[self._index(token)] += change
        return replace(self, balances=tuple(balances))

    def _scaled(self, index: int) -> int:
        return self.balances[index] * self._factor(index)

    def _factor(self, index: int) -> int:
        factor: int = 10 ** (18 - self.decimals[index])
        return factor
