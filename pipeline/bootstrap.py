"""Load the whole market from a node: every pool's state at one block."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from chain.blocks import Address, BlockHeader
from chain.wire import head_from_json
from core.errors import MarketError, RpcError
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import UniswapV2Pool
from market.pools.uniswap_v3 import UniswapV3Pool
from market.pools.v3_math import MAX_TICK, MIN_TICK
from market.pools.v3_ticks import TickMap
from market.pools.weighted import WeightedPool
from market.state import MarketState
from market.tokens import Token

_GET_RESERVES = "0x0902f1ac"
_SLOT0 = "0x3850c7bd"
_LIQUIDITY = "0x1a686502"
_TICK_BITMAP = "0x5339c296"
_TICKS = "0xf30dba93"
_GET_POOL_TOKENS = "0xf94d4668"
_CALLS_PER_BATCH = 500
_WORD_BITS = 256

Call = tuple[Address, str]
"""Contract and calldata."""


class BatchProvider(Protocol):
    """What loading needs of a node; :class:`chain.providers.Provider` has it."""

    async def call(self, method: str, params: list[Any]) -> Any:
        """Return the result of one request."""
        ...

    async def batch(self, requests: list[tuple[str, list[Any]]]) -> list[Any]:
        """Return the results of several requests, in order."""
        ...


async def load_market(
    provider: BatchProvider,
    specs: Iterable[PoolSpec],
    tokens: Mapping[Address, Token],
    block: int | str = "latest",
) -> MarketState:
    """Read every pool at one block.

    Parameters
    ----------
    provider
        A node; it must still hold the state of that block.
    specs
        Pools to load.
    tokens
        Their tokens.
    block
        Height or tag. A tag is resolved once, so all pools belong to the same block.

    Returns
    -------
    MarketState
        With the block's header as head: the next block applies to it.

    Raises
    ------
    RpcError
        If the node does not answer, or answers with something else than the contract would.
    MarketError
        If the block does not exist, or a pool's family is not known.
    """
    specs = tuple(specs)
    header = await _header(provider, block)
    reader = _Reader(provider, hex(header.number))
    v3_pools = [spec for spec in specs if spec.family == "uniswap_v3"]
    answers = await reader.words([call for spec in specs for call in _state_calls(spec)])
    ticks = await _load_ticks(reader, v3_pools)
    at = 0
    pools: list[Pool] = []
    for spec in specs:
        count = len(_state_calls(spec))
        pools.append(_pool(spec, answers[at : at + count], tokens, ticks))
        at += count
    return MarketState(pools, tokens, header)


async def _header(provider: BatchProvider, block: int | str) -> BlockHeader:
    tag = hex(block) if isinstance(block, int) else block
    answer = await provider.call("eth_getBlockByNumber", [tag, False])
    if answer is None:
        raise MarketError(f"the node has no block {block}; choose one that exists", block=block)
    return head_from_json(answer).header


class _Reader:
    """Calls contracts at one block and splits the answers into words."""

    def __init__(self, provider: BatchProvider, block: str) -> None:
        self._provider = provider
        self._block = block

    async def words(self, calls: list[Call], at_least: int = 1) -> list[list[int]]:
        """Return the 256-bit words each call gives, ``at_least`` so many."""
        answers: list[list[int]] = []
        for start in range(0, len(calls), _CALLS_PER_BATCH):
            part = calls[start : start + _CALLS_PER_BATCH]
            batch = [("eth_call", [{"to": to, "data": data}, self._block]) for to, data in part]
            results = await self._provider.batch(batch)
            answers.extend(
                _words(to, result, at_least) for (to, _), result in zip(part, results, strict=True)
            )
        return answers


def _words(address: Address, result: Any, at_least: int) -> list[int]:
    try:
        data = bytes.fromhex(result.removeprefix("0x"))
    except (AttributeError, ValueError):
        data = b""
    if len(data) < 32 * at_least or len(data) % 32:
        raise RpcError(
            f"{address} did not answer as a pool does; check the address and that the node holds the block",
            method="eth_call",
            code=0,
            message=str(result)[:80],
        )
    return [int.from_bytes(data[at : at + 32], "big") for at in range(0, len(data), 32)]


def _state_calls(spec: PoolSpec) -> list[Call]:
    match spec.family:
        case "uniswap_v2":
            return [(spec.address, _GET_RESERVES)]
        case "uniswap_v3":
            return [(spec.address, _SLOT0), (spec.address, _LIQUIDITY)]
        case "weighted":
            return [(spec.address, _GET_POOL_TOKENS + spec.pool_id[2:])]
    raise MarketError(f"{spec.family!r} is not a family of pools we know", pool_id=spec.pool_id)


def _pool(
    spec: PoolSpec, answers: list[list[int]], tokens: Mapping[Address, Token], ticks: Mapping[str, TickMap]
) -> Pool:
    try:
        match spec.family:
            case "uniswap_v2":
                return UniswapV2Pool(spec, answers[0][0], answers[0][1])
            case "uniswap_v3":
                price, tick = answers[0][0], _signed(answers[0][1])
                return UniswapV3Pool(spec, price, tick, answers[1][0], ticks[spec.pool_id])
            case _:
                decimals = tuple(tokens[token].decimals for token in spec.tokens)
                return WeightedPool(spec, _vault_balances(spec, answers[0]), decimals)
    except (IndexError, KeyError):
        raise MarketError(
            "the pool's answer or a token of it is incomplete; check the pool's family and the tokens",
            pool_id=spec.pool_id,
        ) from None


def _vault_balances(spec: PoolSpec, words: list[int]) -> tuple[int, ...]:
    """Return balances from ``(address[] tokens, uint256[] balances, uint256)``."""
    tokens_at, balances_at = words[0] // 32, words[1] // 32
    count = words[tokens_at]
    held = tuple(f"0x{word:040x}" for word in words[tokens_at + 1 : tokens_at + 1 + count])
    if held != spec.tokens:
        raise MarketError(
            "the vault lists other tokens for this pool; correct its description",
            pool_id=spec.pool_id,
            tokens=held,
        )
    return tuple(words[balances_at + 1 : balances_at + 1 + count])


async def _load_ticks(reader: _Reader, specs: list[PoolSpec]) -> dict[str, TickMap]:
    """Return the complete tick map of each V3 pool: every bitmap word, then every set bit."""
    words = [
        (spec, word)
        for spec in specs
        for word in range(MIN_TICK // spec.tick_spacing >> 8, (MAX_TICK // spec.tick_spacing >> 8) + 1)
    ]
    bitmaps = await reader.words([(spec.address, _TICK_BITMAP + _argument(word)) for spec, word in words])
    found = [
        (spec, (word * _WORD_BITS + bit) * spec.tick_spacing)
        for (spec, word), answer in zip(words, bitmaps, strict=True)
        for bit in range(answer[0].bit_length())
        if answer[0] >> bit & 1
    ]
    answers = await reader.words(
        [(spec.address, _TICKS + _argument(tick)) for spec, tick in found], at_least=2
    )
    net: dict[str, dict[int, int]] = {spec.pool_id: {} for spec in specs}
    gross: dict[str, dict[int, int]] = {spec.pool_id: {} for spec in specs}
    for (spec, tick), answer in zip(found, answers, strict=True):
        gross[spec.pool_id][tick] = answer[0]
        net[spec.pool_id][tick] = _signed(answer[1])
    return {pool_id: TickMap(net[pool_id], gross[pool_id]) for pool_id in net}


def _argument(value: int) -> str:
    return f"{value % 2**256:064x}"


def _signed(word: int) -> int:
    return word - 2**256 if word >> 255 else word
