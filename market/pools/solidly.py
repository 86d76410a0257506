"""Pools of Solidly's curves as Velodrome V2 and Aerodrome V2 run them: volatile and stable.

The volatile curve keeps ``x * y``, the stable one ``x**3 * y + x * y**3`` of balances scaled
to 18 decimals. A pool quotes an output itself, and after paying it checks that its curve did
not fall; amounts here are the quoted ones, and a quote that fails that check is refused.
Fees leave the pool when it is paid, so reserves are without them. Formulas and their quirks:
Velodrome V2 and Aerodrome V2, ``Pool.sol``.

Other forks of Solidly solve the stable curve in other ways and are not of this family. A
paused factory stops all its pools; that is no state of a pool.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from chain.blocks import Address
from core.errors import MarketError
from core.reasons import Reason
from market.pools.base import TwoTokenPool
from market.pools.pool import Swap
from market.pools.spec import PoolSpec

VOLATILE, STABLE = "solidly_volatile", "solidly_stable"
ZERO_FEE_INDICATOR = 420
"""Custom fee that means none, since 0 means that there is no custom fee."""
MAX_DECIMALS = 36

_PPM = 1_000_000
_PPM_PER_FEE = 100
_ONE = 10**18
_WORD = 2**256
_ROUNDS = 255


def fee_in_force(custom: int, default: int) -> int:
    """Return a pool's fee in ppm from the factory's custom and default fee, in 1/10000.

    Examples
    --------
    >>> fee_in_force(0, 5), fee_in_force(30, 5), fee_in_force(420, 5)
    (500, 3000, 0)
    """
    if custom == ZERO_FEE_INDICATOR:
        return 0
    return (custom or default) * _PPM_PER_FEE


@dataclass(frozen=True, slots=True)
class SolidlyPool(TwoTokenPool):
    """Two reserves on a volatile or a stable curve.

    Parameters
    ----------
    spec
        ``family`` is ``solidly_volatile`` or ``solidly_stable``; ``fee`` in ppm is the fee in
        force, see :func:`fee_in_force`.
    reserve0, reserve1
        Raw units, as in the last ``Sync``.
    decimals
        Of ``token0`` and ``token1``; only the stable curve scales by them.

    Examples
    --------
    >>> spec = PoolSpec("solidly_stable", "0xp", "0xp", ("0xa", "0xb"), 500)
    >>> pool = SolidlyPool(spec=spec, reserve0=10**24, reserve1=9 * 10**23, decimals=(18, 18))
    >>> pool.swap("0xa", "0xb", 1000 * 10**18).amount_out
    999199748694980269307
    """

    spec: PoolSpec
    reserve0: int
    reserve1: int
    decimals: tuple[int, int]

    def __post_init__(self) -> None:
        fits = 0 <= self.reserve0 < _WORD and 0 <= self.reserve1 < _WORD and 0 <= self.spec.fee < _PPM
        known = len(self.decimals) == 2 and all(0 <= places <= MAX_DECIMALS for places in self.decimals)
        if not fits or not known or self.spec.family not in (VOLATILE, STABLE):
            raise MarketError(
                "a Solidly pool needs a volatile or stable family, reserves of 256 bits, a fee below a "
                "million and the decimals of both tokens; reload the pool from a node",
                pool_id=self.spec.pool_id,
                reserves=(self.reserve0, self.reserve1),
                fee=self.spec.fee,
                decimals=self.decimals,
            )

    @property
    def stable(self) -> bool:
        """Whether the pool has the stable curve."""
        return self.spec.family == STABLE

    def swap(self, token_in: Address, token_out: Address, amount_in: int) -> Swap:
        """Return what the pool quotes for ``amount_in`` and pays, and the pool after it.

        Raises
        ------
        SwapRefused
            For no reserves, an input that buys nothing, numbers beyond the contract's 256 bits,
            or a quote that the contract does not find or would not pay.
        """
        zero_in = self._direction(token_in, token_out)
        if amount_in <= 0:
            raise self._refused(Reason.AMOUNT_TOO_SMALL, "the input must be positive", amount_in)
        if self.reserve0 == 0 or self.reserve1 == 0:
            raise self._refused(Reason.ZERO_LIQUIDITY, "the pool has no reserves", amount_in)
        try:
            after_fee = amount_in - self._fee(amount_in)
            amount_out = self._quote(zero_in, after_fee)
            return Swap(amount_in, amount_out, self._moved(zero_in, after_fee, amount_out, amount_in))
        except OverflowError:
            why = "a number would leave the contract's 256 bits"
            raise self._refused(Reason.AMOUNT_TOO_LARGE, why, amount_in) from None
        except ArithmeticError:
            why = "the contract's solver finds no balance"
            raise self._refused(Reason.CURVE_UNSOLVED, why, amount_in) from None

    def marginal_rate(self, token_in: Address, token_out: Address) -> float:
        """Return raw output per raw input at size zero, after the fee; 0.0 without reserves."""
        zero_in = self._direction(token_in, token_out)
        if self.reserve0 == 0 or self.reserve1 == 0:
            return 0.0
        kept = (_PPM - self.spec.fee) / _PPM
        reserve_in, reserve_out = self._ordered(zero_in)
        if not self.stable:
            return reserve_out / reserve_in * kept
        decimals_in, decimals_out = self.decimals if zero_in else self.decimals[::-1]
        ratio = (reserve_in / 10.0**decimals_in) / (reserve_out / 10.0**decimals_out)
        slope = (3.0 * ratio * ratio + 1.0) / (ratio * ratio * ratio + 3.0 * ratio)
        return slope * 10.0 ** (decimals_out - decimals_in) * kept

    def after_sync(self, reserve0: int, reserve1: int) -> SolidlyPool:
        """Return the pool after a ``Sync``."""
        return replace(self, reserve0=reserve0, reserve1=reserve1)

    def after_fee(self, fee: int) -> SolidlyPool:
        """Return the pool after its fee has changed, in ppm; see :func:`fee_in_force`."""
        return replace(self, spec=replace(self.spec, fee=fee))

    def _fee(self, amount_in: int) -> int:
        _word(amount_in * (self.spec.fee // _PPM_PER_FEE))
        fee = amount_in * self.spec.fee // _PPM
        _word(fee * _ONE)  # the pool's record of fees per share
        return fee

    def _quote(self, zero_in: bool, after_fee: int) -> int:
        """Return ``getAmountOut`` of what is left after the fee."""
        reserve_in, reserve_out = self._ordered(zero_in)
        if not self.stable:
            return _word(after_fee * reserve_out) // _word(reserve_in + after_fee)
        unit_in, unit_out = self._units(zero_in)
        scaled_out = _word(reserve_out * _ONE) // unit_out
        balance_in = _word(after_fee * _ONE) // unit_in + _word(reserve_in * _ONE) // unit_in
        left = self._solve(balance_in, self._curve(self.reserve0, self.reserve1), scaled_out)
        if left > scaled_out:
            raise ArithmeticError("the balance would rise")
        return _word((scaled_out - left) * unit_out) // _ONE

    def _solve(self, x: int, k: int, y: int) -> int:
        """Return the other balance, scaled, by the contract's Newton steps from what it was.

        The test of ``y + 1`` scales arguments that are scaled already, as the contract does.
        """
        for _ in range(_ROUNDS):
            found = _product(x, y)
            step = _word(abs(k - found) * _ONE) // _slope(x, y)
            if found < k:
                if step == 0:
                    if self._curve(x, y + 1) > k:
                        return y + 1
                    step = 1
                y += step
            else:
                if step == 0:
                    if found == k or _product(x, _positive(y - 1)) < k:
                        return y
                    step = 1
                y = _positive(y - step)
        raise ArithmeticError("255 steps are not enough")

    def _curve(self, amount0: int, amount1: int) -> int:
        """Return what must not fall, of raw balances."""
        if not self.stable:
            return _word(amount0 * amount1)
        unit0, unit1 = self._units(True)
        return _product(_word(amount0 * _ONE) // unit0, _word(amount1 * _ONE) // unit1)

    def _moved(self, zero_in: bool, after_fee: int, amount_out: int, asked: int) -> SolidlyPool:
        reserve_in, reserve_out = self._ordered(zero_in)
        if amount_out == 0:
            raise self._refused(Reason.AMOUNT_TOO_SMALL, "the input buys less than one unit", asked)
        if amount_out >= reserve_out:
            raise self._refused(Reason.AMOUNT_TOO_LARGE, "the pool holds no more than that", asked)
        balances = (_word(reserve_in + after_fee), reserve_out - amount_out)
        reserve0, reserve1 = balances if zero_in else balances[::-1]
        if self._curve(reserve0, reserve1) < self._curve(self.reserve0, self.reserve1):
            raise self._refused(Reason.CURVE_UNSOLVED, "the curve would fall by the pool's own quote", asked)
        return SolidlyPool(self.spec, reserve0, reserve1, self.decimals)

    def _ordered(self, zero_in: bool) -> tuple[int, int]:
        return (self.reserve0, self.reserve1) if zero_in else (self.reserve1, self.reserve0)

    def _units(self, zero_in: bool) -> tuple[int, int]:
        unit0, unit1 = (10**places for places in self.decimals)
        return (unit0, unit1) if zero_in else (unit1, unit0)


def _word(value: int) -> int:
    """Return a number that the contract can hold."""
    if value >= _WORD:
        raise OverflowError
    return value


def _positive(value: int) -> int:
    if value < 0:
        raise ArithmeticError("a balance would be negative")
    return value


def _product(x: int, y: int) -> int:
    """Return ``x**3 * y + x * y**3`` of scaled balances, rounded as the contract does."""
    squares = _word(x * x) // _ONE + _word(y * y) // _ONE
    return _word(_word(x * y) // _ONE * squares) // _ONE


def _slope(x: int, y: int) -> int:
    """Return the derivative of :func:`_product` by ``y``."""
    mixed = _word(3 * x * (_word(y * y) // _ONE)) // _ONE
    return mixed + _word(_word(x * x) // _ONE * x) // _ONE
