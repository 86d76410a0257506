"""Initialised ticks of a V3 pool, and the search the contract does over them.

The contract looks for the next tick within one 256-bit word of its bitmap and stops at the
word's edge when there is none. That stop is a step of its own with its own rounding, so
the search here stops there too.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping

from core.errors import MarketError
from market.pools.v3_math import MAX_TICK, MIN_TICK


def neighbours(tick: int, spacing: int) -> tuple[int, int]:
    """Return the two ticks of the spacing with ``tick`` between them, inside the contract's range.

    Examples
    --------
    >>> neighbours(-3, 60), neighbours(60, 60), neighbours(MIN_TICK, 60)
    ((-60, 0), (60, 120), (-887272, -887220))
    """
    lower = tick // spacing * spacing
    return max(lower, MIN_TICK), min(lower + spacing, MAX_TICK)


class TickMap(Mapping[int, int]):
    """Immutable map from initialised tick to net liquidity, ordered by tick.

    A tick is here as long as some position ends at it, even if the net is zero: the
    contract stops there.

    Parameters
    ----------
    net
        Liquidity added when the price crosses the tick upward.
    gross
        Liquidity of all positions that end at the tick; ``abs(net)`` where not given,
        which is right unless positions both start and end there.

    Examples
    --------
    >>> ticks = TickMap({-60: 5, 60: -5})
    >>> ticks.next_within_word(0, 60, down=True), ticks.next_within_word(60, 60, down=False)
    ((0, False), (15300, False))
    >>> ticks.next_within_word(-1, 60, down=True), ticks.next_within_word(0, 60, down=False)
    ((-60, True), (60, True))
    """

    __slots__ = ("_gross", "_net", "_order")

    def __init__(self, net: Mapping[int, int] | None = None, gross: Mapping[int, int] | None = None) -> None:
        net = net or {}
        gross = gross or {}
        self._order = tuple(sorted(net))
        self._net = {tick: net[tick] for tick in self._order}
        self._gross = {tick: gross.get(tick, abs(net[tick])) for tick in self._order}

    def __getitem__(self, tick: int) -> int:
        return self._net[tick]

    def __iter__(self) -> Iterator[int]:
        return iter(self._order)

    def __len__(self) -> int:
        return len(self._order)

    def __hash__(self) -> int:
        return hash(tuple(self._net.items()))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, TickMap):
            return self._net == other._net and self._gross == other._gross
        return super().__eq__(other)

    def __repr__(self) -> str:
        return f"TickMap({self._net}, gross={self._gross})"

    @property
    def gross(self) -> Mapping[int, int]:
        """Liquidity of all positions that end at each tick."""
        return self._gross

    def next_within_word(self, tick: int, spacing: int, *, down: bool) -> tuple[int, bool]:
        """Return the next stop of a swap and whether it is an initialised tick.

        Looks at or below ``tick`` when the price falls, strictly above it when it rises.

        Parameters
        ----------
        tick
            Where the price stands.
        spacing
            Ticks between two that may be initialised.
        down
            Whether the price falls.
        """
        compressed = tick // spacing
        if down:
            edge = (compressed >> 8 << 8) * spacing
            at = bisect_right(self._order, tick) - 1
            if at >= 0 and self._order[at] >= edge:
                return self._order[at], True
            return max(edge, MIN_TICK), False
        edge = ((compressed + 1 >> 8 << 8) + 255) * spacing
        at = bisect_right(self._order, tick)
        if at < len(self._order) and self._order[at] <= edge:
            return self._order[at], True
        return min(edge, MAX_TICK), False

    def below(self, tick: int) -> int | None:
        """Return the greatest initialised tick at or below ``tick``, if there is one."""
        at = bisect_right(self._order, tick)
        return self._order[at - 1] if at else None

    def above(self, tick: int) -> int | None:
        """Return the least initialised tick above ``tick``, if there is one."""
        at = bisect_right(self._order, tick)
        return self._order[at] if at < len(self._order) else None

    def between(self, after: int, upto: int) -> int:
        """Return the sum of net liquidity at ticks in ``after < tick <= upto``."""
        first, last = bisect_right(self._order, after), bisect_right(self._order, upto)
        return sum(self._net[tick] for tick in self._order[first:last])

    def with_position(self, tick: int, net: int, gross: int, *, complete: bool) -> TickMap:
        """Return the map after a position that ends at ``tick`` grew (or shrank).

        Parameters
        ----------
        tick, net, gross
            The tick and what its two numbers change by.
        complete
            Whether gross liquidity is known. Where a tick was only seen being crossed, its
            gross is a lower bound, and is kept at least as large as the net.

        Raises
        ------
        MarketError
            If more liquidity leaves the tick than was there.
        """
        new_net = self._net.get(tick, 0) + net
        new_gross = self._gross.get(tick, 0) + gross
        if not complete:
            new_gross = max(new_gross, abs(new_net))
        if new_gross < abs(new_net):
            raise MarketError(
                "more liquidity left a tick than was there; reload the pool from a node",
                tick=tick,
                net=new_net,
                gross=new_gross,
            )
        return self._replaced(tick, new_net, new_gross)

    def with_crossed(self, tick: int, net: int) -> TickMap:
        """Return the map after a swap revealed what is at a tick nobody had seen before."""
        return self._replaced(tick, net, abs(net))

    def within(self, lower: int, upper: int) -> TickMap:
        """Return the part strictly between two ticks."""
        kept = self._order[bisect_right(self._order, lower) : bisect_left(self._order, upper)]
        return TickMap({tick: self._net[tick] for tick in kept}, self._gross)

    def _replaced(self, tick: int, net: int, gross: int) -> TickMap:
        nets, grosses = dict(self._net), dict(self._gross)
        if gross:
            nets[tick], grosses[tick] = net, gross
        else:
            nets.pop(tick, None)
            grosses.pop(tick, None)
        return TickMap(nets, grosses)
