"""Concentrated liquidity pools of Aerodrome and Velodrome (Slipstream): V3 with a fee that is read.

A pool has no fee of its own. Each swap asks the factory, and the factory asks its fee module: a number
that governance set, or a dynamic one that grows with the distance of the price from its average and is
discounted by who sends the transaction. It is the same for all steps of one swap, and nothing announces a
change. So the fee is state here, loaded with the rest by calling ``fee()`` with our own sender, at the
block that the swap is meant for. Steps, ticks and rounding are Uniswap V3's.

References
----------
Slipstream, ``CLPool.swap``, ``CLFactory.getSwapFee``, ``DynamicSwapFeeModule.getFee``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from market.pools.concentrated import ConcentratedPool


@dataclass(frozen=True, slots=True)
class SlipstreamPool(ConcentratedPool):
    """A pool of one pair of tokens and one tick spacing.

    Parameters
    ----------
    spec, sqrt_price_x96, tick, liquidity, ticks
        See :class:`market.pools.concentrated.ConcentratedPool`; ``spec.fee`` means nothing.
    fee
        Pips, as ``fee()`` says it to us, valid until the fee module says otherwise.

    Examples
    --------
    >>> from market.pools.spec import PoolSpec
    >>> spec = PoolSpec("slipstream", "0xp", "0xp", ("0xa", "0xb"), 0, tick_spacing=60)
    >>> pool = SlipstreamPool(spec, 2**96, 0, 2 * 10**18, {-6000: 2 * 10**18, 6000: -2 * 10**18}, 3000)
    >>> pool.swap("0xa", "0xb", 10**17).amount_out, pool.with_fee(500).swap("0xa", "0xb", 10**17).amount_out
    (94965947516311854, 95192742684349627)
    """

    fee: int

    def __post_init__(self) -> None:
        if not 0 <= self.fee < 1_000_000:
            raise self._impossible("the fee must be below a million pips")
        self._check_state()

    def fee_of(self, zero_for_one: bool) -> int:
        """Return the fee, the same in both directions."""
        return self.fee

    def with_fee(self, fee: int) -> SlipstreamPool:
        """Return the pool with a fee that was read anew, in pips."""
        return replace(self, fee=fee)
