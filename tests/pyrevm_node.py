"""A node's JSON-RPC over the in-process EVM: what loading a market asks, answered by real bytecode."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from chain.asking import at_hash
from chain.blocks import Block, BlockHeader, RawLog
from chain.devnet.backend import PyrevmBackend, Receipt
from chain.devnet.world import World
from core.errors import DevnetError, RpcError
from market.pools.spec import PoolSpec
from market.tokens import Token


def specs_of(world: World) -> tuple[PoolSpec, ...]:
    return tuple(PoolSpec(**dataclasses.asdict(pool)) for pool in world.pools)


def tokens_of(world: World) -> dict[str, Token]:
    return {
        token.address: Token(token.address, token.symbol, token.decimals) for token in world.tokens.values()
    }


class PyrevmNode:
    """Answers ``eth_getBlockByNumber`` and ``eth_call`` at the head."""

    def __init__(self, backend: PyrevmBackend) -> None:
        self.backend = backend
        self.calls = 0

    def header(self) -> BlockHeader:
        number = self.backend.number
        return BlockHeader(
            number,
            number.to_bytes(32, "big"),
            (number - 1).to_bytes(32, "big"),
            self.backend.timestamp,
            10**9,
            0,
            30_000_000,
        )

    def block(self, receipt: Receipt) -> Block:
        """Return the block that holds one transaction."""
        header = self.header()
        logs = tuple(
            RawLog(header.number, index, 0, header.hash, log.address, log.topics, log.data)
            for index, log in enumerate(receipt.logs)
        )
        return Block(header, logs, header.timestamp * 10**9)

    async def call(self, method: str, params: list[Any]) -> Any:
        self.calls += 1
        if method == "eth_getBlockByNumber":
            if params[0] not in ("latest", hex(self.backend.number)):
                return None
            header = self.header()
            return {
                "number": hex(header.number),
                "hash": "0x" + header.hash.hex(),
                "parentHash": "0x" + header.parent_hash.hex(),
                "timestamp": hex(header.timestamp),
                "baseFeePerGas": hex(header.base_fee),
                "gasUsed": "0x0",
                "gasLimit": hex(header.gas_limit),
                "miner": "0x" + "00" * 20,
                "logsBloom": "0x0",
            }
        assert method == "eth_call"
        assert params[1] in (hex(self.backend.number), at_hash(self.header()))
        return "0x" + self.backend.call(params[0]["to"], bytes.fromhex(params[0]["data"][2:])).hex()

    async def attempt(self, requests: Sequence[tuple[str, Sequence[Any]]]) -> list[Any | RpcError]:
        return [await self._attempted(method, list(params)) for method, params in requests]

    async def _attempted(self, method: str, params: list[Any]) -> Any | RpcError:
        try:
            return await self.call(method, params)
        except DevnetError as error:
            return RpcError(str(error), method=method, code=3, message="execution reverted", data=None)

    async def batch(self, requests: list[tuple[str, list[Any]]]) -> list[Any]:
        return [await self.call(method, params) for method, params in requests]
