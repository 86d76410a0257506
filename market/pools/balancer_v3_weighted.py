"""Balancer V3 weighted pools: V2's formula on amounts that the vault has scaled.

The pools of the first factories take the balance of the token that is paid as it is and know no
least balance; later ones round it up by one and refuse to go below a least balance of each token.

References
----------
Balancer V3, WeightedPool and WeightedMath.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import MarketError
from core.reasons import Reason
from market.pools.balancer_v3 import BalancerV3Pool
from market.pools.log_exp_math import complement, div_down, div_up, mul_down, power_up

MAX_IN_RATIO = 3 * 10**17


@dataclass(frozen=True, slots=True)
class BalancerV3WeightedPool(BalancerV3Pool):
    """A weighted pool of the V3 vault.

    Parameters
    ----------
    spec
        ``pool_id`` is the pool's address, ``address`` the vault, ``weights`` 1e18 fixed point.
    account
        What the vault keeps of the pool.
    least_balances
        Of each token, scaled; empty for a pool of the first factories.

    Examples
    --------
    >>> from market.pools.balancer_v3 import VaultAccount
    >>> from market.pools.spec import PoolSpec
    >>> spec = PoolSpec("balancer_v3_weighted", "0xp", "0xv", ("0xa", "0xb"), 0, weights=(5 * 10**17,) * 2)
    >>> held = (1_000 * 10**18,) * 2
    >>> account = VaultAccount(balances=held, decimals=(18, 18), rates=(10**18,) * 2, last_live=held,
    ...                        pays_yield_fees=(False, False), swap_fee=0, protocol_swap_fee=0,
    ...                        protocol_yield_fee=0)
    >>> pool = BalancerV3WeightedPool(spec=spec, account=account)
    >>> pool.swap("0xa", "0xb", 250 * 10**18).amount_out
    200000000000000000000
    """

    least_balances: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        BalancerV3Pool.__post_init__(self)
        count = len(self.tokens)
        if (
            len(self.spec.weights) != count
            or min(self.spec.weights) <= 0
            or len(self.least_balances) not in (0, count)
        ):
            raise MarketError(
                "each token needs a positive weight, and a least balance if another has one",
                pool_id=self.pool_id,
            )

    def _amount_out(
        self, live: Sequence[int], index_in: int, index_out: int, given: int, amount_in: int
    ) -> int:
        balance_in, balance_out = live[index_in] + bool(self.least_balances), live[index_out]
        if given > mul_down(balance_in, MAX_IN_RATIO):
            raise self._refused(Reason.AMOUNT_TOO_LARGE, "the input exceeds 30 % of the balance", amount_in)
        base = div_up(balance_in, balance_in + given)
        exponent = div_down(self.spec.weights[index_in], self.spec.weights[index_out])
        try:
            kept = power_up(base, exponent)
        except ValueError:
            why = "the power leaves the contract's bounds"
            raise self._refused(Reason.AMOUNT_TOO_LARGE, why, amount_in) from None
        paid = mul_down(balance_out, complement(kept))
        if self.least_balances and (
            balance_in < self.least_balances[index_in] or balance_out - paid < self.least_balances[index_out]
        ):
            raise self._refused(
                Reason.AMOUNT_TOO_LARGE, "a balance would be less than the pool's least", amount_in
            )
        return paid

    def _rate_at_size_zero(self, live: Sequence[int], index_in: int, index_out: int) -> float:
        weights = self.spec.weights[index_in] / self.spec.weights[index_out]
        return live[index_out] / live[index_in] * weights
