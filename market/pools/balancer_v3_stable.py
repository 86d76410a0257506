"""Balancer V3 stable pools: the stable invariant on amounts that the vault has scaled.

The pools of the first factories let balances differ as much as they will; later ones refuse a swap
if before or after it the largest scaled balance is ten thousand times the smallest, or more.

References
----------
Balancer V3, StablePool and StableMath.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from core.reasons import Reason
from market.pools.amplification import Amplification
from market.pools.balancer_v3 import BalancerV3Pool
from market.pools.stable_math import balance_v3, invariant, rate_at_size_zero

IMBALANCE_LIMIT = 10_000


@dataclass(frozen=True, slots=True)
class BalancerV3StablePool(BalancerV3Pool):
    """A stable pool of the V3 vault.

    Parameters
    ----------
    spec
        ``pool_id`` is the pool's address, ``address`` the vault.
    account
        What the vault keeps of the pool.
    amplification
        Of the invariant.
    timestamp
        Of the block that swaps are meant for.
    imbalance_limit
        Largest over smallest balance at which swaps stop; zero for a pool of the first factories.

    Examples
    --------
    >>> from market.pools.balancer_v3 import VaultAccount
    >>> from market.pools.spec import PoolSpec
    >>> held = (10**24,) * 2
    >>> account = VaultAccount(balances=held, decimals=(18, 18), rates=(10**18,) * 2, last_live=held,
    ...                        pays_yield_fees=(False, False), swap_fee=10**14, protocol_swap_fee=0,
    ...                        protocol_yield_fee=0)
    >>> pool = BalancerV3StablePool(spec=PoolSpec("balancer_v3_stable", "0xp", "0xv", ("0xa", "0xb"), 0),
    ...                             account=account, amplification=Amplification.constant(100_000))
    >>> pool.swap("0xa", "0xb", 10**21).amount_out
    999890101078297487836
    """

    amplification: Amplification
    timestamp: int = 0
    imbalance_limit: int = IMBALANCE_LIMIT

    def at(self, timestamp: int) -> BalancerV3StablePool:
        """Return the pool for swaps in a block of that time."""
        return replace(self, timestamp=timestamp)

    def _amount_out(
        self, live: Sequence[int], index_in: int, index_out: int, given: int, amount_in: int
    ) -> int:
        if 0 in live:
            raise self._refused(Reason.ZERO_LIQUIDITY, "a balance is empty", amount_in)
        amplification = self.amplification.at(self.timestamp)
        paid_in = list(live)
        paid_in[index_in] += given
        try:
            level = invariant(amplification, live)
            left = balance_v3(amplification, paid_in, level, index_out)
        except ArithmeticError:
            why = "the contract's arithmetic overflows or does not settle"
            raise self._refused(Reason.AMOUNT_TOO_LARGE, why, amount_in) from None
        paid = live[index_out] - left - 1
        if paid < 0:
            raise self._refused(Reason.AMOUNT_TOO_SMALL, "the input buys less than one unit", amount_in)
        smallest, largest = min(*live, left + 1), max(paid_in)
        if self.imbalance_limit and largest // smallest >= self.imbalance_limit:
            raise self._refused(Reason.AMOUNT_TOO_LARGE, "the balances would be too far apart", amount_in)
        return paid

    def _rate_at_size_zero(self, live: Sequence[int], index_in: int, index_out: int) -> float:
        try:
            return rate_at_size_zero(self.amplification.at(self.timestamp), live, index_in, index_out)
        except ArithmeticError:
            return 0.0
