"""Averages over time of constant-product pairs: the arithmetic mean of the price between two readings.

A pair sums its price over seconds but remembers only the last sum, so the earlier end of the window
has to have been read at its time. Each reading is such an end for those that come after it. Readings of
a branch that was left stay in use until the window has passed; they are off by what differed
for the few seconds of that branch.

References
----------
Uniswap V2 Core, ``UniswapV2Pair._update``; Uniswap V2 Periphery, library UniswapV2OracleLibrary.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from chain.blocks import Address
from chain.questions import ContractCall, Reading
from core.errors import MarketError
from core.reasons import Reason, Refusal
from market.discovery.answers import values
from market.pools.spec import PoolSpec
from market.prices.price import Price, PriceKind

_PRICE0_CUMULATIVE_LAST = bytes.fromhex("5909c0d5")
_PRICE1_CUMULATIVE_LAST = bytes.fromhex("5a3d5493")
_GET_RESERVES = bytes.fromhex("0902f1ac")
_FRACTION_BITS = 112
_OLDEST_WINDOWS = 2
"""An end of the window that is older than so many windows is not used."""


class PairSums(NamedTuple):
    """A pair's sums of the price over seconds, brought up to a moment.

    Parameters
    ----------
    at
        Unix seconds.
    of_token0, of_token1
        Sums of the price of each token in the other, 112 fractional bits, modulo 2**256.
    """

    at: int
    of_token0: int
    of_token1: int


class PairTwap:
    """The time-weighted average of one pair.

    Parameters
    ----------
    spec
        A pair with Uniswap V2's sums.
    base
        Which of its tokens is priced, in the other.
    window
        Least seconds to average over.
    least_depth
        Least reserve of the other token, raw units.
    good_for
        Seconds that a reading may be used.

    Raises
    ------
    MarketError
        If it is no such pair, or does not hold the token.
    """

    def __init__(
        self, spec: PoolSpec, base: Address, window: int, least_depth: int, good_for: int = 60
    ) -> None:
        if spec.family != "uniswap_v2" or base not in spec.tokens or window <= 0:
            raise MarketError(
                "no average over time can be read here; choose a pair of uniswap_v2, one of its tokens, "
                "and a window above zero",
                pool_id=spec.pool_id,
            )
        self.base = base
        self._spec = spec
        self._window = window
        self._least_depth = least_depth
        self._good_for = good_for
        self._read: deque[PairSums] = deque()

    @property
    def name(self) -> str:
        """Name for people."""
        return f"{self._window} s average of {self._spec.venue or self._spec.family} {self._spec.address}"

    @property
    def quote(self) -> Address:
        """The pair's other token."""
        token0, token1 = self._spec.tokens
        return token1 if self.base == token0 else token0

    def reading(self, now: int) -> Reading[Price | Refusal]:
        """Read the sums at ``now``, Unix seconds, and average since an earlier reading."""
        calls = (_PRICE0_CUMULATIVE_LAST, _PRICE1_CUMULATIVE_LAST, _GET_RESERVES)
        answers = yield [ContractCall(self._spec.address, data) for data in calls]
        sum0, sum1 = (values(("uint256",), answer) for answer in answers[:2])
        reserves = values(("uint112", "uint112", "uint32"), answers[2])
        if sum0 is None or sum1 is None or reserves is None:
            return self._refused(Reason.PRICE_UNREADABLE, "the contract does not answer as a pair does")
        reserve0, reserve1, since = reserves
        depth = reserve1 if self.base == self._spec.tokens[0] else reserve0
        if min(reserve0, reserve1) == 0 or depth < self._least_depth:
            why = f"a reserve of {depth} units is below {max(self._least_depth, 1)}"
            return self._refused(Reason.TWAP_LIQUIDITY_LOW, why)
        elapsed = (now - since) % 2**32
        last = PairSums(
            now,
            (sum0[0] + (reserve1 << _FRACTION_BITS) // reserve0 * elapsed) % 2**256,
            (sum1[0] + (reserve0 << _FRACTION_BITS) // reserve1 * elapsed) % 2**256,
        )
        first = self._earlier_end(last)
        if first is None:
            why = f"no reading of {self._window} s ago; go on reading"
            return self._refused(Reason.TWAP_TOO_SHORT, why)
        return self._average(first, last)

    def _earlier_end(self, last: PairSums) -> PairSums | None:
        """Remember a reading, and return the latest one that is at least a window older."""
        while self._read and self._read[-1].at >= last.at:
            self._read.pop()
        self._read.append(last)
        while len(self._read) > 1 and last.at - self._read[1].at >= self._window:
            self._read.popleft()
        age = last.at - self._read[0].at
        if age > _OLDEST_WINDOWS * self._window:
            self._read.popleft()
            return None
        return self._read[0] if age >= self._window else None

    def _average(self, first: PairSums, last: PairSums) -> Price | Refusal:
        of_token0 = self.base == self._spec.tokens[0]
        before, after = (sums.of_token0 if of_token0 else sums.of_token1 for sums in (first, last))
        grown = (after - before) % 2**256
        if grown == 0:
            return self._refused(Reason.PRICE_UNREADABLE, "the sum of prices stands still")
        return Price(
            base=self.base,
            quote=self.quote,
            numerator=grown,
            denominator=(last.at - first.at) << _FRACTION_BITS,
            at=last.at,
            known_at=last.at,
            good_until=last.at + self._good_for,
            source=self.name,
            kind=PriceKind.AVERAGE,
        )

    def _refused(self, reason: Reason, why: str) -> Refusal:
        return Refusal(reason, f"{self.name}: {why}")
