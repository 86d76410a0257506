"""The pool in front of a real node that three proxies show as three, two of which can die."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from chain.blocks import Block
from chain.feeds import PollingFeed
from chain.provider_pool import ProviderPool
from chain.providers import Provider
from chain.websocket_feed import WebSocketFeed
from core.errors import InputError, RpcError
from core.reasons import Reason
from core.seams import SystemClock
from tests.chain.tcp_proxy import Proxy, proxies

if TYPE_CHECKING:
    from tests.chain.conftest import Chain

DEATHS: list[Callable[[Proxy], None]] = [Proxy.reset, Proxy.swallow]


def pool_of(nodes: list[Proxy], **options: Any) -> ProviderPool:
    return ProviderPool([Provider(node.http_url, attempts=2) for node in nodes], chain_id=1, **options)


async def eventually(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 (what is awaited tells nobody)
            await asyncio.sleep(0.02)


@asynccontextmanager
async def answering(reply: Callable[[dict[str, Any]], dict[str, Any]]) -> AsyncIterator[str]:
    """Stand in for a node with a fault that a real one cannot be made to have."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        asked = json.loads(await reader.readexactly(length))
        one = isinstance(asked, dict)
        answers = [{"id": request["id"], **reply(request)} for request in ([asked] if one else asked)]
        body = json.dumps(answers[0] if one else answers).encode()
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def deliver_while_the_primary_dies(
    chain: Chain, death: Callable[[Proxy], None], polling: bool
) -> tuple[list[Block], float, int, ProviderPool]:
    """Mine 20 blocks a second under load, kill the primary after the 20th, return what arrived."""
    received: list[tuple[float, Block]] = []
    served = 0
    async with proxies(chain.anvil.http_url, 3) as nodes, pool_of(nodes) as pool:
        clock, watched = SystemClock(), [chain.speaker]
        feed: PollingFeed | WebSocketFeed
        if polling:
            feed = PollingFeed(pool, watched, clock, interval_seconds=0.02)
        else:
            feed = WebSocketFeed([node.ws_url for node in nodes], pool, watched, clock)

        async def consume() -> None:
            async for block in feed.blocks():
                received.append((time.monotonic(), block))

        async def load() -> None:
            nonlocal served
            while True:
                await pool.batch([("eth_getBalance", [chain.wallet.address, "latest"])] * 5)
                served += 1
                await asyncio.sleep(0.01)

        async with feed:
            tasks = [asyncio.create_task(work) for work in (consume(), load(), load())]
            await eventually(lambda: bool(received))
            for number in range(1, 71):
                if number == 20:
                    death(nodes[0])
                await chain.mine(number.to_bytes(2, "big"))
                await asyncio.sleep(0.05)
            await eventually(lambda: received[-1][1].number >= 70)
            for task in tasks:
                assert not task.done(), task.exception()
                task.cancel()
            await asyncio.wait(tasks)
    times = [at for at, _ in received]
    longest = max(after - before for before, after in itertools.pairwise(times))
    return [block for _, block in received], longest, served, pool


@pytest.mark.parametrize("polling", [True, False])
@pytest.mark.parametrize("death", DEATHS)
async def test_the_primary_dies_under_load_and_no_block_is_lost_or_doubled(
    chain: Chain, death: Callable[[Proxy], None], polling: bool
) -> None:
    blocks, longest, served, pool = await deliver_while_the_primary_dies(chain, death, polling)
    first = blocks[0].number
    assert [block.header.hash for block in blocks] == await chain.hashes(first, 70)
    said = [log.data for block in blocks for log in block.logs]
    assert said == [number.to_bytes(2, "big") for number in range(max(first, 1), 71)]
    assert longest < 5, f"{longest:.2f} s without a block"
    assert served > 50
    assert pool.failovers
    assert {failover.left for failover in pool.failovers} == {pool.snapshot()[0].url}


async def test_a_node_that_comes_back_is_used_again(chain: Chain) -> None:
    async with proxies(chain.anvil.http_url, 2) as nodes, pool_of(nodes, probe_seconds=0.05) as pool:
        nodes[0].reset()
        assert await pool.call("eth_chainId", []) == "0x1"
        dead = pool.snapshot()[0]
        assert dead.benched is not None
        assert dead.benched.reason is Reason.NODE_UNREACHABLE
        assert dead.reasons == {Reason.NODE_UNREACHABLE: 1}
        await nodes[0].open()
        await eventually(lambda: pool.snapshot()[0].benched is None)
        nodes[1].reset()
        assert await pool.call("eth_chainId", []) == "0x1"


async def test_a_node_that_never_answers_costs_one_attempt_and_not_its_whole_timeout(chain: Chain) -> None:
    async with proxies(chain.anvil.http_url, 2) as nodes, pool_of(nodes, attempt_seconds=0.3) as pool:
        nodes[0].swallow()
        started = time.monotonic()
        assert await pool.call("eth_chainId", []) == "0x1"
        assert time.monotonic() - started < 3
        assert pool.failovers[0].refusal.reason is Reason.NODE_TIMED_OUT
        again = time.monotonic()
        await pool.call("eth_chainId", [])
        assert time.monotonic() - again < 0.3, "a benched node was asked again"


async def test_when_all_nodes_are_away_the_error_names_each_and_its_reason(chain: Chain) -> None:
    async with proxies(chain.anvil.http_url, 2) as nodes, pool_of(nodes) as pool:
        for node in nodes:
            node.reset()
        with pytest.raises(RpcError, match=r"node_unreachable.*; .*node_unreachable") as caught:
            await pool.call("eth_chainId", [])
    assert caught.value.fields["code"] is None


async def test_a_node_of_another_chain_is_refused_even_if_it_is_the_only_one(chain: Chain) -> None:
    node = Provider(chain.anvil.http_url, attempts=2)
    async with ProviderPool([node], chain_id=8453) as pool:
        with pytest.raises(RpcError, match="node_wrong_chain: the node is of chain 1, not 8453"):
            await pool.call("eth_blockNumber", [])
        assert pool.snapshot()[0].answered == 0


async def test_a_node_whose_head_stands_still_is_left(chain: Chain) -> None:
    def stuck(request: dict[str, Any]) -> dict[str, Any]:
        return {"result": "0x1" if request["method"] == "eth_chainId" else "0x0"}

    async with answering(stuck) as url:
        nodes = [Provider(url, attempts=2), Provider(chain.anvil.http_url, attempts=2)]
        async with ProviderPool(nodes, chain_id=1, probe_seconds=0.05, lag_seconds=0.3) as pool:
            assert int(await pool.call("eth_blockNumber", []), 16) == 0
            await chain.mine()
            await eventually(lambda: pool.snapshot()[0].benched is not None)
            state = pool.snapshot()[0].benched
            assert state is not None
            assert state.reason is Reason.NODE_BEHIND
            assert int(await pool.call("eth_blockNumber", []), 16) == 1


@pytest.mark.parametrize(
    "fault", [{"result": None}, {"error": {"code": -32000, "message": "header not found"}}]
)
async def test_a_block_that_one_node_lacks_is_asked_of_another(chain: Chain, fault: dict[str, Any]) -> None:
    def lacking(request: dict[str, Any]) -> dict[str, Any]:
        return {"result": "0x1"} if request["method"] in ("eth_chainId", "eth_blockNumber") else fault

    await chain.mine()
    async with answering(lacking) as url:
        nodes = [Provider(url, attempts=2), Provider(chain.anvil.http_url, attempts=2)]
        async with ProviderPool(nodes, chain_id=1) as pool:
            block = await pool.call("eth_getBlockByNumber", ["0x1", False])
            (again,) = await pool.attempt([("eth_getBlockByNumber", ["0x1", False])])
        assert block["number"] == again["number"] == "0x1"
        assert pool.failovers[0].refusal.reason is Reason.NODE_LACKS_BLOCK


async def test_a_block_that_no_node_knows_is_an_answer_and_no_error(chain: Chain) -> None:
    async with proxies(chain.anvil.http_url, 2) as nodes, pool_of(nodes) as pool:
        assert await pool.call("eth_getBlockByNumber", ["0xffff", False]) is None
        with pytest.raises(RpcError, match="eth_madeUp") as caught:
            await pool.call("eth_madeUp", [])
        assert caught.value.fields["code"] == -32601


async def test_a_transaction_is_sent_to_one_node_only_unless_it_never_left(chain: Chain) -> None:
    taken: list[str] = []

    async def take_and_hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        text = (await reader.readuntil(b"}")).decode()
        taken.append(text)
        writer.close()

    raw, digest = chain.wallet.sign_transaction(
        {
            "chainId": 1,
            "nonce": 0,
            "maxPriorityFeePerGas": 1,
            "maxFeePerGas": 10**12,
            "gas": 21_000,
            "to": chain.other,
        }
    )
    send = ("eth_sendRawTransaction", ["0x" + raw.hex()])
    async with await asyncio.start_server(take_and_hang_up, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        nodes = [Provider(url, attempts=2), Provider(chain.anvil.http_url, attempts=2)]
        async with ProviderPool(nodes, chain_id=1, probe_seconds=60) as pool:
            pool._nodes[0].health.probed(0.1, 0)  # as if the node had died just now
            with pytest.raises(RpcError, match="cannot reach"):
                await pool.call(*send)
            assert sum("eth_sendRawTransaction" in text for text in taken) == 1, "sent twice"
            assert await chain.provider.call("eth_getTransactionByHash", ["0x" + digest.hex()]) is None
            server.close()
            pool._nodes[0].health.probed(0.1, 0)
            assert await pool.call(*send) == "0x" + digest.hex()


def test_a_pool_without_nodes_is_refused() -> None:
    with pytest.raises(InputError, match="at least one node"):
        ProviderPool([], chain_id=1)
