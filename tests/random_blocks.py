"""Random blocks over pools of every family: each event is one that the real pools would have emitted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from eth_abi.abi import encode
from hypothesis import strategies as st

from chain.blocks import Block, BlockHeader, RawLog
from market import events
from market.advance import advance
from market.events import decode
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import UniswapV2Pool
from market.pools.uniswap_v3 import NOTHING_KNOWN, UniswapV3Pool
from market.pools.v3_ticks import TickMap
from market.pools.weighted import WeightedPool
from market.state import MarketState
from market.tokens import Token

A, B, C = ("0x" + digits * 20 for digits in ("0a", "0b", "0c"))
TOKENS = {A: Token(A, "USDC", 18), B: Token(B, "WETH", 18), C: Token(C, "DAI", 18)}
SIZE = 10**21
WIDE, NARROW = 60_000, 120
KINDS = 4

Move = tuple[int, int, float, bool]
"""Place of the pool, kind of event, size, and direction."""

moves = st.lists(
    st.tuples(
        st.integers(0, 6), st.integers(0, KINDS - 1), st.sampled_from([1e-6, 1e-3, 0.02, 0.1]), st.booleans()
    ),
    max_size=4,
)
"""What happens in one block."""


def _address(place: int) -> str:
    return "0x" + f"{place + 1:02x}" * 20


def _v2(place: int, tokens: tuple[str, str]) -> UniswapV2Pool:
    return UniswapV2Pool(
        PoolSpec("uniswap_v2", _address(place), _address(place), tokens, 3000), 9 * SIZE, 9 * SIZE
    )


def _v3(place: int, fee: int, spacing: int) -> UniswapV3Pool:
    spec = PoolSpec("uniswap_v3", _address(place), _address(place), (A, B), fee, spacing)
    ticks = {-WIDE: 9 * SIZE, -NARROW: 30 * SIZE, NARROW: -30 * SIZE, WIDE: -9 * SIZE}
    return UniswapV3Pool(spec, 2**96, 0, 39 * SIZE, ticks)


def _weighted(place: int, tokens: tuple[str, ...]) -> WeightedPool:
    weights = (5 * 10**17,) * 2 if len(tokens) == 2 else (2 * 10**17, 2 * 10**17, 6 * 10**17)
    pool_id = "0x" + f"{place + 1:02x}" * 32
    spec = PoolSpec("weighted", pool_id, "0x" + "fe" * 20, tokens, 2500, weights=weights)
    balances = tuple(9 * SIZE * weight // 10**17 for weight in weights)
    return WeightedPool(spec, balances, (18,) * len(tokens))


class RandomChain:
    """The pools as they really are, and the blocks they emit."""

    def __init__(self) -> None:
        made: list[Pool] = [
            _v2(0, (A, B)), _v2(1, (A, B)), _v2(2, (B, C)), _v3(3, 3000, 60), _v3(4, 500, 10),
            _v3(5, 3000, 60), _weighted(6, (A, B, C)),
        ]  # fmt: skip
        self.pools = {pool.pool_id: pool for pool in made}
        self.head = BlockHeader(100, bytes(32), bytes(32), 1200, 10**9, 15_000_000, 30_000_000)

    def state(self) -> MarketState:
        """Return a market that knows all of two V3 pools' neighbours at most, as a recorded day does."""
        return MarketState(self.followed(), TOKENS, self.head)

    def followed(self) -> tuple[Pool, ...]:
        """Return the pools as somebody sees them who knows one V3 pool in part and one not at all."""
        first, second = (pool for pool in list(self.pools.values())[4:6])
        assert isinstance(first, UniswapV3Pool)
        partly = replace(first, ticks=first.tick_map.within(-1000, 1000), known=(-1000, 1000))
        unseen = UniswapV3Pool(second.spec, 0, 0, 0, TickMap(), NOTHING_KNOWN)
        return tuple((self.pools | {first.pool_id: partly, second.pool_id: unseen}).values())

    def fork(self) -> RandomChain:
        """Return another chain that goes on from here."""
        other = object.__new__(RandomChain)
        other.pools, other.head = dict(self.pools), self.head
        return other

    def block(self, chosen: Iterable[Move], branch: int = 0) -> Block:
        """Carry out moves and return the block that tells of them; ``branch`` goes into its hash."""
        number = self.head.number + 1
        logs: list[RawLog] = []
        for place, kind, size, flag in chosen:
            pool = list(self.pools.values())[place]
            for address, topics, data in _emitted(pool, kind, size, flag):
                log = RawLog(number, len(logs), len(logs), bytes(32), address, topics, data)
                event = decode(log)
                assert event is not None
                pool = self.pools[pool.pool_id] = advance(pool, event)
                logs.append(log)
        own = bytes([branch]) * 16 + number.to_bytes(16, "big")
        used = 1_000_000 * len(logs) + 14_000_000
        self.head = BlockHeader(number, own, self.head.hash, 12 * number, 10**9 + branch, used, 30_000_000)
        return Block(self.head, tuple(logs), 12 * number * 10**9)


Emitted = tuple[str, tuple[bytes, ...], bytes]


def _emitted(pool: Pool, kind: int, size: float, flag: bool) -> Sequence[Emitted]:
    match pool:
        case UniswapV2Pool():
            return _pair_events(pool, size, flag)
        case UniswapV3Pool() if kind < 2:
            return _v3_swap(pool, size, flag)
        case UniswapV3Pool():
            return _v3_position(pool, size, burn=kind == 2 and flag)
        case WeightedPool() if kind:
            return _vault_swap(pool, kind - 1, size, flag)
        case WeightedPool():
            return _vault_change(pool, size, flag)
    raise AssertionError(pool)


def _pair_events(pool: UniswapV2Pool, size: float, flag: bool) -> Sequence[Emitted]:
    tokens = pool.tokens if flag else pool.tokens[::-1]
    swap = pool.swap(*tokens, int(size * SIZE))
    after, paid, got = swap.pool, swap.amount_in, swap.amount_out
    assert isinstance(after, UniswapV2Pool)
    amounts = (paid, 0, 0, got) if flag else (0, paid, got, 0)
    sync = pool.address, (events.PAIR_SYNC,), _words(after.reserve0, after.reserve1)
    return sync, (pool.address, (events.PAIR_SWAP, bytes(32), bytes(32)), _words(*amounts))


def _v3_swap(pool: UniswapV3Pool, size: float, flag: bool) -> Sequence[Emitted]:
    walk = pool.walk(flag, int(20 * size * SIZE))
    after = walk.pool
    if not walk.amount_in:
        return ()
    amounts = (walk.amount_in, -walk.amount_out) if flag else (-walk.amount_out, walk.amount_in)
    state = after.sqrt_price_x96, after.liquidity, after.tick
    return ((pool.address, (events.V3_SWAP, bytes(32), bytes(32)), _words(*amounts, *state)),)


def _v3_position(pool: UniswapV3Pool, size: float, *, burn: bool) -> Sequence[Emitted]:
    if burn:
        gone = int(size * min(pool.tick_map.gross[tick] for tick in (-WIDE, WIDE)))
        topics = events.V3_BURN, bytes(32), _words(-WIDE), _words(WIDE)
        return ((pool.address, topics, _words(gone, 0, 0)),)
    spacing = pool.spec.tick_spacing
    lower = (pool.tick // spacing - 1) * spacing
    topics = events.V3_MINT, bytes(32), _words(lower), _words(lower + 2 * spacing)
    return ((pool.address, topics, _words(0, int(size * SIZE), 0, 0)),)


def _vault_swap(pool: WeightedPool, turn: int, size: float, flag: bool) -> Sequence[Emitted]:
    pair = [pool.tokens[turn], pool.tokens[(turn + 1) % 3]]
    token_in, token_out = pair if flag else pair[::-1]
    swap = pool.swap(token_in, token_out, int(size * SIZE))
    tokens = (bytes(12) + bytes.fromhex(token[2:]) for token in (token_in, token_out))
    topics = events.VAULT_SWAP, bytes.fromhex(pool.pool_id[2:]), *tokens
    return ((pool.address, topics, _words(swap.amount_in, swap.amount_out)),)


def _vault_change(pool: WeightedPool, size: float, flag: bool) -> Sequence[Emitted]:
    changes = [int(size * balance) * (1 if flag else -1) for balance in pool.balances]
    data = encode(["address[]", "int256[]", "uint256[]"], [pool.tokens, changes, [1, 2, 3]])
    topics = events.VAULT_BALANCE_CHANGED, bytes.fromhex(pool.pool_id[2:]), bytes(32)
    return ((pool.address, topics, data),)


def _words(*values: int) -> bytes:
    return b"".join(value.to_bytes(32, "big", signed=value < 0) for value in values)
