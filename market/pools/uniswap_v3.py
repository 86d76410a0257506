"""Concentrated liquidity pools: Uniswap V3.

A swap walks from tick to tick exactly as the contract does. Where only part of the tick
map is known (a recorded day starts in the middle of a pool's life), a swap that would
leave the known part is refused instead of guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from chain.blocks import Address
from core.errors import MarketError, SwapRefused
from core.reasons import Reason
from market.pools.pool import Swap
from market.pools.spec import PoolSpec
from market.pools.v3_math import (
    MAX_SQRT_RATIO,
    MAX_TICK,
    MIN_SQRT_RATIO,
    MIN_TICK,
    Q96,
    sqrt_ratio_at_tick,
    swap_step,
    tick_at_sqrt_ratio,
)
from market.pools.v3_ticks import TickMap

_EVERYTHING = 2**255 - 1
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
class UniswapV3Pool:
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
    >>> pool = UniswapV3Pool(spec=spec, sqrt_price_x96=Q96, tick=0, liquidity=2 * 10**18,
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
    def pool_id(self) -> str:
        """The pool's address."""
        return self.spec.pool_id

    @property
    def address(self) -> Address:
        """The pool's address."""
        return self.spec.address

    @property
    def family(self) -> str:
        """``uniswap_v3``."""
        return self.spec.family

    @property
    def tokens(self) -> tuple[Address, ...]:
        """``token0`` and ``token1``."""
        return self.spec.tokens

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
        """Return raw output per raw input at size zero, after the fee; 0.0 without liquidity."""
        zero_for_one = self._direction(token_in, token_out)
        if self.liquidity == 0 or self.sqrt_price_x96 == 0:
            return 0.0
        root = self.sqrt_price_x96 / Q96
        price = root * root
        return (price if zero_for_one else 1.0 / price) * (1.0 - self.spec.fee / 1_000_000)

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
        if limit is None:
            limit = MIN_SQRT_RATIO + 1 if zero_for_one else MAX_SQRT_RATIO - 1
        lower, upper = self.known or (MIN_TICK, MAX_TICK)
        if self.sqrt_price_x96 == 0 or not lower <= self.tick < upper:
            raise self._refused(Reason.UNKNOWN_TICKS, "nothing is known around the price", amount)
        spacing, fee, ticks = self.spec.tick_spacing, self.spec.fee, self.tick_map
        price, tick, liquidity = self.sqrt_price_x96, self.tick, self.liquidity
        remaining, total_in, total_out, crossed, steps = amount, 0, 0, 0, 0
        while remaining and price != limit:
            stop, initialised = ticks.next_within_word(tick, spacing, down=zero_for_one)
            blind = self.known is not None and (stop <= lower if zero_for_one else stop >= upper)
            if blind:
                stop = lower if zero_for_one else upper
            stop_price = sqrt_ratio_at_tick(stop)
            target = max(stop_price, limit) if zero_for_one else min(stop_price, limit)
            start = price
            price, paid, got, fee_paid = swap_step(start, target, liquidity, remaining, fee)
            steps += 1
            remaining = remaining - paid - fee_paid if amount > 0 else remaining + got
            total_in += paid + fee_paid
            total_out += got
            if price == stop_price:
                if blind:
                    raise self._refused(Reason.UNKNOWN_TICKS, "the swap leaves the known ticks", amount)
                if initialised:
                    liquidity += -ticks[stop] if zero_for_one else ticks[stop]
                    crossed += 1
                    if liquidity < 0:
                        raise self._impossible("the ticks take away more liquidity than there is")
                tick = stop - 1 if zero_for_one else stop
            elif price != start:
                tick = tick_at_sqrt_ratio(price)
        after = UniswapV3Pool(self.spec, price, tick, liquidity, ticks, self.known)
        return Walk(total_in, total_out, remaining, after, crossed, steps)

    def after_initialize(self, sqrt_price_x96: int, tick: int) -> UniswapV3Pool:
        """Return the pool after ``Initialize``: a price, and no position anywhere."""
        return UniswapV3Pool(self.spec, sqrt_price_x96, tick, 0, TickMap(), None)

    def after_position(self, lower: int, upper: int, amount: int) -> UniswapV3Pool:
        """Return the pool after ``Mint`` (``amount > 0``) or ``Burn`` (``amount < 0``).

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

    def after_swap(
        self, amount0: int, amount1: int, sqrt_price_x96: int, liquidity: int, tick: int
    ) -> UniswapV3Pool:
        """Return the pool after a recorded ``Swap``, with what the swap revealed about ticks.

        Parameters
        ----------
        amount0, amount1
            Signed raw units, positive = paid to the pool.
        sqrt_price_x96, liquidity, tick
            State after the swap, from the event.
        """
        ticks, known = self.tick_map, self.known
        if known is not None and not known[0] <= tick < known[1]:
            informed = self.informed(liquidity, tick)
            if informed is None or not informed[0].reproduce(
                amount0, amount1, sqrt_price_x96, liquidity, tick
            ):
                ticks, known = TickMap(), self._interval(tick)
            else:
                ticks, known = informed[0].tick_map, informed[0].known
        return UniswapV3Pool(self.spec, sqrt_price_x96, tick, liquidity, ticks, known)

    def informed(self, liquidity: int, tick: int) -> tuple[UniswapV3Pool, bool] | None:
        """Return this pool with the ticks that a swap which ended there must have met.

        Parameters
        ----------
        liquidity, tick
            State after the swap.

        Returns
        -------
        tuple of pool and bool, or None
            The flag tells whether no other ticks are possible: always inside the known range,
            and one spacing beyond it, where the change of liquidity is the one unknown tick's
            net. Farther out, unchanged liquidity suggests that there is no tick, and
            :meth:`reproduce` must confirm it; otherwise nothing can be said.
        """
        if self.known is None:
            return self, True
        lower, upper = self.known
        if self.sqrt_price_x96 == 0 or not lower <= self.tick < upper:
            return None
        if lower <= tick < upper:
            return self, True
        here = self._interval(tick)
        rises = tick >= upper
        ticks, edge = self.tick_map, upper if rises else lower
        inside = ticks.between(self.tick, upper - 1) if rises else -ticks.between(lower, self.tick)
        net = liquidity - self.liquidity - inside
        adjacent = edge == (here[0] if rises else here[1])
        if net and not adjacent:
            return None
        if net:
            ticks = ticks.with_crossed(edge, net if rises else -net)
        known = (min(lower, here[0]), max(upper, here[1]))
        return UniswapV3Pool(
            self.spec, self.sqrt_price_x96, self.tick, self.liquidity, ticks, known
        ), adjacent

    def reproduce(
        self, amount0: int, amount1: int, sqrt_price_x96: int, liquidity: int, tick: int
    ) -> Walk | None:
        """Return the swap that gives exactly these signed amounts and this state, if one does.

        The caller of a swap bounds its input, its output or its price; each rounds
        differently, so all three are tried.
        """
        falls = amount0 > 0
        paid, got = (amount0, -amount1) if falls else (amount1, -amount0)
        if (
            paid <= 0
            or got < 0
            or (sqrt_price_x96 > self.sqrt_price_x96 if falls else sqrt_price_x96 < self.sqrt_price_x96)
        ):
            return None
        recorded = (sqrt_price_x96, liquidity, tick, paid, got)
        for amount, limit in ((paid, None), (-got, None), (_EVERYTHING, sqrt_price_x96)):
            if amount == 0:
                continue
            try:
                walk = self.walk(falls, amount, limit)
            except SwapRefused:
                continue
            after = walk.pool
            if recorded == (
                after.sqrt_price_x96,
                after.liquidity,
                after.tick,
                walk.amount_in,
                walk.amount_out,
            ):
                return walk
        return None

    def _interval(self, tick: int) -> tuple[int, int]:
        """Return the two neighbouring ticks of the spacing with ``tick`` between them."""
        lower = tick // self.spec.tick_spacing * self.spec.tick_spacing
        return lower, lower + self.spec.tick_spacing

    def _direction(self, token_in: Address, token_out: Address) -> bool:
        token0, token1 = self.spec.tokens
        if token_in == token0 and token_out == token1:
            return True
        if token_in == token1 and token_out == token0:
            return False
        raise MarketError(
            "the pool does not trade these tokens; take them from `tokens`",
            pool_id=self.pool_id,
            token_in=token_in,
            token_out=token_out,
        )

    def _impossible(self, why: str) -> MarketError:
        return MarketError(
            f"{why}; reload the pool from a node",
            pool_id=self.spec.pool_id,
            sqrt_price_x96=self.sqrt_price_x96,
            tick=self.tick,
            liquidity=self.liquidity,
        )

    def _refused(self, reason: Reason, why: str, amount: int) -> SwapRefused:
        return SwapRefused(
            f"{why}; choose another amount or pool", reason=reason, pool_id=self.pool_id, amount=amount
        )
