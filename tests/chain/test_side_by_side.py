"""Three local chains with three chain ids in one process: each feed shows its own chain only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from chain.devnet.anvil import Anvil
from chain.networks import load_network
from chain.provider_pool import ProviderPool
from chain.providers import Provider
from chain.websocket_feed import WebSocketFeed
from core.errors import RpcError
from core.reasons import Reason
from core.seams import SystemClock
from tests.chain.conftest import Chain

NAMES = ("ethereum", "base", "arbitrum")


@pytest.fixture
async def chains() -> AsyncIterator[dict[str, Chain]]:
    async with AsyncExitStack() as stack:
        started: dict[str, Chain] = {}
        for name in NAMES:
            anvil = await stack.enter_async_context(Anvil.start())
            provider = await stack.enter_async_context(Provider(anvil.http_url))
            chain_id = load_network(name).chain_id
            await provider.call("anvil_setChainId", [chain_id])
            started[name] = await Chain.prepare(anvil, provider)
            started[name].chain_id = chain_id
        yield started


async def follow(chain: Chain, count: int) -> list[bytes]:
    """Deliver so many blocks after the first; return their hashes after checking what they say."""
    node = Provider(chain.anvil.http_url)
    async with ProviderPool([node], chain_id=chain.chain_id) as pool:
        feed = WebSocketFeed(chain.anvil.ws_url, pool, [chain.speaker], SystemClock())
        async with feed, asyncio.timeout(30):
            blocks = feed.blocks()
            first = await anext(blocks)
            mining = asyncio.create_task(mine(chain, count))
            received = [await anext(blocks) for _ in range(count)]
            await mining
    assert [block.number for block in received] == list(range(first.number + 1, first.number + 1 + count))
    said = {log.data for block in received for log in block.logs}
    assert said == {f"{chain.chain_id}:{number}".encode() for number in range(count)}
    return [block.header.hash for block in received]


async def mine(chain: Chain, count: int) -> None:
    for number in range(count):
        await chain.mine(f"{chain.chain_id}:{number}".encode())


async def test_three_chains_are_followed_at_once_and_never_mixed(chains: dict[str, Chain]) -> None:
    hashes = await asyncio.gather(*[follow(chain, 15) for chain in chains.values()])
    for chain, own in zip(chains.values(), hashes, strict=True):
        assert own == await chain.hashes(1, 15)
    assert len({block_hash for own in hashes for block_hash in own}) == 45


async def test_a_node_of_another_chain_among_ours_is_refused_by_name(chains: dict[str, Chain]) -> None:
    base, arbitrum = chains["base"], chains["arbitrum"]
    nodes = [Provider(chain.anvil.http_url) for chain in (arbitrum, base)]
    async with ProviderPool(nodes, chain_id=base.chain_id) as pool:
        assert int(await pool.call("eth_chainId", []), 16) == base.chain_id
        state = pool.snapshot()[0].benched
        assert state is not None
        assert state.reason is Reason.NODE_WRONG_CHAIN
        assert str(arbitrum.chain_id) in state.detail
        base.anvil.stop()
        with pytest.raises(RpcError, match="node_wrong_chain"):
            await pool.call("eth_blockNumber", [])
