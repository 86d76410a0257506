"""Concentrated liquidity pools: Uniswap V3, and Pancake V3, whose arithmetic is the same.

A swap walks from tick to tick exactly as the contract does, see :mod:`market.pools.v3_walk`.
Where only part of the tick map is known (a recorded day starts in the middle of a pool's life),
a swap that would leave the known part is refused instead of guessed;
:mod:`market.pools.v3_recorded` learns from recorded swaps what is beyond it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from chain.blocks import Address
from core.errors import MarketError
from core.reasons import Reason
from market.pools.base import TwoTokenPool
from market.pools.pool import Swap
from market.pools.spec import PoolSpec
from market.pools.v3_math import MAX_TICK, MIN_TICK, sqrt_ratio_at_tick
from market.pools.v3_ticks import TickMap
from market.pools.v3_walk import Start, rate_at_size_zero, walk

NOTHING_KNOWN = (0, 0)
"""``known`` of a pool of which not a single tick is known yet."""


@dataclass(frozen=True, slots=True)
class Walk:
    """What a swap did: amounts (input with fee), the pool after it, ticks crossed, steps.

    ``remaining`` is what was left when the price limit stopped it.
    """

    amount_in: int
    amount_out: int
    remaining: int
    pool: UniswapV3Pool
    crossed: int
    steps: int


@dataclass(frozen=True, slots=True)
class UniswapV3Pool(TwoTokenPool):
    """Price, active liquidity and ticks of a V3 pool.

    Parameters
    ----------
    spec
        ``fee`` in pips, ``tick_spacing`` positive.
    sqrt_price_x96, tick, liquidity
        As in ``slot0`` and ``liquidity``; a price of 0 means not initialised (or, in a
        recorded day, not seen yet).
    ticks
        Initialised ticks to net liquidity; any mapping, kept as a :class:`TickMap`.
    known
        ``(lower, upper)``: ``ticks`` holds every initialised tick strictly between the two;
        ``None`` if the whole map is known.

    Examples
    --------
    >>> spec = PoolSpec("uniswap_v3", "0xp", "0xp", ("0xa", "0xb"), 3000, tick_spacing=60)
    >>> pool = UniswapV3Pool(spec=spec, sqrt_price_x96=2**96, tick=0, liquidity=2 * 10**18,
    ...                      ticks={-6000: 2 * 10**18, 6000: -2 * 10**18})
    >>> pool.swap("0xa", "0xb", 10**17).amount_out
    94965947516311854
    """

    spec: PoolSpec
    sqrt_price_x96: int
    tick: int
    liquidity: int
    ticks: Mapping[int, int]
    known: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.spec.tick_spacing <= 0 or not 0 <= self.spec.fee < 1_000_000:
            raise self._impossible("the spacing must be positive and the fee below a million")
        if not isinstance(self.ticks, TickMap):
            if any(tick % self.spec.tick_spacing or abs(tick) > MAX_TICK for tick in self.ticks):
                raise self._impossible("a tick is no multiple of the spacing or out of range")
            object.__setattr__(self, "ticks", TickMap(self.ticks))
        if not 0 <= self.liquidity < 2**128:
            raise self._impossible("liquidity must fit 128 bits")
        if self.sqrt_price_x96 == 0:
            return
        if not MIN_TICK <= self.tick < MAX_TICK:
            raise self._impossible("the tick is out of range")
        # a swap that falls exactly onto a tick leaves the tick below it
        if not sqrt_ratio_at_tick(self.tick) <= self.sqrt_price_x96 <= sqrt_ratio_at_tick(self.tick + 1):
            raise self._impossible("tick and price do not belong together")

    @property
    def tick_map(self) -> TickMap:
        """``ticks``, as the ordered map it is."""
        assert isinstance(self.ticks, TickMap)
        return self.ticks

    def swap(self, token_in: Address, token_out: Address, amount_in: int) -> Swap:
        """Return what the pool pays for ``amount_in``, and the pool after it.

        The contract would fill part of an input that empties the pool; that is refused here,
        since the rest of the input would be stranded.

        Raises
        ------
        SwapRefused
            For no input, no liquidity to take it, or a swap that leaves the known ticks.
        """
        zero_for_one = self._direction(token_in, token_out)
        if not 0 < amount_in < 2**255:
            reason = Reason.AMOUNT_TOO_SMALL if amount_in <= 0 else Reason.AMOUNT_TOO_LARGE
            raise self._refused(reason, "the input must be positive and fit the contract", amount_in)
        walk = self.walk(zero_for_one, amount_in)
        if walk.remaining:
            reason = Reason.AMOUNT_TOO_LARGE if walk.amount_in else Reason.ZERO_LIQUIDITY
            raise self._refused(reason, "the pool has no liquidity for all of the input", amount_in)
        return Swap(walk.amount_in, walk.amount_out, walk.pool)

    def marginal_rate(self, token_in: Address, token_out: Address) -> float:
        """Return raw output per raw input at size zero, after the fee; 0.0 if nothing can be traded."""
        zero_for_one = self._direction(token_in, token_out)
        return rate_at_size_zero(self._start(), zero_for_one)

    def walk(self, zero_for_one: bool, amount: int, limit: int | None = None) -> Walk:
        """Carry out a swap: exact input if ``amount`` is positive, exact output if negative.

        Parameters
        ----------
        zero_for_one
            Whether token0 is paid.
        amount
            Raw units, fee included.
        limit
            Square-root price to stop at; the contract's extreme by default.

        Raises
        ------
        SwapRefused
            If the swap would leave the known ticks, or the pool is not initialised.
        """
        path = walk(self._start(), zero_for_one, amount, limit)
        after = UniswapV3Pool(
            self.spec, path.sqrt_price_x96, path.tick, path.liquidity, self.ticks, self.known
        )
        return Walk(path.amount_in, path.amount_out, path.remaining, after, path.crossed, path.steps)

    def after_initialize(self, sqrt_price_x96: int, tick: int) -> UniswapV3Pool:
        """Return the pool after ``Initialize``: a price, and no position anywhere."""
        return UniswapV3Pool(self.spec, sqrt_price_x96, tick, 0, TickMap(), None)

    def after_position(self, lower: int, upper: int, amount: int) -> UniswapV3Pool:
        """Return the pool after ``Mint`` (``amount > 0``) or ``Burn`` (``amount < 0``).

        Parameters
        ----------
        lower, upper
            Ticks between which the position lies.
        amount
            Signed units of liquidity.

        Raises
        ------
        MarketError
            If more liquidity is burnt than was there.
        """
        if amount == 0:
            return self
        complete = self.known is None
        first, last = self.known or (MIN_TICK - 1, MAX_TICK + 1)
        ticks = self.tick_map
        for tick, net in ((lower, amount), (upper, -amount)):
            if first < tick < last:
                ticks = ticks.with_position(tick, net, amount, complete=complete)
        active = self.sqrt_price_x96 != 0 and lower <= self.tick < upper
        liquidity = self.liquidity + amount if active else self.liquidity
        if liquidity < 0:
            raise MarketError(
                "more liquidity was burnt than is active; reload the pool", pool_id=self.pool_id
            )
        return replace(self, ticks=ticks, liquidity=liquidity)

    def _start(self) -> Start:
        return Start(
            self.spec.pool_id,
            self.sqrt_price_x96,
            self.tick,
            self.liquidity,
            self.tick_map,
            self.spec.tick_spacing,
            self.spec.fee,
            self.known,
        )

    def _impossible(self, why: str) -> MarketError:
        return MarketError(
            f"{why}; reload the pool from a node",
            pool_id=self.spec.pool_id,
            sqrt_price_x96=self.sqrt_price_x96,
            tick=self.tick,
            liquidity=self.liquidity,
        )
