"""What the client makes of relays' many ways to answer."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from chain.signers import HEADER, verify_header
from core.errors import RelayError
from core.seams import Ids
from execution.bundle import make_bundle
from execution.relays.client import BundleSender, RelayClient

BUNDLE = make_bundle(Ids(), "decision-000001", [b"\x02one"], 7)
CONFIRMED = {"bundleHash": "0x" + BUNDLE.bundle_hash.hex()}
Answer = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def relay(offline_searcher: Callable[[str], Any]) -> Callable[[Answer], RelayClient]:
    def make(answer: Answer, name: str = "relay.test") -> RelayClient:
        http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
        return RelayClient("https://relay.test", offline_searcher("a").identity, http, name)

    return make


async def test_the_signature_covers_exactly_the_bytes_that_are_sent(
    relay: Any, offline_searcher: Any
) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"jsonrpc": "2.0", "id": 1, "result": CONFIRMED})

    assert await relay(answer).send_bundle(BUNDLE) == BUNDLE.bundle_hash
    identity = offline_searcher("a").identity
    assert verify_header(seen[0].headers[HEADER], seen[0].content) == identity.address
    assert json.loads(seen[0].content)["params"] == [{"txs": ["0x" + b"\x02one".hex()], "blockNumber": "0x7"}]


async def test_a_result_without_an_envelope_is_read_too(relay: Any) -> None:
    assert await relay(lambda _: httpx.Response(200, json=CONFIRMED)).send_bundle(BUNDLE)


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (
            {"json": {"error": {"code": -32602, "message": "no", "data": {"reason": "bundle_malformed"}}}},
            {"status": 200, "code": -32602, "message": "no", "reason": "bundle_malformed"},
        ),
        ({"json": {"error": "go away"}}, {"status": 200, "code": None, "message": "go away"}),
        (
            {"status_code": 429, "text": "slow down\n"},
            {"status": 429, "code": None, "message": "slow down"},
        ),
        ({"text": "<html>"}, {"status": 200, "code": None, "message": "<html>"}),
        ({"json": [1]}, {"status": 200, "code": None, "message": "[1]"}),
        ({"text": "[" * 100_000}, {"status": 200, "code": None, "message": "[" * 500}),
    ],
)
async def test_every_shape_of_error_becomes_one_typed_error(
    relay: Any, response: dict[str, Any], expected: dict[str, Any]
) -> None:
    answer = {"status_code": 200} | response
    with pytest.raises(RelayError) as caught:
        await relay(lambda _: httpx.Response(**answer)).send_bundle(BUNDLE)
    assert caught.value.fields["relay"] == "relay.test"
    assert expected.items() <= caught.value.fields.items()


async def test_a_relay_that_confirms_another_bundle_is_not_believed(relay: Any) -> None:
    other = {"result": {"bundleHash": "0x" + "00" * 32}}
    with pytest.raises(RelayError, match="another bundle"):
        await relay(lambda _: httpx.Response(200, json=other)).send_bundle(BUNDLE)


async def test_a_connection_that_fails_is_a_relay_error_with_what_to_do(relay: Any) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(RelayError, match="check its URL"):
        await relay(answer).send_bundle(BUNDLE)


async def test_one_failing_relay_neither_stops_nor_delays_the_others(relay: Any) -> None:
    everyone_asked = asyncio.Event()
    asked: list[str] = []

    def make(name: str, answer: Answer) -> RelayClient:
        async def wait_for_all(request: httpx.Request) -> httpx.Response:
            asked.append(name)
            if len(asked) == 3:
                everyone_asked.set()
            await asyncio.wait_for(everyone_asked.wait(), 5)  # only passes if all are asked at once
            return answer(request)

        return relay(wait_for_all, name)

    def broken(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("slow", request=request)

    def fine(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"result": CONFIRMED})

    sender = BundleSender([make("broken", broken), make("a", fine), make("b", fine)])
    results = await sender.send(BUNDLE)
    assert [(result.relay, result.error is None) for result in results] == [
        ("broken", False),
        ("a", True),
        ("b", True),
    ]
