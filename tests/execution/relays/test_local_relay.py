"""The local relay over real HTTP: who is let in, and with which words the others are turned away."""

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from chain.signers import HEADER, verify_header
from core.errors import RelayError, SecretError
from core.reasons import Reason

GWEI = 10**9
TIP_JAR, REVERTS = "0x" + "a0" * 20, "0x" + "a2" * 20

# published vector: key 32 times 0x11
VECTOR_BODY = (
    b'{"jsonrpc":"2.0","id":1,"method":"eth_sendBundle","params":[{"txs":["0x02"],"blockNumber":"0x1"}]}'
)
VECTOR_HEADER = (
    "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A:0x1b818b18afb94ed71cf54a402c6883e59a85c12fbe9823c3bec060a2841e5a9e"
    "56e7b6347abe7cbe492d2a25135886c44994517c2a76d01b9199c02ca24790aa1c"
)


async def refusal(call: Any) -> str:
    with pytest.raises(RelayError) as caught:
        await call
    return str(caught.value.fields["reason"])


async def post(lab: Any, body: bytes, header: str | None = None) -> httpx.Response:
    response: httpx.Response = await lab.http.post(
        lab.url, content=body, headers={} if header is None else {HEADER: header}
    )
    return response


async def test_the_published_header_is_let_in_and_any_other_is_not(lab: Any) -> None:
    assert verify_header(VECTOR_HEADER, VECTOR_BODY) == VECTOR_HEADER[:42].lower()
    passed = (await post(lab, VECTOR_BODY, VECTOR_HEADER)).json()
    assert passed["error"]["data"]["reason"] == Reason.BUNDLE_MALFORMED  # past the door, then unreadable
    for header in (None, "", "0x00", VECTOR_HEADER[:-4] + "ff1c", VECTOR_HEADER.replace("0x19", "0x18")):
        refused = await post(lab, VECTOR_BODY, header)
        assert refused.status_code == 403
        assert refused.json()["error"]["data"]["reason"] == Reason.BAD_SIGNATURE
    spaced = await post(lab, VECTOR_BODY.replace(b":", b": "), VECTOR_HEADER)
    assert spaced.json()["error"]["data"]["reason"] == Reason.BAD_SIGNATURE


@pytest.mark.parametrize(
    "method", ["eth_sendBundle", "eth_callBundle", "eth_cancelBundle", "eth_sendPrivateTransaction"]
)
async def test_private_methods_ask_for_a_signature(lab: Any, method: str) -> None:
    body = json.dumps({"id": 4, "method": method, "params": [{}]}).encode()
    answer = await post(lab, body)
    assert answer.json()["error"]["data"]["reason"] == Reason.BAD_SIGNATURE
    assert answer.json()["id"] == 4


def test_a_header_of_another_body_is_no_signature() -> None:
    with pytest.raises(SecretError):
        verify_header(VECTOR_HEADER, VECTOR_BODY + b" ")


async def test_a_good_bundle_is_taken_and_named_by_its_hash(lab: Any) -> None:
    searcher = await lab.searcher("a")
    bundle = lab.bundle(searcher.sign(TIP_JAR, 5))
    assert await lab.client(searcher).send_bundle(bundle) == bundle.bundle_hash


async def test_a_bundle_for_a_past_block_is_refused(lab: Any) -> None:
    searcher = await lab.searcher("a")
    bundle = lab.bundle(searcher.sign(TIP_JAR, 5), target=0)
    assert await refusal(lab.client(searcher).send_bundle(bundle)) == Reason.BLOCK_PASSED


async def test_a_reverting_bundle_is_refused_with_its_revert(lab: Any) -> None:
    searcher = await lab.searcher("a")
    bundle = lab.bundle(searcher.sign(TIP_JAR, 5), searcher.sign(REVERTS))
    assert await refusal(lab.client(searcher).send_bundle(bundle)) == Reason.BUNDLE_REVERTS
    called = await lab.client(searcher).call_bundle(bundle)
    assert not called.ok
    assert [transaction.error != "" for transaction in called.transactions] == [False, True]
    assert called.transactions[1].error.endswith("deadbeef")


async def test_a_revert_that_the_bundle_allows_is_taken(lab: Any) -> None:
    searcher = await lab.searcher("a")
    raw = searcher.sign(REVERTS)
    bundle = lab.bundle(raw)
    params = {
        "txs": ["0x" + raw.hex()],
        "blockNumber": "0x1",
        "revertingTxHashes": ["0x" + bundle.transaction_hashes[0].hex()],
    }
    body = json.dumps({"id": 1, "method": "eth_sendBundle", "params": [params]}).encode()
    answer = (await post(lab, body, searcher.identity.header(body))).json()
    assert answer["result"]["bundleHash"] == "0x" + bundle.bundle_hash.hex()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"max_fee": GWEI // 10}, Reason.BELOW_BASE_FEE),
        ({"nonce": 3}, Reason.BAD_NONCE),
        ({"gas": 30_000_001}, Reason.BLOCK_FULL),
        ({"gas": 100}, Reason.BUNDLE_REVERTS),
        ({"value": 10**24}, Reason.BUNDLE_REVERTS),
        ({"chain_id": 5}, Reason.BUNDLE_MALFORMED),
    ],
)
async def test_what_a_node_would_not_run_is_refused(
    lab: Any, options: dict[str, int], reason: Reason
) -> None:
    searcher = await lab.searcher("a")
    bundle = lab.bundle(searcher.sign(TIP_JAR, **options))
    assert await refusal(lab.client(searcher).send_bundle(bundle)) == reason


async def test_call_bundle_adds_up(lab: Any) -> None:
    searcher = await lab.searcher("a")
    tip = 3 * GWEI
    bundle = lab.bundle(searcher.sign(TIP_JAR, 1_000, tip=tip), searcher.sign(TIP_JAR, 7, tip=0))
    body = json.dumps(
        {
            "id": 1,
            "method": "eth_callBundle",
            "params": [
                {
                    "txs": ["0x" + raw.hex() for raw in bundle.raw_transactions],
                    "blockNumber": "0x1",
                    "stateBlockNumber": "latest",
                }
            ],
        }
    ).encode()
    result = (await post(lab, body, searcher.identity.header(body))).json()["result"]
    gas = [entry["gasUsed"] for entry in result["results"]]
    assert int(result["ethSentToCoinbase"]) == 1_007
    assert int(result["gasFees"]) == tip * gas[0]
    assert int(result["coinbaseDiff"]) == tip * gas[0] + 1_007
    assert result["totalGasUsed"] == sum(gas)
    assert int(result["bundleGasPrice"]) == int(result["coinbaseDiff"]) // sum(gas)
    called = await lab.client(searcher).call_bundle(bundle)
    assert called.ok
    assert (called.gas_used, called.coinbase_payment) == (sum(gas), int(result["coinbaseDiff"]))


@pytest.mark.parametrize(
    "params",
    [
        [],
        {},
        [1],
        [{"txs": "0x02", "blockNumber": "0x1"}],
        [{"txs": [], "blockNumber": "0x1"}],
        [{"txs": ["02"], "blockNumber": "0x1"}],
        [{"txs": ["0x02zz"], "blockNumber": "0x1"}],
        [{"txs": ["0x02ffff"], "blockNumber": "0x1"}],
        [{"txs": ["0x"], "blockNumber": "0x1"}],
        [{"txs": [None], "blockNumber": "0x1"}],
        [{"txs": ["0x02"] * 101, "blockNumber": "0x1"}],
    ],
)
async def test_malformed_parameters_are_refused_without_a_traceback(lab: Any, params: Any) -> None:
    searcher = await lab.searcher("a")
    body = json.dumps({"id": 1, "method": "eth_sendBundle", "params": params}).encode()
    answer = (await post(lab, body, searcher.identity.header(body))).json()
    assert answer["error"]["code"] == -32602
    assert answer["error"]["data"]["reason"] == Reason.BUNDLE_MALFORMED


@pytest.mark.parametrize("block", [None, "1", "0xzz", -1, 1.5, True, [], ""])
async def test_a_block_number_that_is_none_is_refused(lab: Any, block: Any) -> None:
    searcher = await lab.searcher("a")
    params = {"txs": ["0x" + searcher.sign(TIP_JAR).hex()], "blockNumber": block}
    body = json.dumps({"id": 1, "method": "eth_sendBundle", "params": [params]}).encode()
    answer = (await post(lab, body, searcher.identity.header(body))).json()
    assert answer["error"]["data"]["reason"] == Reason.BUNDLE_MALFORMED


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", -32700),
        (b"[" * 100_000, -32600),
        (b"[]", -32600),
        (b'{"method": 1}', -32600),
        (b'{"method": "eth_secret"}', -32601),
        (b'"' + b"x" * 2_000_001 + b'"', -32600),
    ],
)
async def test_what_is_no_request_gets_a_json_rpc_error(lab: Any, body: bytes, code: int) -> None:
    assert (await post(lab, body)).json()["error"]["code"] == code


async def test_a_client_that_leaves_inside_its_request_costs_no_traceback(
    lab: Any, caplog: pytest.LogCaptureFixture
) -> None:
    place = urlsplit(lab.url)
    _, writer = await asyncio.open_connection(place.hostname, place.port)
    writer.write(b"POST / HTTP/1.1\r\nHost: relay\r\nContent-Length: 100\r\n\r\n{")
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.close()
    await writer.wait_closed()
    assert (await post(lab, b"[]")).status_code == 400
    assert not [record for record in caplog.records if record.exc_info]


async def test_a_public_transaction_needs_no_signature_but_money_and_a_fresh_nonce(lab: Any) -> None:
    searcher = await lab.searcher("a")

    async def send(raw: bytes) -> dict[str, Any]:
        body = {"id": 1, "method": "eth_sendRawTransaction", "params": ["0x" + raw.hex()]}
        answer: dict[str, Any] = (await post(lab, json.dumps(body).encode())).json()
        return answer

    assert len((await send(searcher.sign(TIP_JAR, tip=GWEI)))["result"]) == 66
    assert (await send(searcher.sign(TIP_JAR, tip=GWEI, value=1, nonce=0)))["error"]["data"] == {
        "reason": "bad_nonce"
    }
    assert (await send(searcher.sign(TIP_JAR, 10**24)))["error"]["data"] == {"reason": "no_funds"}
    assert (await send(searcher.sign(TIP_JAR, max_fee=1)))["error"]["data"] == {"reason": "below_base_fee"}
    await lab.builder.build()
    assert (await send(searcher.sign(TIP_JAR, nonce=0)))["error"]["data"] == {"reason": "bad_nonce"}
