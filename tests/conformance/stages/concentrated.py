"""What the stages of concentrated liquidity share: the pools, their positions, and trading them directly."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chain.blocks import Address
from chain.devnet.artifacts import load_artifact
from chain.devnet.backend import PyrevmBackend
from chain.devnet.calldata import decode_result, encode_arguments, encode_call
from chain.devnet.protocols import must_send
from core.errors import DevnetError
from market.pools.concentrated import ConcentratedPool
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from market.pools.uniswap_v3 import UniswapV3Pool
from market.pools.v3_math import MAX_TICK, MIN_SQRT_RATIO, Q96, sqrt_ratio_at_tick
from market.pools.v3_ticks import TickMap
from tests.conformance.stage import log_uniform

OWNER: Address = "0x" + "a0" * 20
"""Deploys and administers."""
PROVIDER: Address = "0x" + "b0" * 20
"""Owns every position."""
RECIPIENT: Address = "0x" + "c0" * 20
"""Receives what is bought."""
SUPPLY = 2**250


TickedPool = UniswapV3Pool | ConcentratedPool


@dataclass(frozen=True, slots=True)
class Position:
    """Liquidity between two ticks."""

    lower: int
    upper: int
    liquidity: int


@dataclass(frozen=True, slots=True)
class Layout:
    """A pool as it is set up: fee in pips, spacing, first price, positions."""

    fee: int
    spacing: int
    sqrt_price: int
    positions: tuple[Position, ...] = ()


def layouts(fees: Iterable[tuple[int, int]], at_the_ends: int = 3**60) -> list[Layout]:
    """Return ordinary pools, one for each fee and its spacing, and the extreme ones.

    Parameters
    ----------
    fees
        Fee and spacing; the first pair is also taken for the extreme pools.
    at_the_ends
        Liquidity of the pools at the ends of the range, where one unit is worth 2**128 of the other.
    """
    pairs = list(fees)
    return [*(_ordinary(*pair) for pair in pairs), *_extreme(*pairs[0], at_the_ends)]


def _ordinary(fee: int, spacing: int) -> Layout:
    """Return a pool with liquidity everywhere and more of it near the price."""
    step = -(-2_000 // spacing) * spacing
    near = 76_020 // spacing * spacing
    return Layout(
        fee,
        spacing,
        sqrt_ratio_at_tick(76_012) + 12_345,
        (
            Position(*full_range(spacing), 10**18),
            Position(near - 3 * step, near + 2 * step, 5 * 10**18),
            Position(near - step, near + step, 10**19),
            Position(near, near + spacing, 2 * 10**19),
        ),
    )


def _extreme(fee: int, spacing: int, at_the_ends: int) -> list[Layout]:
    full = full_range(spacing)
    most = (2**128 - 1) // ((full[1] - full[0]) // spacing + 1)
    word = 256 * spacing
    islands = tuple(
        Position(place * spacing, (place + 3) * spacing, 10**15 * (10 + place)) for place in (-9, -2, 4, 11)
    )
    return [
        Layout(fee, spacing, sqrt_ratio_at_tick(-887_200) + 12_345, (Position(*full, at_the_ends),)),
        Layout(fee, spacing, sqrt_ratio_at_tick(887_200) - 12_345, (Position(*full, at_the_ends),)),
        Layout(fee, spacing, MIN_SQRT_RATIO, (Position(*full, at_the_ends),)),
        Layout(fee, spacing, Q96, islands),  # empty ranges, the first one around the price
        Layout(fee, spacing, Q96, (Position(*full, 7), Position(-word, word, 3))),
        Layout(fee, spacing, Q96, (Position(*full, most // 3), Position(-word, 0, most // 3))),
        Layout(fee, spacing, Q96),  # nothing in it
    ]


def full_range(spacing: int) -> tuple[int, int]:
    """Return the outermost ticks of a spacing."""
    return -(MAX_TICK // spacing) * spacing, MAX_TICK // spacing * spacing


@dataclass(slots=True)
class Placed:
    """A pool on the chain, and where its liquidity was put."""

    spec: PoolSpec
    positions: dict[tuple[int, int], int] = field(default_factory=dict)
    words: set[int] = field(default_factory=set)
    """Words of the tick bitmap that a position ever reached; the others are empty."""

    def changed(self, lower: int, upper: int, amount: int) -> None:
        self.positions[lower, upper] = self.positions.get((lower, upper), 0) + amount
        self.words |= {tick // self.spec.tick_spacing >> 8 for tick in (lower, upper)}


class ConcentratedStage(ABC):
    """Pools of contracts that are called directly; a family says how they are made, read and disturbed."""

    exact_refusal = True

    def __init__(self, backend: PyrevmBackend | None = None) -> None:
        self.backend = backend or PyrevmBackend()
        self.trader = self.backend.deploy(OWNER, load_artifact("ExactTrader").bytecode)
        self.placed: dict[str, Placed] = {}
        self._received: dict[Address, int] = {}

    def place(self, layout: Layout) -> None:
        """Create a pool of two tokens of its own and fill it."""
        placed = Placed(self.create(layout, self.two_tokens()))
        self.placed[placed.spec.pool_id] = placed
        for position in layout.positions:
            assert self.add(placed, position.lower, position.upper, position.liquidity)

    @abstractmethod
    def create(self, layout: Layout, tokens: tuple[Address, Address]) -> PoolSpec:
        """Create and initialise a pool."""

    @abstractmethod
    def read(self, placed: Placed) -> TickedPool:
        """Read a pool's state."""

    @abstractmethod
    def disturb_otherwise(self, placed: Placed, rng: np.random.Generator) -> None:
        """Change something that is not liquidity."""

    def mint(self, spec: PoolSpec, lower: int, upper: int, liquidity: int) -> bool:
        """Add liquidity of the provider's; return whether the pool took it."""
        signature = "mintUniswap(address,address,int24,int24,uint128)"
        data = encode_call(signature, spec.address, PROVIDER, lower, upper, liquidity)
        return self.backend.send(OWNER, self.trader, data).ok

    def burn(self, spec: PoolSpec, lower: int, upper: int, liquidity: int) -> bool:
        """Take out liquidity of the provider's; return whether the pool gave it."""
        data = encode_call("burn(int24,int24,uint128)", lower, upper, liquidity)
        return self.backend.send(PROVIDER, spec.address, data).ok

    def pool_ids(self) -> tuple[str, ...]:
        return tuple(self.placed)

    def load(self, pool_id: str) -> Pool:
        return self.read(self.placed[pool_id])

    def typical_size(self, pool: Pool, token_in: str) -> int:
        """Return a quarter of what the active liquidity would hold were it everywhere, and the fee."""
        assert isinstance(pool, TickedPool)
        liquidity = pool.liquidity or max(*pool.tick_map.gross.values(), 0, 1)
        price = pool.sqrt_price_x96
        reserve = liquidity * Q96 // price if token_in == pool.tokens[0] else liquidity * price // Q96
        fee = pool.spec.fee if isinstance(pool, UniswapV3Pool) else pool.fee_of(token_in == pool.tokens[0])
        return max(reserve * 1_000_000 // (4 * max(1_000_000 - fee, 1)), 1)

    def swap(self, pool_id: str, token_in: str, token_out: str, amount_in: int) -> int | None:
        spec = self.placed[pool_id].spec
        zero_for_one = token_in == spec.tokens[0]
        signature = "sell(address,bool,int256,address)"
        data = encode_call(signature, spec.address, zero_for_one, amount_in, RECIPIENT)
        if not self.backend.send(OWNER, self.trader, data).ok:
            return None
        return self.received(token_out)

    def refuses(self, pool: Pool, token_in: str, token_out: str, amount_in: int, amount_out: int) -> bool:
        zero_for_one = token_in == pool.tokens[0]
        signature = "buy(address,bool,int256,int256,address)"
        data = encode_call(signature, pool.address, zero_for_one, amount_out, amount_in, RECIPIENT)
        try:
            self.backend.call(self.trader, data, OWNER)
        except DevnetError:
            return True
        return False

    def disturb(self, pool_id: str, rng: np.random.Generator) -> None:
        placed = self.placed[pool_id]
        choice = rng.random()
        if choice < 0.3:
            self.disturb_otherwise(placed, rng)
        elif choice < 0.7 or not placed.positions:
            self._add_near(placed, rng)
        else:
            self._remove(placed, rng)

    def add(self, placed: Placed, lower: int, upper: int, liquidity: int) -> bool:
        """Add liquidity and remember where."""
        added = self.mint(placed.spec, lower, upper, liquidity)
        if added:
            placed.changed(lower, upper, liquidity)
        return added

    def received(self, token: Address) -> int:
        """Return how much of a token has come in since this was asked last."""
        before = self._received.get(token, 0)
        (after,) = self.view(token, "uint256", "balanceOf(address)", RECIPIENT)
        self._received[token] = after
        return int(after) - before

    def view(self, to: Address, types: str, signature: str, *arguments: object) -> tuple[Any, ...]:
        """Return the values that a view function gives."""
        return decode_result(types, self.backend.call(to, encode_call(signature, *arguments)))

    def tick_map(self, placed: Placed, bitmap: str = "tickBitmap(int16)") -> TickMap:
        """Read all initialised ticks of a pool."""
        net: dict[int, int] = {}
        gross: dict[int, int] = {}
        spec = placed.spec
        for word in sorted(placed.words):
            (bits,) = self.view(spec.address, "uint256", bitmap, word)
            for bit in range(bits.bit_length()):
                if bits >> bit & 1:
                    tick = (word * 256 + bit) * spec.tick_spacing
                    found = self.view(spec.address, "uint128,int128", "ticks(int24)", tick)
                    gross[tick], net[tick] = found
        return TickMap(net, gross)

    def _add_near(self, placed: Placed, rng: np.random.Generator) -> None:
        """Add liquidity around, below or above the price; a position that is there may grow."""
        pool, spacing = self.read(placed), placed.spec.tick_spacing
        lowest, highest = full_range(spacing)
        if placed.positions and rng.random() < 0.3:
            lower, upper = list(placed.positions)[int(rng.integers(len(placed.positions)))]
        else:
            lower = (pool.tick // spacing + int(rng.integers(-40, 20))) * spacing
            lower = min(max(lower, lowest), highest - spacing)
            upper = min(lower + int(rng.integers(1, 60)) * spacing, highest)
        self.add(placed, lower, upper, log_uniform(rng, 1, 2 * max(pool.liquidity, 10**3)))

    def _remove(self, placed: Placed, rng: np.random.Generator) -> None:
        """Take out a position, or a part of it; the first one, which may hold all, is kept in part."""
        at = int(rng.integers(len(placed.positions)))
        (lower, upper), liquidity = list(placed.positions.items())[at]
        whole = at > 0 and rng.random() < 0.7
        amount = liquidity if whole else int(liquidity * rng.uniform(0.05, 0.5))
        if amount and self.burn(placed.spec, lower, upper, amount):
            placed.changed(lower, upper, -amount)
            if whole:
                del placed.positions[lower, upper]

    def two_tokens(self) -> tuple[Address, Address]:
        """Create two tokens, in order of their addresses."""
        made = []
        for _ in range(2):
            terms = encode_arguments("string,string,uint8,address", "token", "TOKEN", 18, OWNER)
            token = self.backend.deploy(OWNER, load_artifact("TestToken").bytecode + terms)
            for holder in (self.trader, OWNER):
                must_send(self.backend, OWNER, token, encode_call("mint(address,uint256)", holder, SUPPLY))
            made.append(token)
        first, second = sorted(made)
        return first, second
