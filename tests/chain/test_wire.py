"""Records read from a real node's JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chain.blocks import next_base_fee
from chain.wire import bloom_excludes, bloom_mask, head_from_json, log_from_json

if TYPE_CHECKING:
    from tests.chain.conftest import Chain


async def test_headers_and_logs_of_a_real_block(chain: Chain) -> None:
    await chain.mine(b"first", b"second")
    await chain.mine()
    answers = [await chain.provider.call("eth_getBlockByNumber", [hex(n), False]) for n in (1, 2)]
    one, two = (head_from_json(answer) for answer in answers)
    logs = [log_from_json(log) for log in await chain.provider.call("eth_getLogs", [{"fromBlock": "0x1"}])]
    assert two.header.parent_hash == one.header.hash
    assert two.header.base_fee == next_base_fee(one.header)
    assert one.header.gas_used > 42_000
    assert [(log.block_number, log.log_index, log.transaction_index) for log in logs] == [
        (1, 0, 0),
        (1, 1, 1),
    ]
    assert [log.data for log in logs] == [b"first", b"second"]
    assert logs[0].topics == ((1).to_bytes(32, "big"),)
    assert logs[0].address == chain.speaker


async def test_the_nodes_bloom_excludes_only_who_was_silent(chain: Chain) -> None:
    await chain.mine(b"spoken")
    head = head_from_json(await chain.provider.call("eth_getBlockByNumber", ["latest", False]))
    speaker, other = bloom_mask(chain.speaker), bloom_mask(chain.other)
    assert not bloom_excludes(head.bloom, [other, speaker])
    assert bloom_excludes(head.bloom, [other])
    assert bloom_excludes(head.bloom, [])
