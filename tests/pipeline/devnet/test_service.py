"""The whole local chain: repeatable, honest about losers, and open to agents outside its process."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import httpx
import pytest

from chain.blocks import next_base_fee
from chain.devnet.accounts import dev_account
from chain.providers import Provider
from chain.signers import FlashbotsIdentity, Wallet
from core.reasons import Reason
from core.seams import Ids, ManualClock
from core.secrets import PrivateKey
from execution.bundle import make_bundle
from execution.command import Funding
from execution.encode import encode_execute
from execution.relays.auction import AuctionResult
from execution.relays.client import RelayClient
from pipeline.bootstrap import load_market
from pipeline.devnet.competitors import GAS_LIMIT
from pipeline.devnet.service import DevnetService
from scoring.scorer import CpuScorer

OWNER, OPERATOR = dev_account("service", "owner"), dev_account("service", "operator")


@asynccontextmanager
async def devnet(seed: int, **options: Any) -> AsyncIterator[DevnetService]:
    addresses = {"owner": OWNER.address, "operator": OPERATOR.address}
    async with DevnetService.start(seed, **addresses, clock=ManualClock(), **options) as service:
        yield service


async def final_hash(seed: int, blocks: int) -> bytes:
    async with devnet(seed) as service:
        await service.run(blocks)
        return service.results[-1].block_hash


async def test_the_same_seed_gives_the_same_chain_and_another_seed_another() -> None:
    assert await final_hash(3, 8) == await final_hash(3, 8)
    assert await final_hash(3, 1) != await final_hash(4, 1)


async def test_twenty_five_blocks_of_flow_and_competition(capfd: pytest.CaptureFixture[str]) -> None:
    async with devnet(5) as service, Provider(service.description.http_url) as node:
        watch = await node.call("eth_newBlockFilter", [])
        told: list[AuctionResult] = []
        await service.run(25, on_block=told.append)
        heads = await node.call("eth_getFilterChanges", [watch])
        receipts = [await node.call("eth_getBlockReceipts", [hex(result.block_number)]) for result in told]
    async with httpx.AsyncClient() as http:
        for url in (service.description.http_url, service.description.relay_url):
            with pytest.raises(httpx.ConnectError):
                await http.get(url)
    # followers saw these blocks and nothing else
    assert heads == ["0x" + result.block_hash.hex() for result in told]
    _check_flow(service, told, receipts)
    _check_competition(service, told)
    assert capfd.readouterr() == ("", "")


def _check_flow(service: DevnetService, told: Sequence[AuctionResult], receipts: Sequence[Any]) -> None:
    assert service.flow.sent > 25
    assert not service.flow.refused
    assert sum(len(result.public) for result in told) >= service.flow.sent - 2
    assert all(receipt["status"] == "0x1" for block in receipts for receipt in block)
    for earlier, later in pairwise(told):
        assert later.timestamp - earlier.timestamp == 12
    assert len({result.base_fee for result in told}) > 20


def _check_competition(service: DevnetService, told: Sequence[AuctionResult]) -> None:
    entries = [entry for result in told for entry in result.entries]
    known = set(service.description.competitors)
    assert {entry.signer for entry in entries} == known
    assert sum(competitor.sent for competitor in service.competitors) == len(entries)
    won = [entry for entry in entries if entry.included]
    assert len(won) > 5
    assert all(entry.payment > 0 for entry in won)
    for entry in entries:
        assert entry.refusal is None or entry.refusal.reason is Reason.OUTBID


async def test_an_agent_outside_bids_in_lock_step_and_wins() -> None:
    async with devnet(5) as service, httpx.AsyncClient() as http:
        relay_url = service.description.relay_url

        async def ask(method: str, **fields: Any) -> Any:
            body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": [fields]}
            return (await http.post(relay_url, json=body)).json()["result"]

        running = asyncio.create_task(service.run(8, wait_for=["searcher"]))
        first = (await ask("devnet_register", name="searcher"))["head"]
        assert first == service.description.start_block
        bundles = await _search(service, http, ask, range(first + 1, first + 8))
        await running
    ours = [result.entry(bundle) for result in service.results for bundle in bundles]
    found = [entry for entry in ours if entry is not None]
    assert found
    assert len(found) == len(bundles)
    assert any(entry.included for entry in found)


async def _search(service: DevnetService, http: httpx.AsyncClient, ask: Any, heads: range) -> list[bytes]:
    """Bid nine tenths of the best cycle of each head, as fast as the chain lets us."""
    place = service.description
    tokens = {token.address: token for token in place.tokens}
    specs = {spec.pool_id: spec for spec in place.specs}
    identity = FlashbotsIdentity(PrivateKey(dev_account("service", "identity").key))
    relay = RelayClient(place.relay_url, identity, http)
    scorer = CpuScorer(place.specs, [place.wrapped_native], max_hops=3)
    ids, wallet, sent = Ids(), Wallet.from_key(OPERATOR.key), []
    async with Provider(place.http_url) as node:
        for number in heads:
            while (await ask("devnet_status"))["head"] < number:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
            state = await load_market(node, place.specs, tokens)
            assert state.head is not None
            assert state.head.number == number  # nothing moves until we answer
            best = [
                o
                for o in scorer.rescore(state, None, found_at_ns=0).opportunities
                if all(specs[hop.pool_id].family != "weighted" for hop in o.hops)
            ]
            base_fee = next_base_fee(state.head)
            surplus = best[0].gross_profit - 400_000 * base_fee if best else 0
            if surplus > 0:
                calldata = encode_execute(
                    best[0],
                    specs,
                    funding=Funding.BALANCER_V2_VAULT,
                    min_profit=0,
                    bid=surplus * 9 // 10,
                    target_block=number + 1,
                )
                nonce = int(await node.call("eth_getTransactionCount", [wallet.address, "latest"]), 16)
                raw, _ = wallet.sign_transaction(
                    {
                        "chainId": 1,
                        "nonce": nonce,
                        "maxPriorityFeePerGas": 0,
                        "maxFeePerGas": base_fee,
                        "gas": GAS_LIMIT,
                        "to": place.executor,
                        "data": calldata,
                    }
                )
                bundle = make_bundle(ids, "decision-000001", [raw], number + 1)
                sent.append(await relay.send_bundle(bundle))
            await ask("devnet_answer", name="searcher", blockNumber=number)
    return sent


async def test_by_the_clock_it_mines_without_being_asked() -> None:
    async with devnet(2, interval=0.3) as service:
        began = asyncio.get_running_loop().time()
        await service.run(3)
        assert asyncio.get_running_loop().time() - began >= 0.85
