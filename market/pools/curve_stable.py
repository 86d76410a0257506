"""Curve's StableSwap pools: two to eight coins around one price, in three generations.

The amounts are those of ``exchange``; some pools' ``get_dy`` differs from it by a unit. All
arithmetic is on balances times rates, scaled to 18 decimals. Formulas: Curve's
``StableSwap3Pool`` (legacy), pool templates and factory (template), ``CurveStableSwapNG``.

With balances apart by ten digits or so the solver may go round in a circle of numbers that
differ in their last digits. Legacy pools then trade with the last of 255; the others revert.
Some early pools of the template trade on too; here that is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from chain.blocks import Address
from core.errors import MarketError
from core.reasons import Reason
from market.pools import curve_math
from market.pools.amplification import Amplification
from market.pools.base import ManyTokenPool
from market.pools.pool import Swap
from market.pools.spec import PoolSpec

FEE_DENOMINATOR = 10**10
MAX_COINS = 8
RATE_DIGITS = 36
"""A coin's rate is ten to the power of this less its decimals, times what it is worth."""

_ONE = 10**18


class Generation(StrEnum):
    """How a pool's contract counts A, rounds its invariant and takes its fee."""

    LEGACY = "legacy"
    TEMPLATE = "template"
    NG = "ng"


@dataclass(frozen=True, slots=True)
class CurveStablePool(ManyTokenPool):
    """Balances, rates, fees and A of one pool at one time.

    Parameters
    ----------
    spec
        ``tokens`` in the contract's order. ``fee`` is for people; ``fee`` of the pool counts.
    balances
        Raw units that belong to the pool, without the administrator's fees.
    rates
        ``10**(36 - decimals)``, times the coin's worth from its oracle or wrapper.
    amplification
        A, perhaps on its way: A itself of legacy pools, a hundred times A of the others.
    fee, admin_fee
        Out of 10**10: of the output, and the administrator's part of the fee.
    generation
        Which contract.
    offpeg_multiplier
        Newest generation only, out of 10**10: how much the fee may rise off balance.
    timestamp
        Time of the block to trade in; matters while A moves.

    Examples
    --------
    >>> spec = PoolSpec("curve_stable", "0xp", "0xp", ("0xa", "0xb", "0xc"), 100)
    >>> pool = CurveStablePool(spec, (10**26, 10**14, 8 * 10**13), (10**18, 10**30, 10**30),
    ...                        Amplification.constant(2000), fee=10**6, admin_fee=0)
    >>> pool.swap("0xa", "0xb", 100_000 * 10**18).amount_out
    99989952600
    """

    spec: PoolSpec
    balances: tuple[int, ...]
    rates: tuple[int, ...]
    amplification: Amplification
    fee: int
    admin_fee: int
    generation: Generation = Generation.LEGACY
    offpeg_multiplier: int = 0
    timestamp: int = 0

    def __post_init__(self) -> None:
        count = len(self.spec.tokens)
        complete = 2 <= count <= MAX_COINS and len(self.balances) == len(self.rates) == count
        fees = 0 <= self.fee <= FEE_DENOMINATOR and 0 <= self.admin_fee <= FEE_DENOMINATOR
        if not complete or not fees or not self._counted() or not self._fits():
            raise MarketError(
                "a Curve pool needs two to eight coins, each with a balance and a rate that fit 256 bits "
                "together, and fees out of 10**10; reload the pool from a node",
                pool_id=self.spec.pool_id,
                balances=self.balances,
                rates=self.rates,
                fee=self.fee,
            )

    def swap(self, token_in: Address, token_out: Address, amount_in: int) -> Swap:
        """Return what ``exchange`` pays for ``amount_in``, and the pool after it; it may be nothing.

        Raises
        ------
        SwapRefused
            For no input, an empty coin, numbers beyond the contract's 256 bits, or a balance
            that the contract does not find.
        """
        sold, bought = self._indices(token_in, token_out)
        if amount_in <= 0:
            raise self._refused(Reason.AMOUNT_TOO_SMALL, "the input must be positive", amount_in)
        if 0 in self._scaled():
            raise self._refused(Reason.ZERO_LIQUIDITY, "a coin of the pool has no balance", amount_in)
        try:
            amount_out, kept = self._trade(sold, bought, amount_in)
        except OverflowError:
            why = "a number would leave the contract's 256 bits"
            raise self._refused(Reason.AMOUNT_TOO_LARGE, why, amount_in) from None
        except ArithmeticError:
            why = "the contract's solver finds no balance"
            raise self._refused(Reason.CURVE_UNSOLVED, why, amount_in) from None
        balances = list(self.balances)
        balances[sold] += amount_in
        balances[bought] -= amount_out + kept
        return Swap(amount_in, amount_out, replace(self, balances=tuple(balances)))

    def marginal_rate(self, token_in: Address, token_out: Address) -> float:
        """Return raw output per raw input at size zero, after the fee; 0.0 if empty or unsolved."""
        sold, bought = self._indices(token_in, token_out)
        scaled = self._scaled()
        if 0 in scaled:
            return 0.0
        try:
            slope = curve_math.slope(sold, bought, scaled, self._ann(), self._rules())
            fee = self._fee(scaled[sold], scaled[bought])
        except ArithmeticError:
            return 0.0
        kept = (FEE_DENOMINATOR - fee) / FEE_DENOMINATOR
        return slope * (self.rates[sold] / self.rates[bought]) * kept

    def invariant(self) -> int:
        """Return D, the scaled sum of all balances if they were equal.

        Raises
        ------
        ArithmeticError
            If the contract would not find it.
        """
        return curve_math.invariant(self._scaled(), self._ann(), self._rules())

    def at(self, timestamp: int) -> CurveStablePool:
        """Return the pool as it stands at another block's time."""
        return replace(self, timestamp=timestamp)

    def after_liquidity(self, amounts: tuple[int, ...], fees: tuple[int, ...]) -> CurveStablePool:
        """Return the pool after a deposit or a withdrawal, amounts and fees as its log says.

        Parameters
        ----------
        amounts
            Of each coin, positive if paid to the pool.
        fees
            Of each coin; the administrator's part of them leaves the balances.

        Raises
        ------
        MarketError
            If a balance would be negative.
        """
        balances = tuple(
            balance + amount - fee * self.admin_fee // FEE_DENOMINATOR
            for balance, amount, fee in zip(self.balances, amounts, fees, strict=True)
        )
        return replace(self, balances=balances)

    def after_ramp(self, amplification: Amplification) -> CurveStablePool:
        """Return the pool after A has been set on its way or stopped."""
        return replace(self, amplification=amplification)

    def after_fees(self, fee: int, admin_fee: int, offpeg_multiplier: int = 0) -> CurveStablePool:
        """Return the pool after a change of its fees, out of 10**10."""
        return replace(self, fee=fee, admin_fee=admin_fee, offpeg_multiplier=offpeg_multiplier)

    def after_rates(self, rates: tuple[int, ...]) -> CurveStablePool:
        """Return the pool after a change of its coins' rates."""
        return replace(self, rates=rates)

    def _trade(self, sold: int, bought: int, amount_in: int) -> tuple[int, int]:
        """Return what the trader gets and what the administrator keeps, in raw units."""
        scaled, ann, rules = self._scaled(), self._ann(), self._rules()
        balance_in = scaled[sold] + curve_math.word(amount_in * self.rates[sold]) // _ONE
        invariant = curve_math.invariant(scaled, ann, rules)
        left = curve_math.balance_at(sold, bought, balance_in, scaled, ann, invariant, rules)
        gross = scaled[bought] - left - 1
        if gross < 0:
            raise self._refused(Reason.AMOUNT_TOO_SMALL, "the input is lost in rounding", amount_in)
        fee = self._fee((scaled[sold] + balance_in) // 2, (scaled[bought] + left) // 2)
        taken = curve_math.word(gross * fee) // FEE_DENOMINATOR
        amount_out = curve_math.word((gross - taken) * _ONE) // self.rates[bought]
        kept = taken * self.admin_fee // FEE_DENOMINATOR * _ONE // self.rates[bought]
        if self.generation is Generation.NG:
            after = list(scaled)
            after[sold], after[bought] = balance_in, left
            curve_math.check_prices(after, ann, invariant)
        return amount_out, kept

    def _fee(self, balance_in: int, balance_out: int) -> int:
        """Return the fee out of 10**10, which in the newest generation rises off balance."""
        if self.generation is not Generation.NG or self.offpeg_multiplier <= FEE_DENOMINATOR:
            return self.fee
        above = (self.offpeg_multiplier - FEE_DENOMINATOR) * 4 * balance_in
        total = curve_math.word((balance_in + balance_out) ** 2)
        closeness = curve_math.word(above * balance_out) // total
        return self.offpeg_multiplier * self.fee // (closeness + FEE_DENOMINATOR)

    def _counted(self) -> bool:
        return min(*self.balances, self.offpeg_multiplier) >= 0 and min(self.rates) > 0

    def _fits(self) -> bool:
        return all(not balance * rate >> 256 for balance, rate in zip(self.balances, self.rates, strict=True))

    def _scaled(self) -> tuple[int, ...]:
        return tuple(balance * rate // _ONE for balance, rate in zip(self.balances, self.rates, strict=True))

    def _ann(self) -> int:
        return self.amplification.at(self.timestamp) * len(self.balances)

    def _rules(self) -> curve_math.Rules:
        return _RULES[self.generation]


_RULES = {
    Generation.LEGACY: curve_math.Rules(precision=1, rounds_late=False, gives_up=False),
    Generation.TEMPLATE: curve_math.Rules(precision=100, rounds_late=False, gives_up=True),
    Generation.NG: curve_math.Rules(precision=100, rounds_late=True, gives_up=True),
}
