"""The provider against a real node and against servers that misbehave."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, cast

import pytest

from chain.providers import Provider, unreachable
from core.errors import RpcError

if TYPE_CHECKING:
    from tests.chain.conftest import Chain


async def test_results_come_as_the_node_gives_them(chain: Chain) -> None:
    assert await chain.provider.call("eth_chainId", []) == "0x1"
    assert chain.provider.latency_ms > 0
    requests = [("eth_getBlockByNumber", [hex(n), False]) for n in (0, 1)] + [("eth_chainId", [])]
    first, missing, chain_id = await chain.provider.batch(requests)
    assert (first["number"], missing, chain_id) == ("0x0", None, "0x1")
    assert await chain.provider.batch([]) == []


async def test_a_refused_request_carries_code_message_and_data(chain: Chain) -> None:
    with pytest.raises(RpcError) as caught:
        await chain.provider.call("eth_madeUp", [])
    assert (caught.value.fields["method"], caught.value.fields["code"]) == ("eth_madeUp", -32601)
    assert not unreachable(caught.value)
    # revert with the first word of the calldata
    await chain.provider.call("anvil_setCode", [chain.other, "0x60003560005260206000fd"])
    word = "0x" + "ab" * 32
    with pytest.raises(RpcError) as caught:
        await chain.provider.call("eth_call", [{"to": chain.other, "data": word}, "latest"])
    assert caught.value.fields["data"] == word
    with pytest.raises(RpcError, match="eth_madeUp"):
        await chain.provider.batch([("eth_chainId", []), ("eth_madeUp", [])])


async def test_a_node_that_comes_back_is_asked_again(chain: Chain) -> None:
    await chain.anvil.save()
    chain.anvil.stop()

    async def come_back() -> None:
        await asyncio.sleep(0.15)
        await chain.anvil.launch()

    back = asyncio.create_task(come_back())
    assert await chain.provider.call("eth_chainId", []) == "0x1"
    await back


async def test_a_dead_node_is_an_error_within_bounds(chain: Chain) -> None:
    chain.anvil.stop()
    with pytest.raises(RpcError, match="cannot reach the node") as caught:
        await chain.provider.call("eth_chainId", [])
    assert unreachable(caught.value)


async def test_a_closed_provider_says_so() -> None:
    with pytest.raises(RpcError, match="async with"):
        await Provider("http://127.0.0.1:1").call("eth_chainId", [])


@asynccontextmanager
async def server(
    answer: Callable[[bytes], bytes | None], delay: float = 0
) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Serve HTTP answers by hand; None closes the connection without one."""
    seen: list[bytes] = []
    handlers: set[asyncio.Task[Any]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handlers.add(cast("asyncio.Task[Any]", asyncio.current_task()))
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        seen.append(await reader.readexactly(length))
        await asyncio.sleep(delay)
        reply = answer(seen[-1])
        if reply is not None:
            writer.write(reply)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    listener = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with listener:
        yield f"http://me:secret@127.0.0.1:{listener.sockets[0].getsockname()[1]}", seen
        await asyncio.gather(*handlers)


def http(body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (http(b"<html>"), "no JSON"),
        (http(b"[1]"), "no JSON-RPC object"),
        (http(b'{"id":0}'), "neither result nor error"),
        (http(b'{"error":"rate limited"}'), "rate limited"),
        (http(b"busy", "429 Too Many Requests"), "HTTP 429"),
    ],
)
async def test_an_answer_that_is_none_is_an_error_without_the_password(reply: bytes, reason: str) -> None:
    async with server(lambda _: reply) as (url, _), Provider(url) as provider:
        with pytest.raises(RpcError, match=reason) as caught:
            await provider.call("eth_chainId", [])
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("method", "times"), [("eth_getLogs", 4), ("eth_sendTransaction", 1), ("evm_mine", 1)]
)
async def test_only_what_cannot_take_effect_twice_is_sent_again(method: str, times: int) -> None:
    async with server(lambda _: None) as (url, seen), Provider(url) as provider:
        with pytest.raises(RpcError, match="cannot reach"):
            await provider.call(method, [])
    assert len(seen) == times


async def test_a_slow_node_is_an_error_and_is_not_asked_twice() -> None:
    async with (
        server(lambda _: http(b"{}"), delay=0.3) as (url, seen),
        Provider(url, timeout_seconds=0.1) as provider,
    ):
        with pytest.raises(RpcError, match=r"no answer within 0\.1 s"):
            await provider.call("eth_chainId", [])
    assert len(seen) == 1


async def test_a_refusal_in_the_body_of_an_http_error_is_read() -> None:
    body = b'{"id":1,"error":{"code":-32600,"message":"up to a 500 block range"}}'
    async with server(lambda _: http(body, "400 Bad Request")) as (url, _), Provider(url) as provider:
        with pytest.raises(RpcError, match="500 block range") as caught:
            await provider.call("eth_getLogs", [])
    assert caught.value.fields["code"] == -32600


async def test_requests_cancelled_at_any_moment_leave_the_provider_usable(chain: Chain) -> None:
    for pause in range(30):
        asked = [asyncio.create_task(chain.provider.call("eth_chainId", [])) for _ in range(10)]
        await asyncio.sleep(pause * 0.0002)
        for task in asked:
            task.cancel()
        await asyncio.wait(asked)
    async with asyncio.timeout(5):
        assert await chain.provider.call("eth_chainId", []) == "0x1"


async def test_batch_answers_are_put_in_order_and_must_be_complete() -> None:
    def backwards(body: bytes) -> bytes:
        asked = json.loads(body)
        return http(json.dumps([{"id": r["id"], "result": r["method"]} for r in reversed(asked)]).encode())

    def partial(body: bytes) -> bytes:
        return http(json.dumps([{"id": json.loads(body)[0]["id"], "result": 1}]).encode())

    async with server(backwards) as (url, _), Provider(url) as provider:
        assert await provider.batch([("a", []), ("b", []), ("c", [])]) == ["a", "b", "c"]
    async with server(partial) as (url, _), Provider(url) as provider:
        with pytest.raises(RpcError, match="every request"):
            await provider.batch([("a", []), ("b", [])])
