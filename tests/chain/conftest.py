"""A real node, and a chain on it whose blocks hold logs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from chain.devnet.anvil import Anvil
from chain.providers import Provider
from chain.signers import Wallet

# copies its calldata to memory and logs it under topic 1
SPEAKER_CODE = "0x3660006000376001366000a100"


@dataclass
class Chain:
    """A node under test: mines blocks whose logs say which block they belong to."""

    anvil: Anvil
    provider: Provider
    wallet: Wallet
    nonce: int = 0
    chain_id: int = 1
    speaker: str = "0x00000000000000000000000000000000000051ea"
    other: str = "0x00000000000000000000000000000000000000ff"

    @classmethod
    async def prepare(cls, anvil: Anvil, provider: Provider) -> Chain:
        chain = cls(anvil, provider, Wallet.from_key(b"\x11" * 32))
        for address in (chain.speaker, chain.other):
            await provider.call("anvil_setCode", [address, SPEAKER_CODE])
        await provider.call("anvil_setBalance", [chain.wallet.address, hex(10**24)])
        return chain

    async def send(self, data: bytes, to: str) -> bytes:
        raw, digest = self.wallet.sign_transaction(
            {
                "chainId": self.chain_id,
                "nonce": self.nonce,
                "maxPriorityFeePerGas": 1,
                "maxFeePerGas": 10**12,
                "gas": 100_000,
                "to": to,
                "data": data,
            }
        )
        self.nonce += 1
        assert await self.provider.call("eth_sendRawTransaction", ["0x" + raw.hex()]) == "0x" + digest.hex()
        return digest

    async def mine(self, *messages: bytes, to: str = "") -> None:
        for message in messages:
            await self.send(message, to or self.speaker)
        await self.provider.call("evm_mine", [])

    async def number(self) -> int:
        return int(await self.provider.call("eth_blockNumber", []), 16)

    async def hashes(self, first: int, last: int) -> list[bytes]:
        """Ask the node, as the oracle, for the hashes of its chain."""
        requests = [("eth_getBlockByNumber", [hex(number), False]) for number in range(first, last + 1)]
        return [bytes.fromhex(block["hash"][2:]) for block in await self.provider.batch(requests)]


@pytest.fixture
async def chain(tmp_path: Path) -> AsyncIterator[Chain]:
    async with Anvil.start(state=tmp_path / "chain.json") as anvil, Provider(anvil.http_url) as provider:
        yield await Chain.prepare(anvil, provider)
