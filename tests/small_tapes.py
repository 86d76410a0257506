"""Tapes of a few made-up blocks over one pool of each family."""

from __future__ import annotations

from pathlib import Path

from chain.blocks import Block, BlockHeader, RawLog
from market.context import BlockContext
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import MAX_RESERVE, UniswapV2Pool
from market.pools.uniswap_v3 import UniswapV3Pool
from market.pools.v3_ticks import TickMap
from market.pools.weighted import WeightedPool
from market.recorded import Recorded
from market.tape import TapeReader, TapeWriter
from market.tokens import Token

A, B = "0x" + "0a" * 20, "0x" + "0b" * 20
TOKENS = {A: Token(A, "A", 18), B: Token(B, "B", 6)}
V2 = PoolSpec("uniswap_v2", "0x" + "01" * 20, "0x" + "01" * 20, (A, B), 3000, venue="sushiswap")
V3 = PoolSpec("uniswap_v3", "0x" + "02" * 20, "0x" + "02" * 20, (A, B), 500, 10, venue="uniswap_v3")
WEIGHTED = PoolSpec("weighted", "0x" + "03" * 32, A, (A, B), 2500, weights=(8 * 10**17, 2 * 10**17))
POOLS: tuple[Pool, ...] = (
    UniswapV2Pool(V2, MAX_RESERVE, 1),
    UniswapV3Pool(V3, 2**96, 0, 2**127, TickMap({-10: 0, 20: -5}, {-10: 14, 20: 5})),
    WeightedPool(WEIGHTED, (2**100, 7), (18, 6)),
)


def record(folder: Path, chain: list[tuple[Block, BlockContext]]) -> Recorded:
    with TapeWriter(folder, specs=(V2, V3, WEIGHTED), tokens=TOKENS, pools=POOLS, source="a test") as writer:
        for block, context in chain:
            writer.append(block, context)
    return TapeReader(folder).recorded()


def straight(count: int, logs_each: int = 2, seconds: int = 12) -> list[tuple[Block, BlockContext]]:
    chain = []
    for number in range(1, count + 1):
        header = BlockHeader(
            number, number.to_bytes(32, "big"), (number - 1).to_bytes(32, "big"), seconds * number, 7, 0, 1
        )
        found = tuple(
            RawLog(number, index, index, bytes(32), A, (bytes(32),), b"data") for index in range(logs_each)
        )
        chain.append((Block(header, found, 5), BlockContext(winning_bid=10**19, builder="b")))
    return chain
