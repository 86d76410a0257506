"""A small market of constant-product pools whose every move is a ``Sync`` log."""

from __future__ import annotations

from dataclasses import dataclass, field

from chain.blocks import Block, BlockHeader, RawLog
from features.feature import FeatureRow
from features.stream import FeatureStream
from market.context import NO_CONTEXT, BlockContext
from market.events import PAIR_SYNC
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import UniswapV2Pool
from market.state import MarketState
from market.tokens import Token

USDC = Token("0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48", "USDC", 6)
WETH = Token("0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2", "WETH", 18)
START = 1_700_000_000
ETHER, DOLLAR = 10**18, 10**6


def pool_address(place: int) -> str:
    return "0x" + f"{place + 1:040x}"


def sync(number: int, index: int, place: int, dollars: int, ethers: int) -> RawLog:
    data = (dollars * DOLLAR).to_bytes(32, "big") + (ethers * ETHER).to_bytes(32, "big")
    return RawLog(number, index, index, b"\0" * 32, pool_address(place), (PAIR_SYNC,), data)


@dataclass
class Market:
    """Two pools of one pair, and a stream over them."""

    pools: int = 2
    state: MarketState = field(init=False)
    stream: FeatureStream = field(init=False)

    def __post_init__(self) -> None:
        specs = [
            PoolSpec("uniswap_v2", pool_address(i), pool_address(i), (USDC.address, WETH.address), 3000)
            for i in range(self.pools)
        ]
        tokens = {USDC.address: USDC, WETH.address: WETH}
        self.state = MarketState(
            [UniswapV2Pool(spec, 2_000_000 * DOLLAR, 1_000 * ETHER) for spec in specs], tokens
        )
        self.stream = FeatureStream(tokens, specs)

    def step(
        self,
        number: int,
        moves: tuple[tuple[int, int, int], ...] = (),
        *,
        base_fee: int = 20 * 10**9,
        gas_used: int = 15_000_000,
        timestamp: int | None = None,
        context: BlockContext = NO_CONTEXT,
    ) -> FeatureRow:
        """Apply one block; a move is (pool, reserve in dollars, reserve in ethers)."""
        at = START + 12 * number if timestamp is None else timestamp
        header = BlockHeader(number, b"", b"", at, base_fee, gas_used, 30_000_000)
        logs = tuple(sync(number, index, *move) for index, move in enumerate(moves))
        block = Block(header, logs, at * 10**9)
        return self.stream.update(block, context, self.state, self.state.apply(block))
