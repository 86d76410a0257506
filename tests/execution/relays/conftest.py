"""A node, a builder and a relay, and accounts to send with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import httpx
import pytest

from chain.devnet.accounts import dev_account
from chain.devnet.anvil import Anvil
from chain.providers import Provider
from chain.signers import FlashbotsIdentity, Wallet
from core.seams import Ids
from core.secrets import PrivateKey
from execution.bundle import make_bundle
from execution.command import Bundle
from execution.relays.builder import Builder
from execution.relays.client import RelayClient
from execution.relays.local import LocalRelay
from execution.relays.server import RpcServer

GWEI = 10**9
FEE_RECIPIENT = "0x" + "c0" * 20
TIP_JAR = "0x" + "a0" * 20
"""Passes what it is sent on to the fee recipient."""
PRIZE = "0x" + "a1" * 20
"""Does the same once; the second call reverts."""
REVERTS = "0x" + "a2" * 20
FADES = "0x" + "a3" * 20
"""Passes on what the first call sends, and keeps what later ones send."""
CODES = {
    FADES: "0x5f5460125760015f555f5f5f5f34415af1005b00",
    TIP_JAR: "0x5f5f5f5f34415af100",
    PRIZE: "0x5f5460125760015f555f5f5f5f34415af1005b5f5ffd",
    REVERTS: "0x63deadbeef5f5260206000fd",
}


@dataclass
class Searcher:
    """A wallet with a counter and an identity."""

    wallet: Wallet
    identity: FlashbotsIdentity
    nonce: int = 0

    def sign(
        self,
        to: str,
        value: int = 0,
        *,
        tip: int = 0,
        max_fee: int = 100 * GWEI,
        gas: int = 100_000,
        nonce: int | None = None,
        chain_id: int = 1,
    ) -> bytes:
        used = self.nonce if nonce is None else nonce
        self.nonce = used + 1
        raw, _ = self.wallet.sign_transaction(
            {
                "chainId": chain_id,
                "nonce": used,
                "maxPriorityFeePerGas": tip,
                "maxFeePerGas": max_fee,
                "gas": gas,
                "to": to,
                "value": value,
            }
        )
        return raw


@dataclass
class Lab:
    """One relay over one node."""

    provider: Provider
    builder: Builder
    url: str
    http: httpx.AsyncClient
    ids: Ids

    def client(self, searcher: Searcher) -> RelayClient:
        return RelayClient(self.url, searcher.identity, self.http, "local")

    def bundle(self, *transactions: bytes, target: int = 1) -> Bundle:
        return make_bundle(self.ids, "decision-000001", transactions, target)

    async def searcher(self, name: str) -> Searcher:
        account = dev_account("relay tests", name)
        await self.provider.call("anvil_setBalance", [account.address, hex(10**21)])
        identity = dev_account("relay tests", f"{name} identity")
        return Searcher(Wallet.from_key(account.key), FlashbotsIdentity(PrivateKey(identity.key)))


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    async with Anvil.start() as anvil, Provider(anvil.http_url) as provider, httpx.AsyncClient() as http:
        for address, code in CODES.items():
            await provider.call("anvil_setCode", [address, code])
        await provider.call("anvil_setBalance", [FEE_RECIPIENT, hex(1)])
        builder = Builder(provider, chain_id=1, fee_recipient=FEE_RECIPIENT, block_time=12)
        server = RpcServer(LocalRelay(builder).methods)
        async with server.running():
            yield Lab(provider, builder, server.url, http, Ids())


@pytest.fixture
def offline_searcher() -> Callable[[str], Searcher]:
    def make(name: str) -> Searcher:
        key, identity = dev_account("offline", name).key, dev_account("offline", f"{name} identity").key
        return Searcher(Wallet.from_key(key), FlashbotsIdentity(PrivateKey(identity)))

    return make
