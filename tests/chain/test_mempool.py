"""The mempool against a real node whose transactions wait until it is asked to mine."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from chain.mempool import Mempool
from chain.networks import load_network
from chain.pending_transactions import (
    Dropped,
    News,
    PendingSet,
    PendingTransaction,
    Slot,
    transaction_from_json,
)
from core.errors import ConfigError, FeedError, RpcError
from core.reasons import Reason
from core.seams import ManualClock

if TYPE_CHECKING:
    from tests.chain.conftest import Chain

ETHEREUM = load_network("ethereum")
GWEI = 10**9


async def take(mempool: Mempool, count: int) -> list[News]:
    news = mempool.news()
    async with asyncio.timeout(20):
        return [await anext(news) for _ in range(count)]


async def offer(chain: Chain, nonce: int, gwei: int, value: int = 1, data: str = "0x") -> bytes:
    """Send a transaction of the chain's wallet without signing it here."""
    await chain.provider.call("anvil_impersonateAccount", [chain.wallet.address])
    fees = {"maxFeePerGas": hex(gwei * GWEI), "maxPriorityFeePerGas": hex(GWEI), "gas": hex(90_000)}
    call = {"from": chain.wallet.address, "to": chain.speaker, "nonce": hex(nonce), "value": hex(value)}
    sent = await chain.provider.call("eth_sendTransaction", [call | fees | {"data": data}])
    return bytes.fromhex(sent[2:])


@asynccontextmanager
async def hearing(chain: Chain, url: str = "", **options: Any) -> AsyncIterator[Mempool]:
    clock = options.pop("clock", ManualClock(7))
    address = url or chain.anvil.ws_url
    async with Mempool(address, chain.provider, ETHEREUM, clock, **options) as mempool:
        async with asyncio.timeout(20):
            await mempool.listening()
        yield mempool


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 (nothing tells when a counter moves)
            await asyncio.sleep(0.01)


def reasons(news: list[News]) -> list[Reason | None]:
    return [each.why.reason if isinstance(each, Dropped) else None for each in news]


# --- what is heard, and how it goes


async def test_a_transaction_is_heard_whole_before_a_block_holds_it(chain: Chain) -> None:
    async with hearing(chain) as mempool:
        sent = await offer(chain, 0, 50, value=12, data="0xabcdef")
        (heard,) = await take(mempool, 1)
        assert heard == PendingTransaction(
            hash=sent,
            sender=chain.wallet.address,
            to=chain.speaker,
            nonce=0,
            value=12,
            input=b"\xab\xcd\xef",
            gas=90_000,
            max_fee_per_gas=50 * GWEI,
            max_priority_fee_per_gas=GWEI,
            known_at_ns=7,
        )
        assert mempool.pending == (heard,)
        assert (mempool.counters.heard, mempool.last_heard_ns) == (1, 7)


async def test_a_transaction_leaves_with_the_block_that_holds_it(chain: Chain) -> None:
    async with hearing(chain) as mempool:
        await offer(chain, 0, 50)
        (heard,) = await take(mempool, 1)
        await chain.provider.call("evm_mine", [])
        (left,) = await take(mempool, 1)
        assert isinstance(left, Dropped)
        assert (left.transaction, left.why.reason) == (heard, Reason.PENDING_INCLUDED)
        assert mempool.pending == ()
        assert mempool.counters.dropped == {Reason.PENDING_INCLUDED: 1}


async def test_a_dearer_transaction_replaces_the_one_with_its_nonce(chain: Chain) -> None:
    async with hearing(chain) as mempool:
        await offer(chain, 0, 50)
        (first,) = await take(mempool, 1)
        await offer(chain, 0, 80)
        news = await take(mempool, 2)
        assert reasons(news) == [None, Reason.PENDING_REPLACED]
        assert isinstance(news[1], Dropped)
        assert news[1].transaction == first
        assert mempool.pending == (news[0],)


async def test_what_came_and_went_unread_is_not_told(chain: Chain) -> None:
    async with hearing(chain) as mempool:
        await offer(chain, 0, 50)
        await chain.provider.call("evm_mine", [])
        kept = await offer(chain, 1, 50)
        await until(lambda: bool(mempool.counters.dropped) and len(mempool.pending) == 1)
        (heard,) = await take(mempool, 1)
        assert isinstance(heard, PendingTransaction)
        assert heard.hash == kept


async def test_a_full_mempool_keeps_those_that_offer_most(chain: Chain) -> None:
    async with hearing(chain, capacity=3) as mempool:
        for nonce, gwei in enumerate((50, 20, 70, 60, 10)):
            await offer(chain, nonce, gwei)
        await until(lambda: mempool.counters.heard == 5)
        assert [each.max_fee_per_gas // GWEI for each in mempool.pending] == [50, 70, 60]
        assert mempool.counters.dropped == {Reason.PENDING_EVICTED: 2}


async def test_a_transaction_that_waits_too_long_expires_with_the_next_block(chain: Chain) -> None:
    clock = ManualClock(0)
    async with hearing(chain, clock=clock, longest_seconds=60.0) as mempool:
        sent = await offer(chain, 0, 50)
        (heard,) = await take(mempool, 1)
        await chain.provider.call("anvil_dropTransaction", ["0x" + sent.hex()])  # nodes do not tell
        clock.advance(61 * 10**9)
        await chain.provider.call("evm_mine", [])
        (left,) = await take(mempool, 1)
        assert isinstance(left, Dropped)
        assert (left.transaction, left.why.reason) == (heard, Reason.PENDING_EXPIRED)


async def test_blocks_mined_in_a_burst_take_away_all_that_they_hold(chain: Chain) -> None:
    async with hearing(chain) as mempool:
        for nonce in range(6):
            await offer(chain, nonce, 50)
            await take(mempool, 1)
        for _ in range(4):
            await chain.provider.call("evm_mine", [])
        assert reasons(await take(mempool, 6)) == [Reason.PENDING_INCLUDED] * 6


# --- nodes of other kinds


async def test_a_chain_without_a_public_mempool_is_refused_at_start(chain: Chain) -> None:
    for name in ("base", "optimism", "arbitrum"):
        with pytest.raises(ConfigError, match="public_mempool: transactions go to a sequencer unseen"):
            Mempool("ws://nowhere", chain.provider, load_network(name), ManualClock())


@asynccontextmanager
async def node_that_refuses(url: str, refuses: Callable[[list[Any]], bool]) -> AsyncIterator[str]:
    """Run a door in front of the real node that refuses some subscriptions."""

    async def door(client: ServerConnection) -> None:
        async with connect(url) as node:

            async def back() -> None:
                with suppress(ConnectionClosed):
                    async for message in node:
                        await client.send(message)

            answers = asyncio.create_task(back())
            async for message in client:
                request = json.loads(message)
                if refuses(request["params"]):
                    error = {"code": -32602, "message": "too many arguments"}
                    await client.send(json.dumps({"jsonrpc": "2.0", "id": request["id"], "error": error}))
                else:
                    await node.send(message)
            answers.cancel()

    async with serve(door, "127.0.0.1", 0) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_a_node_that_announces_only_hashes_is_asked_for_the_rest(chain: Chain) -> None:
    async with (
        node_that_refuses(chain.anvil.ws_url, lambda params: params[-1] is True) as url,
        hearing(chain, url) as mempool,
    ):
        sent = [await offer(chain, nonce, 50, data=f"0x{nonce:02x}") for nonce in range(5)]
        heard = await take(mempool, 5)
        assert [each.hash for each in heard if isinstance(each, PendingTransaction)] == sent
        assert [each.input for each in mempool.pending] == [bytes([nonce]) for nonce in range(5)]
        await chain.provider.call("evm_mine", [])
        assert reasons(await take(mempool, 5)) == [Reason.PENDING_INCLUDED] * 5


async def test_a_node_that_announces_no_transactions_is_refused_with_a_word(chain: Chain) -> None:
    def pending(params: list[Any]) -> bool:
        return params[0] == "newPendingTransactions"

    async with node_that_refuses(chain.anvil.ws_url, pending) as url:
        with pytest.raises(FeedError, match="announces no pending transactions"):
            async with hearing(chain, url):
                raise AssertionError("it must not come so far")


async def test_a_node_that_dies_and_comes_back_is_heard_again(chain: Chain) -> None:
    async with hearing(chain) as mempool:
        await chain.anvil.save()
        chain.anvil.stop()
        await chain.anvil.launch()
        await until(lambda: mempool.counters.reconnects == 1)
        sent = await offer(chain, 0, 50)
        (heard,) = await take(mempool, 1)
        assert isinstance(heard, PendingTransaction)
        assert heard.hash == sent


async def test_a_node_that_stays_away_is_an_error_in_the_end(chain: Chain) -> None:
    async with hearing(chain, give_up_seconds=0.2) as mempool:
        chain.anvil.stop()
        with pytest.raises(FeedError, match="has not answered"):
            await take(mempool, 1)


async def test_a_closed_mempool_says_so(chain: Chain) -> None:
    mempool = Mempool(chain.anvil.ws_url, chain.provider, ETHEREUM, ManualClock())
    with pytest.raises(FeedError, match="not open"):
        await take(mempool, 1)
    with pytest.raises(FeedError, match="not open"):
        await mempool.listening()


# --- the set


def transaction(sender: int, nonce: int, price: int, at: int) -> PendingTransaction:
    digest = f"{sender}/{nonce}/{price}/{at}".encode()
    return PendingTransaction(digest, f"0x{sender}", "0xto", nonce, 0, b"", 21_000, price, 1, at)


STEPS = st.lists(
    st.tuples(st.booleans(), st.integers(0, 3), st.integers(0, 4), st.integers(1, 30)),
    max_size=60,
)


@given(steps=STEPS, capacity=st.integers(1, 6))
def test_whatever_comes_the_set_is_bounded_and_every_departure_is_counted(
    steps: list[tuple[bool, int, int, int]], capacity: int
) -> None:
    waiting, told, taken = PendingSet(capacity, 20e-9), Counter[Reason](), 0
    for at, (heard, sender, nonce, price) in enumerate(steps):
        new = transaction(sender, nonce, price, at)
        if heard:
            taken += 1
            dropped = waiting.add(new)
            assert all(at - each.known_at_ns <= 20 for each in waiting)
        else:
            dropped = waiting.include([Slot(new.sender, nonce, new.hash)])
            assert all(each.nonce > nonce for each in waiting if each.sender == new.sender)
        told.update(each.why.reason for each in dropped)
        slots = {(each.sender, each.nonce) for each in waiting}
        assert len(slots) == len(waiting) <= capacity
    assert told == waiting.dropped
    assert taken == len(waiting) + told.total()


def test_a_nonce_that_another_transaction_used_in_a_block_is_lost() -> None:
    waiting = PendingSet(10, 60.0)
    waiting.add(transaction(1, 3, 5, 0))
    waiting.add(transaction(1, 4, 5, 0))
    waiting.add(transaction(1, 6, 5, 0))
    dropped = waiting.include([Slot("0x1", 4, b"unheard")])
    assert [each.why.reason for each in dropped] == [Reason.PENDING_REPLACED] * 2
    assert [each.nonce for each in waiting] == [6]


def test_a_transaction_with_one_gas_price_offers_it_as_both_fees() -> None:
    fields = {
        "hash": "0x01",
        "from": "0xAB",
        "to": None,
        "nonce": "0x2",
        "value": "0x0",
        "input": "0x",
        "gas": "0x5208",
        "gasPrice": "0x9",
    }
    read = transaction_from_json(fields, 5)
    assert (read.max_fee_per_gas, read.max_priority_fee_per_gas) == (9, 9)
    assert (read.sender, read.to) == ("0xab", None)


@pytest.mark.parametrize("damage", [{"hash": None}, {"gas": "many"}, {"input": "0x1"}, {"gasPrice": None}])
def test_a_transaction_that_cannot_be_read_is_an_error_of_the_node(damage: dict[str, Any]) -> None:
    fields = {"hash": "0x01", "from": "0xa", "nonce": "0x0", "value": "0x0", "input": "0x", "gas": "0x1"}
    with pytest.raises(RpcError, match="cannot be read"):
        transaction_from_json(fields | {"gasPrice": "0x1"} | damage, 0)
