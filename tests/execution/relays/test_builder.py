"""The auction: who gets into the block, in which order, and what the chain then says."""

import json
from typing import Any

import pytest

from chain.signers import HEADER
from core.errors import DevnetError
from core.reasons import Reason
from execution.relays.builder import Builder
from execution.relays.transactions import decode_transaction

GWEI = 10**9
FEE_RECIPIENT, TIP_JAR = "0x" + "c0" * 20, "0x" + "a0" * 20
PRIZE, REVERTS, FADES = "0x" + "a1" * 20, "0x" + "a2" * 20, "0x" + "a3" * 20


async def mined(lab: Any) -> list[str]:
    block = await lab.provider.call("eth_getBlockByNumber", ["latest", False])
    return list(block["transactions"])


def names(*hashes: bytes) -> list[str]:
    return ["0x" + transaction.hex() for transaction in hashes]


async def send_public(lab: Any, raw: bytes) -> bytes:
    body = {"id": 1, "method": "eth_sendRawTransaction", "params": ["0x" + raw.hex()]}
    answer = (await lab.http.post(lab.url, json=body)).json()
    return bytes.fromhex(answer["result"][2:])


async def test_the_higher_payer_wins_and_the_loser_is_told_why(lab: Any) -> None:
    low, high = await lab.searcher("low"), await lab.searcher("high")
    poor = lab.bundle(low.sign(PRIZE, 10**15))
    rich = lab.bundle(high.sign(PRIZE, 2 * 10**15))
    await lab.client(low).send_bundle(poor)
    await lab.client(high).send_bundle(rich)
    before = int(await lab.provider.call("eth_getBalance", [FEE_RECIPIENT, "latest"]), 16)
    result = await lab.builder.build()
    after = int(await lab.provider.call("eth_getBalance", [FEE_RECIPIENT, "latest"]), 16)
    assert result.winner is not None
    assert (result.winner.bundle_hash, result.winner.payment) == (rich.bundle_hash, 2 * 10**15)
    assert after - before == 2 * 10**15
    loser = result.entry(poor.bundle_hash)
    assert loser is not None
    assert loser.refusal is not None
    assert loser.refusal.reason is Reason.OUTBID
    assert rich.bundle_hash.hex()[:8] in loser.refusal.detail
    assert await mined(lab) == names(*rich.transaction_hashes)


async def test_the_auction_can_be_read_over_http(lab: Any) -> None:
    searcher = await lab.searcher("a")
    bundle = lab.bundle(searcher.sign(TIP_JAR, 77))
    await lab.client(searcher).send_bundle(bundle)
    await lab.builder.build()
    body = {"id": 1, "method": "devnet_auction", "params": [{"blockNumber": "0x1"}]}
    shown = (await lab.http.post(lab.url, json=body)).json()["result"]
    assert [(b["payment"], b["included"], b["signer"]) for b in shown["bundles"]] == [
        ("77", True, searcher.identity.address)
    ]


async def test_payment_is_ranked_per_gas_and_fees_count_like_transfers(lab: Any) -> None:
    one, two = await lab.searcher("one"), await lab.searcher("two")
    by_transfer = lab.bundle(one.sign(TIP_JAR, 10**14), one.sign(TIP_JAR, 10**14))
    by_fee = lab.bundle(two.sign(TIP_JAR, tip=10 * GWEI))  # less in sum, more per gas
    await lab.client(one).send_bundle(by_transfer)
    await lab.client(two).send_bundle(by_fee)
    result = await lab.builder.build()
    assert [entry.bundle_hash for entry in result.entries] == [by_fee.bundle_hash, by_transfer.bundle_hash]
    assert all(entry.included for entry in result.entries)
    assert await mined(lab) == names(*by_fee.transaction_hashes, *by_transfer.transaction_hashes)


async def test_arrival_does_not_matter(lab: Any) -> None:
    searchers = [await lab.searcher(str(index)) for index in range(3)]
    bundles = [(s, lab.bundle(s.sign(TIP_JAR, 1_000))) for s in searchers]
    for searcher, bundle in reversed(bundles):
        await lab.client(searcher).send_bundle(bundle)
    result = await lab.builder.build()
    assert [e.bundle_hash for e in result.entries] == sorted(b.bundle_hash for _, b in bundles)


async def test_a_bundle_that_pays_less_behind_the_winner_is_dropped(lab: Any) -> None:
    low, high = await lab.searcher("low"), await lab.searcher("high")
    await lab.client(low).send_bundle(poor := lab.bundle(low.sign(FADES, 10**15)))
    await lab.client(high).send_bundle(rich := lab.bundle(high.sign(FADES, 2 * 10**15)))
    result = await lab.builder.build()
    loser = result.entry(poor.bundle_hash)
    assert loser is not None
    assert loser.refusal is not None
    assert "pays 0 wei instead of 1000000000000000" in loser.refusal.detail
    assert await mined(lab) == names(*rich.transaction_hashes)


async def test_of_two_bundles_with_one_nonce_the_dearer_is_taken(lab: Any) -> None:
    searcher = await lab.searcher("a")
    small = lab.bundle(searcher.sign(TIP_JAR, 10, nonce=0))
    large = lab.bundle(searcher.sign(TIP_JAR, 20, nonce=0))
    await lab.client(searcher).send_bundle(small)
    await lab.client(searcher).send_bundle(large)
    result = await lab.builder.build()
    assert [e.included for e in result.entries] == [True, False]
    assert result.entries[0].bundle_hash == large.bundle_hash


async def test_one_bundle_for_two_blocks_is_offered_in_each(lab: Any) -> None:
    searcher, rival = await lab.searcher("a"), await lab.searcher("b")
    raw = searcher.sign(FADES, 10**15)
    for target in (1, 2):
        await lab.client(searcher).send_bundle(lab.bundle(raw, target=target))
    await lab.client(rival).send_bundle(lab.bundle(rival.sign(FADES, 2 * 10**15)))
    first, second = await lab.builder.build(), await lab.builder.build()
    assert [e.included for e in first.entries] == [True, False]
    assert [e.signer for e in second.entries] == [searcher.identity.address]


async def test_a_copied_bundle_stays_its_senders(lab: Any) -> None:
    searcher, copier = await lab.searcher("a"), await lab.searcher("b")
    bundle = lab.bundle(searcher.sign(TIP_JAR, 5))
    await lab.client(copier).send_bundle(bundle)
    await lab.client(searcher).send_bundle(bundle, "mine")
    await lab.client(searcher).cancel_bundle("mine")
    result = await lab.builder.build()
    assert [e.signer for e in result.entries] == [copier.identity.address]


async def test_a_bundle_that_stopped_working_since_it_was_taken_is_left_out(lab: Any) -> None:
    searcher, other = await lab.searcher("a"), await lab.searcher("b")
    await lab.client(searcher).send_bundle(later := lab.bundle(searcher.sign(PRIZE, 5), target=2))
    await send_public(lab, other.sign(PRIZE, 1))
    await lab.builder.build()
    result = await lab.builder.build()
    entry = result.entry(later.bundle_hash)
    assert entry is not None
    assert entry.refusal is not None
    assert entry.refusal.reason is Reason.BUNDLE_REVERTS
    assert await mined(lab) == []


async def test_public_transactions_follow_the_bundles_by_priority_fee(lab: Any) -> None:
    a, b, c = [await lab.searcher(name) for name in "abc"]
    first = await send_public(lab, a.sign(TIP_JAR, tip=GWEI))
    second = await send_public(lab, a.sign(TIP_JAR, tip=9 * GWEI))
    third = await send_public(lab, b.sign(TIP_JAR, tip=2 * GWEI))
    failing = await send_public(lab, c.sign(REVERTS, tip=GWEI // 2))
    await lab.client(c).send_bundle(bundle := lab.bundle(c.sign(TIP_JAR, 1, nonce=0)))
    result = await lab.builder.build()
    # the bundle took the nonce of the failing transaction
    assert await mined(lab) == names(*bundle.transaction_hashes, third, first, second)
    assert failing not in result.public
    assert len(lab.builder.mempool) == 0


async def test_a_public_transaction_may_revert(lab: Any) -> None:
    searcher = await lab.searcher("a")
    failing = await send_public(lab, searcher.sign(REVERTS, tip=GWEI))
    await lab.builder.build()
    receipt = await lab.provider.call("eth_getTransactionReceipt", names(failing))
    assert receipt["status"] == "0x0"


async def test_a_sender_who_cannot_pay_all_does_not_stop_the_others(lab: Any) -> None:
    poor, other = await lab.searcher("poor"), await lab.searcher("other")
    once = await send_public(lab, poor.sign(TIP_JAR, 6 * 10**20, tip=3 * GWEI))
    twice = await send_public(lab, poor.sign(TIP_JAR, 6 * 10**20, tip=3 * GWEI))
    fine = await send_public(lab, other.sign(TIP_JAR, 1, tip=GWEI))
    await lab.builder.build()
    assert await mined(lab) == names(once, fine)
    assert [transaction.hash for transaction in lab.builder.mempool] == [twice]


async def test_a_block_takes_no_more_than_its_gas_limit(lab: Any) -> None:
    await lab.provider.call("evm_setBlockGasLimit", [hex(200_000)])
    await lab.builder.build()
    searcher = await lab.searcher("a")
    sent = [await send_public(lab, searcher.sign(TIP_JAR, tip=GWEI, gas=160_000)) for _ in range(4)]
    await lab.builder.build()
    # each uses an eighth, but needs room for its limit
    assert await mined(lab) == names(*sent[:2])
    await lab.builder.build()
    assert await mined(lab) == names(*sent[2:])


async def test_a_replaced_or_cancelled_bundle_does_not_bid(lab: Any) -> None:
    searcher, stranger = await lab.searcher("a"), await lab.searcher("b")
    client = lab.client(searcher)
    await client.send_bundle(lab.bundle(searcher.sign(TIP_JAR, 9, nonce=0)), "name")
    replacing = lab.bundle(searcher.sign(TIP_JAR, 5, nonce=0))
    await client.send_bundle(replacing, "name")
    await lab.client(stranger).cancel_bundle("name")
    result = await lab.builder.build()
    assert [entry.bundle_hash for entry in result.entries] == [replacing.bundle_hash]
    await client.send_bundle(lab.bundle(searcher.sign(TIP_JAR, 5, nonce=1), target=2), "name")
    await client.cancel_bundle("name")
    assert (await lab.builder.build()).entries == ()


async def test_a_private_transaction_is_mined_without_ever_being_public(lab: Any) -> None:
    searcher = await lab.searcher("a")
    sent = await lab.client(searcher).send_private_transaction(searcher.sign(TIP_JAR, 3), 9)
    assert len(lab.builder.mempool) == 0
    await lab.builder.build()
    assert await mined(lab) == names(sent)
    assert (await lab.builder.build()).entries == ()


async def test_a_private_transaction_is_tried_again_until_its_last_block(lab: Any) -> None:
    searcher, other = await lab.searcher("a"), await lab.searcher("b")
    await lab.client(searcher).send_private_transaction(searcher.sign(PRIZE, 3), 2)
    await lab.client(other).send_bundle(lab.bundle(other.sign(PRIZE, 10**9)))
    tried = [len((await lab.builder.build()).entries) for _ in range(3)]
    assert tried == [2, 1, 0]


async def test_a_bundle_keeps_to_its_timestamps(lab: Any) -> None:
    searcher = await lab.searcher("a")
    params = {
        "txs": ["0x" + searcher.sign(TIP_JAR).hex()],
        "blockNumber": "0x1",
        "maxTimestamp": 1_700_000_011,
    }
    body = json.dumps({"id": 1, "method": "eth_sendBundle", "params": [params]}).encode()
    headers = {HEADER: searcher.identity.header(body)}
    answer = (await lab.http.post(lab.url, content=body, headers=headers)).json()
    assert answer["error"]["data"]["reason"] == Reason.BLOCK_PASSED


async def test_nothing_but_a_finished_block_is_ever_seen(lab: Any) -> None:
    low, high = await lab.searcher("low"), await lab.searcher("high")
    watch = await lab.provider.call("eth_newBlockFilter", [])
    for searcher, bid in ((low, 1), (high, 2)):
        await lab.client(searcher).send_bundle(lab.bundle(searcher.sign(PRIZE, bid)))
    result = await lab.builder.build()
    assert await lab.provider.call("eth_getFilterChanges", [watch]) == names(result.block_hash)


async def test_a_chain_that_somebody_else_moves_stops_the_builder(lab: Any) -> None:
    class Meddling:
        async def call(self, method: str, params: list[Any]) -> Any:
            if method == "evm_mine":
                await lab.provider.call("evm_mine", [])
            return await lab.provider.call(method, params)

    builder = Builder(Meddling(), chain_id=1, fee_recipient=FEE_RECIPIENT, block_time=12)
    with pytest.raises(DevnetError, match="only the builder may mine"):
        await builder.build()


async def test_a_block_that_differs_from_its_simulation_stops_the_builder(lab: Any) -> None:
    class Lying:
        async def call(self, method: str, params: list[Any]) -> Any:
            answer = await lab.provider.call(method, params)
            if method == "eth_getBlockReceipts":
                answer[0]["status"] = "0x0"
            return answer

    searcher = await lab.searcher("a")
    builder = Builder(Lying(), chain_id=1, fee_recipient=FEE_RECIPIENT, block_time=12)
    await builder.add_public(decode_transaction(searcher.sign(TIP_JAR), 1))
    with pytest.raises(DevnetError, match="not the simulated one"):
        await builder.build()
