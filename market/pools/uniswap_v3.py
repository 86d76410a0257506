"""Concentrated liquidity pools: Uniswap V3, and Pancake V3, whose arithmetic is the same.

A swap walks from tick to tick exactly as the contract does, see :mod:`market.pools.v3_walk`.
Where only part of the tick map is known (a recorded day starts in the middle of a pool's life),
a swap that would leave the known part is refused instead of guessed;
:mod:`market.pools.v3_recorded` learns from recorded swaps what is beyond it.
"""

from __future__ import annotations

from dataclasses import dataclass

from market.pools import v3_recorded
from market.pools.concentrated import ConcentratedPool
from market.pools.v3_ticks import TickMap

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
class UniswapV3Pool(ConcentratedPool):
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
    >>> from market.pools.spec import PoolSpec
    >>> spec = PoolSpec("uniswap_v3", "0xp", "0xp", ("0xa", "0xb"), 3000, tick_spacing=60)
    >>> pool = UniswapV3Pool(spec=spec, sqrt_price_x96=2**96, tick=0, liquidity=2 * 10**18,
    ...                      ticks={-6000: 2 * 10**18, 6000: -2 * 10**18})
    >>> pool.swap("0xa", "0xb", 10**17).amount_out
    94965947516311854
    """

    known: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.spec.fee < 1_000_000:
            raise self._impossible("the fee must be below a million")
        self._check_state()

    def fee_of(self, zero_for_one: bool) -> int:
        """Return the fee, the same in both directions."""
        return self.spec.fee

    def walk(self, zero_for_one: bool, amount: int, limit: int | None = None) -> Walk:
        """Carry out a swap, see :meth:`ConcentratedPool.path`, and return the pool after it as well.

        Raises
        ------
        SwapRefused
            If the swap would leave the known ticks, or the pool is not initialised.
        """
        path = self.path(zero_for_one, amount, limit)
        after = self.after_path(path)
        return Walk(path.amount_in, path.amount_out, path.remaining, after, path.crossed, path.steps)

    def after_initialize(self, sqrt_price_x96: int, tick: int) -> UniswapV3Pool:
        """Return the pool after ``Initialize``: a price, and no position anywhere."""
        return UniswapV3Pool(self.spec, sqrt_price_x96, tick, 0, TickMap(), None)

    def after_swap(
        self, amount0: int, amount1: int, sqrt_price_x96: int, liquidity: int, tick: int
    ) -> UniswapV3Pool:
        """Return the pool after a recorded ``Swap``, with what the swap revealed about ticks.

        Raises
        ------
        MarketError
            If all ticks are known and do not lead from one liquidity to the other.
        """
        if self.known is None:
            self._check_crossed(liquidity, tick)
        return v3_recorded.after_swap(self, amount0, amount1, sqrt_price_x96, liquidity, tick)

    def _known_range(self) -> tuple[int, int] | None:
        return self.known
