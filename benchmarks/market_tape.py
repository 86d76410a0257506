"""A seeded market of pairs and V3 pools, and the blocks it emits: swaps carried out, mints and burns."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chain.blocks import Block, BlockHeader, RawLog
from market import events
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import UniswapV2Pool
from market.pools.uniswap_v3 import UniswapV3Pool
from market.pools.v3_ticks import TickMap
from market.tokens import Token

TOKENS = {
    token.address: token for token in (Token("0x" + "0a" * 20, "A", 18), Token("0x" + "0b" * 20, "B", 18))
}
SPACING = 60
LOGS_PER_BLOCK = 300

_PAIR = tuple(TOKENS)
_UNIT = 10**21
_MEDIAN_TICKS, _SPREAD = 60, 1.0


@dataclass
class SeededMarket:
    """Pools, and the blocks that follow.

    Parameters
    ----------
    seed
        Of everything.
    pairs, concentrated
        How many pools of each kind.
    """

    seed: int
    pairs: int
    concentrated: int

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        made: list[Pool] = [_pair(place) for place in range(self.pairs)]
        made += [v3_pool(self._random, place) for place in range(self.pairs, self.pairs + self.concentrated)]
        self.pools: tuple[Pool, ...] = tuple(made)
        self.head = BlockHeader(100, bytes(32), bytes(32), 1_700_000_000, 10**9, 0, 30_000_000)

    def blocks(self, count: int) -> Iterator[Block]:
        """Yield blocks after the head; the pools above stay as they are before the first."""
        pools, parent = list(self.pools), self.head
        for number in range(self.head.number + 1, self.head.number + 1 + count):
            logs: list[RawLog] = []
            while len(logs) < LOGS_PER_BLOCK:
                place = self._random.randrange(len(pools))
                pools[place], emitted = self._event(pools[place])
                for topics, data in emitted:
                    index = len(logs)
                    logs.append(RawLog(number, index, index, bytes(32), pools[place].address, topics, data))
            at = parent.timestamp + 12
            own = number.to_bytes(32, "big")
            parent = BlockHeader(number, own, parent.hash, at, 10**9, 0, 30_000_000)
            yield Block(parent, tuple(logs), at * 10**9)

    def _event(self, pool: Pool) -> tuple[Pool, list[tuple[tuple[bytes, ...], bytes]]]:
        rising = self._random.random() < 0.5
        amount = int(_UNIT * 10 ** self._random.uniform(-4, -1))
        if isinstance(pool, UniswapV2Pool):
            return _pair_swap(pool, rising, amount)
        assert isinstance(pool, UniswapV3Pool)
        if self._random.random() < 0.1:
            return self._position(pool)
        walk = pool.walk(rising, amount)
        after, paid, got = walk.pool, walk.amount_in, -walk.amount_out
        amounts = (paid, got) if rising else (got, paid)
        data = _words(*amounts, after.sqrt_price_x96, after.liquidity, after.tick)
        return after, [((events.V3_SWAP, bytes(32), bytes(32)), data)]

    def _position(self, pool: UniswapV3Pool) -> tuple[Pool, list[tuple[tuple[bytes, ...], bytes]]]:
        if self._random.random() < 0.4:
            # a position somebody opened ends at two ticks that still hold liquidity
            lower, upper = min(pool.ticks), max(pool.ticks)
            amount = min(pool.tick_map.gross[lower], pool.tick_map.gross[upper]) // 1000
            topics = (events.V3_BURN, bytes(32), _words(lower), _words(upper))
            return pool.after_position(lower, upper, -amount), [(topics, _words(amount, 0, 0))]
        amount = int(_UNIT * self._random.uniform(0.01, 1))
        lower, upper = _around(self._random, pool.tick)
        topics = (events.V3_MINT, bytes(32), _words(lower), _words(upper))
        return pool.after_position(lower, upper, amount), [(topics, _words(0, amount, 0, 0))]


def positions(seed: int, pools: Sequence[UniswapV3Pool], count: int, number: int) -> list[RawLog]:
    """Return mints around the prices of pools, all in one block of that height."""
    chance, logs = random.Random(seed), []
    for index in range(count):
        pool = pools[chance.randrange(len(pools))]
        lower, upper = _around(chance, pool.tick)
        topics = events.V3_MINT, bytes(32), _words(lower), _words(upper)
        data = _words(0, int(_UNIT * chance.uniform(0.01, 1)), 0, 0)
        logs.append(RawLog(number, index, index, bytes(32), pool.address, topics, data))
    return logs


def v3_pool(chance: random.Random, place: int) -> UniswapV3Pool:
    """Return a V3 pool with as many ticks as real ones have: half of them more than sixty."""
    wide = 60 * 10_000
    net, gross = {-wide: 50 * _UNIT, wide: -50 * _UNIT}, {-wide: 50 * _UNIT, wide: 50 * _UNIT}
    tick = chance.randrange(-20_000, 20_000)
    wanted = min(400, max(4, int(_MEDIAN_TICKS * chance.lognormvariate(0, _SPREAD))))
    while len(net) < wanted:
        amount = int(_UNIT * chance.uniform(0.01, 2))
        for end, sign in zip(_around(chance, tick), (1, -1), strict=True):
            net[end] = net.get(end, 0) + sign * amount
            gross[end] = gross.get(end, 0) + amount
    spec = PoolSpec("uniswap_v3", _address(place), _address(place), _PAIR, 3000, SPACING)
    active = sum(change for end, change in net.items() if end <= tick)
    # a price inside the tick, as a float has it; the pool checks that both belong together
    price = int(1.0001 ** ((tick + 0.5) / 2) * 2**96)
    return UniswapV3Pool(spec, price, tick, active, TickMap(net, gross))


def _around(chance: random.Random, tick: int) -> tuple[int, int]:
    """Return two ticks near another, the way positions lie around a price."""
    middle, half = tick + chance.gauss(0, 6000), abs(chance.gauss(0, 3000))
    lower = int((middle - half) // SPACING * SPACING)
    return lower, lower + SPACING * max(1, int(2 * half // SPACING))


def _pair(place: int) -> UniswapV2Pool:
    spec = PoolSpec("uniswap_v2", _address(place), _address(place), _PAIR, 3000)
    return UniswapV2Pool(spec, 900 * _UNIT, 900 * _UNIT)


def _pair_swap(
    pool: UniswapV2Pool, rising: bool, amount: int
) -> tuple[Pool, list[tuple[tuple[bytes, ...], bytes]]]:
    token_in, token_out = pool.tokens if rising else pool.tokens[::-1]
    swap = pool.swap(token_in, token_out, amount)
    after = swap.pool
    assert isinstance(after, UniswapV2Pool)
    paid, got = swap.amount_in, swap.amount_out
    amounts = (paid, 0, 0, got) if rising else (0, paid, got, 0)
    sync = (events.PAIR_SYNC,), _words(after.reserve0, after.reserve1)
    return after, [sync, ((events.PAIR_SWAP, bytes(32), bytes(32)), _words(*amounts))]


def _address(place: int) -> str:
    return f"0x{place + 1:040x}"


def _words(*values: int) -> bytes:
    return b"".join(value.to_bytes(32, "big", signed=value < 0) for value in values)
