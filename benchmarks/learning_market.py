"""The seeded market of the learning figures: fifty pools, and blocks with all that is known beside them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import accumulate

from benchmarks.market_tape import SPACING, SeededMarket
from chain.blocks import Block, BlockHeader, RawLog, next_base_fee
from features.groups.group import Pending
from market.context import BlockContext, Candle
from market.pools.pool import Pool
from market.pools.uniswap_v2 import UniswapV2Pool
from market.pools.uniswap_v3 import UniswapV3Pool
from market.tokens import Token

POOLS = 50
EVENTS_PER_BLOCK = 10
"""Events of a block, on average. The three recorded pools have 0.93 a block, and few pools have more."""

REFERENCE_POOLS = 6
OTHERS = 12
"""Tokens beside WETH and USDC."""

_SYMBOLS = ("WETH", "USDC", *(f"T{place}" for place in range(OTHERS)))
TOKENS = {
    token.address: token
    for token in (Token(f"0x{0xA0 + place:02x}" + "00" * 19, name, 18) for place, name in enumerate(_SYMBOLS))
}
_UNIT = 10**21
_WIDE, _NARROW = 600 * SPACING, 10 * SPACING
_BUILDERS = ("beaver", "titan", "rsync", "flashbots", "penguin", "jet", "loki", "bob")

Seen = tuple[Block, BlockContext, Pending]
"""A block, what is known beside it, and the mempool at its end."""


@dataclass
class WatchedMarket(SeededMarket):
    """Pools of WETH, USDC and twelve tokens, and the blocks that trade in them.

    All stand at one raw unit for one; trades move them apart. Some are traded more often than others:
    the ``n``-th in the order of places ``1 / n`` as often as the first.
    """

    pairs: int = POOLS // 2
    concentrated: int = POOLS - POOLS // 2

    def __post_init__(self) -> None:
        super().__post_init__()
        self.pools = tuple(_moved(pool, place) for place, pool in enumerate(self.pools))

    def seen(self, count: int) -> Iterator[Seen]:
        """Yield blocks after the head; the pools above stay as they are before the first."""
        pools, parent, chance = list(self.pools), self.head, self._random
        places, often = range(len(pools)), list(accumulate(1 / (place + 1) for place in range(len(pools))))
        context = self._context(parent.timestamp)
        for number in range(self.head.number + 1, self.head.number + 1 + count):
            logs: list[RawLog] = []
            for event in range(self._events()):
                (place,) = chance.choices(places, cum_weights=often)
                pools[place], emitted = self._event(pools[place])
                # one event of three is of the same transaction as the one before it
                transaction, address = event - event % 3 // 2, pools[place].address
                for topics, data in emitted:
                    index = len(logs)
                    logs.append(RawLog(number, index, transaction, bytes(32), address, topics, data))
            parent = self._child(parent)
            if number % 5 == 0:
                context = self._context(parent.timestamp)
            context = replace(
                context,
                winning_bid=int(10**17 * chance.lognormvariate(-1, 1)),
                builder=_BUILDERS[min(int(chance.expovariate(0.5)), len(_BUILDERS) - 1)],
            )
            pending = Pending(chance.randrange(40), chance.randrange(10**20), chance.randrange(10**20))
            yield Block(parent, tuple(logs), parent.timestamp * 10**9), context, pending

    def _events(self) -> int:
        """Return how many events a block has, from a Poisson process; the recorded day's are very nearly."""
        count, clock = 0, self._random.expovariate(EVENTS_PER_BLOCK)
        while clock < 1:
            count, clock = count + 1, clock + self._random.expovariate(EVENTS_PER_BLOCK)
        return count

    def _child(self, parent: BlockHeader) -> BlockHeader:
        number, gas_used = parent.number + 1, int(parent.gas_limit * self._random.betavariate(2.05, 2))
        return BlockHeader(
            number,
            number.to_bytes(32, "big"),
            parent.hash,
            parent.timestamp + 12,
            next_base_fee(parent),
            gas_used,
            parent.gas_limit,
        )

    def _context(self, timestamp: int) -> BlockContext:
        opened, closed = self._random.uniform(0.99, 1.01), self._random.uniform(0.99, 1.01)
        high, low = max(opened, closed) * 1.001, min(opened, closed) * 0.999
        volume = self._random.uniform(10, 1000)
        return BlockContext(candle=Candle("ETHUSDC", timestamp, opened, high, low, closed, volume))


def _moved(pool: Pool, place: int) -> Pool:
    """Return a pool of other tokens, at one for one."""
    spec = replace(pool.spec, tokens=_tokens(place))
    if isinstance(pool, UniswapV2Pool):
        return replace(pool, spec=spec)
    ticks = {-_WIDE: 50 * _UNIT, -_NARROW: 900 * _UNIT, _NARROW: -900 * _UNIT, _WIDE: -50 * _UNIT}
    return UniswapV3Pool(spec, 2**96, 0, 950 * _UNIT, ticks)


def _tokens(place: int) -> tuple[str, str]:
    """Return what the pool of a place trades: WETH and USDC, WETH and another, or USDC and another."""
    weth, usdc, *others = TOKENS
    if place % (POOLS // REFERENCE_POOLS) == 0:
        return weth, usdc
    return (usdc if place % 5 == 4 else weth), others[place % OTHERS]
