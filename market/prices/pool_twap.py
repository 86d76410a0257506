"""Averages that pools of concentrated liquidity keep: the geometric mean of the price over a window.

The contract sums ticks over seconds. The mean tick is the difference of two sums by the window, rounded
down as Uniswap's OracleLibrary rounds; the price at that tick is up to one tick (0.01 %) below the
mean for token0, and above it for token1.

References
----------
Uniswap V3 Core, library Oracle; Uniswap V3 Periphery, library OracleLibrary.
"""

from __future__ import annotations

from dataclasses import dataclass

from chain.blocks import Address
from chain.questions import ContractCall, Reading
from core.errors import MarketError
from core.reasons import Reason, Refusal
from market.discovery.answers import values
from market.pools.spec import PoolSpec
from market.pools.v3_math import MAX_TICK, MIN_TICK, Q96, sqrt_ratio_at_tick
from market.prices.price import Price, PriceKind

_OBSERVE = bytes.fromhex("883bdbfd")
_GET_TIMEPOINTS = bytes.fromhex("9d3a5241")
_SELECTORS = {
    "uniswap_v3": _OBSERVE,
    "pancake_v3": _OBSERVE,
    "slipstream": _OBSERVE,
    "algebra_v1": _GET_TIMEPOINTS,
}
"""What asks a family's pools for their sums; the first two arrays of each answer mean the same."""


@dataclass(frozen=True, slots=True)
class PoolTwap:
    """The time-weighted average of one pool.

    Parameters
    ----------
    spec
        The pool.
    base
        Which of its tokens is priced, in the other.
    window
        Seconds to average over.
    least_depth
        Least reserve of the other token, raw units, that the pool's liquidity stood for: virtual, and
        averaged so that a moment without liquidity counts for much.
    good_for
        Seconds that a reading may be used.

    Raises
    ------
    MarketError
        If the pool keeps no such sums, or does not hold the token.
    """

    spec: PoolSpec
    base: Address
    window: int
    least_depth: int
    good_for: int = 60

    def __post_init__(self) -> None:
        if self.spec.family not in _SELECTORS or self.base not in self.spec.tokens or self.window <= 0:
            raise MarketError(
                "no average over time can be read here; choose a pool of "
                f"{', '.join(_SELECTORS)}, one of its tokens, and a window above zero",
                pool_id=self.spec.pool_id,
            )

    @property
    def name(self) -> str:
        """Name for people."""
        return f"{self.window} s average of {self.spec.venue or self.spec.family} {self.spec.address}"

    @property
    def quote(self) -> Address:
        """The pool's other token."""
        token0, token1 = self.spec.tokens
        return token1 if self.base == token0 else token0

    def reading(self, now: int) -> Reading[Price | Refusal]:
        """Read the sums at both ends of the window that ends at ``now``, Unix seconds."""
        words = (32, 2, self.window, 0)
        data = _SELECTORS[self.spec.family] + b"".join(word.to_bytes(32, "big") for word in words)
        (answer,) = yield [ContractCall(self.spec.address, data)]
        if answer is None:
            return self._refused(Reason.TWAP_TOO_SHORT, f"the pool does not remember {self.window} s")
        sums = values(("int56[]", "uint160[]"), answer)
        if sums is None or [len(array) for array in sums] != [2, 2]:
            return self._refused(Reason.PRICE_UNREADABLE, "the contract does not answer as a pool does")
        (tick_before, tick_after), (inverse_before, inverse_after) = sums
        tick = _wrapped(tick_after - tick_before) // self.window
        if not MIN_TICK <= tick <= MAX_TICK:
            return self._refused(Reason.PRICE_UNREADABLE, f"the average tick {tick} is out of range")
        # the contract counts no liquidity as one unit of it
        liquidity = (self.window << 128) // max((inverse_after - inverse_before) % 2**160, 1)
        return self._judged(sqrt_ratio_at_tick(tick), liquidity, now)

    def _judged(self, sqrt_price: int, liquidity: int, now: int) -> Price | Refusal:
        of_token0 = self.base == self.spec.tokens[0]
        depth = liquidity * sqrt_price // Q96 if of_token0 else liquidity * Q96 // sqrt_price
        if depth < self.least_depth:
            why = f"a depth of {depth} units is below {self.least_depth}"
            return self._refused(Reason.TWAP_LIQUIDITY_LOW, why)
        ratio = (sqrt_price * sqrt_price, Q96 * Q96)
        numerator, denominator = ratio if of_token0 else ratio[::-1]
        return Price(
            base=self.base,
            quote=self.quote,
            numerator=numerator,
            denominator=denominator,
            at=now,
            known_at=now,
            good_until=now + self.good_for,
            source=self.name,
            kind=PriceKind.AVERAGE,
        )

    def _refused(self, reason: Reason, why: str) -> Refusal:
        return Refusal(reason, f"{self.name}: {why}")


def _wrapped(difference: int) -> int:
    """Return a difference of two sums that the contract keeps in 56 bits with sign."""
    return (difference + 2**55) % 2**56 - 2**55
