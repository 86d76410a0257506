"""Known routers, a few pools where their factories put them, and calldata by an independent encoder."""

from __future__ import annotations

from typing import Any

from eth_abi.abi import encode

from chain.networks import load_network
from chain.pending_transactions import PendingTransaction
from chain.pool_addresses import pool_address
from market.pending.intents import NATIVE
from market.pending.known_routers import known_routers
from market.pending.targets import Router, RouterKind, Targets
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import UniswapV2Pool
from market.pools.uniswap_v3 import UniswapV3Pool
from market.pools.uniswap_v4 import UniswapV4Pool, pool_id_of

ETHEREUM = load_network("ethereum")
WETH = ETHEREUM.weth
USDC = "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"
DAI = "0x6b175474e89094c44da98b954eedeac495271d0f"
TRADER, FRIEND = "0x" + "11" * 20, "0x" + "22" * 20
SENDER, ROUTER = (f"0x{number:040x}" for number in (1, 2))
WHOLE_BALANCE = 2**255
LATER = 2**40

ROUTERS: dict[RouterKind, Router] = {router.kind: router for router in known_routers(ETHEREUM)}
UNIVERSAL = ROUTERS[RouterKind.UNIVERSAL_ROUTER]
MANAGER = UNIVERSAL.pool_manager


def pair(first: str, second: str) -> str:
    return pool_address(ETHEREUM.factory("uniswap_v2"), first, second)


def v3_pool(first: str, second: str, fee: int) -> str:
    return pool_address(ETHEREUM.factory("uniswap_v3"), first, second, fee_ppm=fee)


def ordered(first: str, second: str) -> tuple[str, str]:
    return (first, second) if int(first, 16) < int(second, 16) else (second, first)


V4_KEY = (NATIVE, USDC, 500, 10, NATIVE)
V4_SPEC = PoolSpec("uniswap_v4", "", MANAGER, (NATIVE, USDC), 500, tick_spacing=10, hooks=NATIVE)
V4_ID = pool_id_of(V4_SPEC)
TICKS = {-60_000: 10**24, 60_000: -(10**24)}


def market() -> dict[str, Pool]:
    """Deep pools, every token worth the same: three pairs, two V3 pools, one of V4."""
    pools: list[Pool] = []
    for tokens in ((WETH, USDC), (USDC, DAI), (WETH, DAI)):
        place = pair(*tokens)
        pools.append(
            UniswapV2Pool(
                PoolSpec("uniswap_v2", place, place, ordered(*tokens), 3000), 10**24, 10**24 + 7 * 10**21
            )
        )
    for tokens, fee, spacing in (((WETH, USDC), 500, 10), ((USDC, DAI), 3000, 60)):
        place = v3_pool(*tokens, fee)
        spec = PoolSpec("uniswap_v3", place, place, ordered(*tokens), fee, tick_spacing=spacing)
        pools.append(UniswapV3Pool(spec, 2**96, 0, 10**24, TICKS))
    spec = PoolSpec("uniswap_v4", V4_ID, MANAGER, (NATIVE, USDC), 500, tick_spacing=10, hooks=NATIVE)
    pools.append(UniswapV4Pool(spec, 2**96, 0, 10**24, TICKS))
    return {pool.pool_id: pool for pool in pools}


TARGETS = Targets.of(ROUTERS.values(), [pool.spec for pool in market().values()])


def sent(to: str, data: bytes, value: int = 0) -> PendingTransaction:
    return PendingTransaction(b"\x01" * 32, TRADER, to, 0, value, data, 10**6, 10**9, 1, 0)


def call(selector: str, types: str, *arguments: Any) -> bytes:
    return bytes.fromhex(selector) + encode(_split(types), arguments)


def _split(types: str) -> list[str]:
    found, depth, word = [], 0, ""
    for letter in types + ",":
        depth += (letter == "(") - (letter == ")")
        if letter == "," and not depth:
            found.append(word)
            word = ""
        else:
            word += letter
    return found


def packed(*parts: str | int) -> bytes:
    return b"".join(
        part.to_bytes(3, "big") if isinstance(part, int) else bytes.fromhex(part[2:]) for part in parts
    )


def plan(*commands: tuple[int, str, tuple[Any, ...]], value: int = 0) -> PendingTransaction:
    """Encode commands of the Universal Router: number, types, arguments."""
    inputs = [encode(_split(types), arguments) for _, types, arguments in commands]
    numbers = bytes(number for number, _, _ in commands)
    data = call("3593564c", "bytes,bytes[],uint256", numbers, inputs, LATER)
    return sent(UNIVERSAL.address, data, value)


def v4(*actions: tuple[int, str, tuple[Any, ...]]) -> tuple[int, str, tuple[Any, ...]]:
    """Encode actions as the command that holds them."""
    inputs = [encode(_split(types), arguments) for _, types, arguments in actions]
    return 0x10, "bytes,bytes[]", (bytes(number for number, _, _ in actions), inputs)
