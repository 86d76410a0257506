"""Constant product pools: Uniswap V2 and its copies (SushiSwap, PancakeSwap, Camelot and others).

The contract is paid, pays what the caller asked for and checks the product. The amounts
here are the largest output and the smallest input that pass this check. Where the fee
depends on the token that is paid (Camelot V2), the pair rounds the fee down to whole
units before its check and so accepts a little more than it quotes; the amounts here are
the quoted ones, which routers ask for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from chain.blocks import Address
from core.errors import MarketError
from core.reasons import Reason
from market.pools.base import TwoTokenPool
from market.pools.pool import Swap
from market.pools.spec import PoolSpec

MAX_RESERVE = 2**112 - 1
_PPM = 1_000_000


@dataclass(frozen=True, slots=True)
class UniswapV2Pool(TwoTokenPool):
    """A pair: two reserves and a fee on the input.

    Parameters
    ----------
    spec
        ``fee`` in ppm, or ``fees`` with one for each token; 3000 gives exactly the
        contract's 997/1000, since a common factor of numerator and denominator does not
        change any rounding here.
    reserve0, reserve1
        Raw units, as in the last ``Sync``.

    Examples
    --------
    >>> spec = PoolSpec("uniswap_v2", "0xp", "0xp", ("0xa", "0xb"), 3000)
    >>> pool = UniswapV2Pool(spec=spec, reserve0=1000 * 10**18, reserve1=2_000_000 * 10**6)
    >>> pool.swap("0xa", "0xb", 10**18).amount_out
    1992013962
    """

    spec: PoolSpec
    reserve0: int
    reserve1: int

    def __post_init__(self) -> None:
        fits = 0 <= self.reserve0 <= MAX_RESERVE and 0 <= self.reserve1 <= MAX_RESERVE
        fees = self.spec.fees or (self.spec.fee,) * 2
        if not fits or len(fees) != 2 or not all(0 <= fee < _PPM for fee in fees):
            raise MarketError(
                "reserves must fit 112 bits and a fee must be below a million; reload the pair from a node",
                pool_id=self.spec.pool_id,
                reserves=(self.reserve0, self.reserve1),
                fees=fees,
            )

    def swap(self, token_in: Address, token_out: Address, amount_in: int) -> Swap:
        """Return the largest output the pair pays for ``amount_in``, and the pair after it.

        Raises
        ------
        SwapRefused
            For no reserves, an input that buys nothing, or reserves beyond 112 bits.
        """
        zero_in = self._direction(token_in, token_out)
        reserve_in, reserve_out = self._ordered(zero_in)
        if reserve_in == 0 or reserve_out == 0:
            raise self._refused(Reason.ZERO_LIQUIDITY, "the pair has no reserves", amount_in)
        if amount_in <= 0:
            raise self._refused(Reason.AMOUNT_TOO_SMALL, "the input must be positive", amount_in)
        kept = amount_in * (_PPM - self._fee(zero_in))
        amount_out = kept * reserve_out // (reserve_in * _PPM + kept)
        if amount_out == 0:
            raise self._refused(Reason.AMOUNT_TOO_SMALL, "the input buys less than one unit", amount_in)
        return self._moved(zero_in, amount_in, amount_out)

    def amount_in(self, token_in: Address, token_out: Address, amount_out: int) -> int:
        """Return the input that a router asks for ``amount_out``, in raw units.

        It always passes the pair's check; rounding may make it one unit more than needed.

        Raises
        ------
        SwapRefused
            If the pair does not hold more than ``amount_out``, has no reserves to trade against,
            or the input does not fit.
        """
        zero_in = self._direction(token_in, token_out)
        reserve_in, reserve_out = self._ordered(zero_in)
        if reserve_in == 0 or reserve_out == 0:
            raise self._refused(Reason.ZERO_LIQUIDITY, "the pair has no reserves", amount_out)
        if amount_out <= 0:
            raise self._refused(Reason.AMOUNT_TOO_SMALL, "the output must be positive", amount_out)
        if amount_out >= reserve_out:
            raise self._refused(Reason.AMOUNT_TOO_LARGE, "the pair holds no more than that", amount_out)
        kept = _PPM - self._fee(zero_in)
        paid = reserve_in * amount_out * _PPM // ((reserve_out - amount_out) * kept) + 1
        if reserve_in + paid > MAX_RESERVE:
            raise self._refused(Reason.AMOUNT_TOO_LARGE, "reserves would exceed 112 bits", amount_out)
        return paid

    def accepts(self, token_in: Address, token_out: Address, amount_in: int, amount_out: int) -> bool:
        """Return whether the pair's product check passes for these amounts."""
        zero_in = self._direction(token_in, token_out)
        reserve_in, reserve_out = self._ordered(zero_in)
        if amount_in <= 0 or not 0 < amount_out < reserve_out:
            return False
        fee = amount_in * self._fee(zero_in)
        if self.spec.fees:
            fee -= fee % _PPM
        adjusted = (reserve_in + amount_in) * _PPM - fee
        left = (reserve_out - amount_out) * _PPM
        return adjusted * left >= reserve_in * reserve_out * _PPM**2

    def marginal_rate(self, token_in: Address, token_out: Address) -> float:
        """Return raw output per raw input at size zero, after the fee; 0.0 without reserves."""
        zero_in = self._direction(token_in, token_out)
        reserve_in, reserve_out = self._ordered(zero_in)
        if reserve_in == 0 or reserve_out == 0:
            return 0.0
        return reserve_out / reserve_in * ((_PPM - self._fee(zero_in)) / _PPM)

    def after_sync(self, reserve0: int, reserve1: int) -> UniswapV2Pool:
        """Return the pair after a ``Sync``."""
        return replace(self, reserve0=reserve0, reserve1=reserve1)

    def after_fees(self, fee0: int, fee1: int) -> UniswapV2Pool:
        """Return the pair after a change of its fees by token, in ppm (Camelot's ``FeePercentUpdated``)."""
        return replace(self, spec=replace(self.spec, fees=(fee0, fee1)))

    def _fee(self, zero_in: bool) -> int:
        if not self.spec.fees:
            return self.spec.fee
        return self.spec.fees[0 if zero_in else 1]

    def _ordered(self, zero_in: bool) -> tuple[int, int]:
        return (self.reserve0, self.reserve1) if zero_in else (self.reserve1, self.reserve0)

    def _moved(self, zero_in: bool, amount_in: int, amount_out: int) -> Swap:
        change0, change1 = (amount_in, -amount_out) if zero_in else (-amount_out, amount_in)
        reserve0, reserve1 = self.reserve0 + change0, self.reserve1 + change1
        if max(reserve0, reserve1) > MAX_RESERVE:
            raise self._refused(Reason.AMOUNT_TOO_LARGE, "reserves would exceed 112 bits", amount_in)
        return Swap(amount_in, amount_out, UniswapV2Pool(self.spec, reserve0, reserve1))
