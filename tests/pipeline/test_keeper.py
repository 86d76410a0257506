"""The keeper on a real node: every class of difference is found, named, and healed only in the open."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from chain.blocks import Block
from chain.devnet.flow import swap_v2
from chain.follower import ChainFollower
from chain.providers import Provider
from core.errors import RpcError
from core.reasons import Reason
from core.seams import SystemClock
from market.events import PAIR_SYNC
from market.life import PoolLife
from market.state import JOURNAL_DEPTH
from pipeline.bootstrap import load_market
from pipeline.keeper import Checked, MarketKeeper
from tests.devnet_fixtures import Devnet
from tests.pyrevm_node import specs_of, tokens_of

RESERVES_SLOT = 8
"""Where a V2 pair keeps its two reserves."""


@dataclass
class Kept:
    """A market that is kept, the chain below it, and the pair that tests trade and break."""

    devnet: Devnet
    node: Provider
    keeper: MarketKeeper
    follower: ChainFollower
    pair: str

    def trade(self) -> None:
        call = swap_v2(self.devnet.world.flow_trader, self.pair, True, 10**9)
        sender = self.devnet.world.accounts["trader-0"].address
        assert self.devnet.backend.send(sender, call.to, call.data).ok

    async def heard(self) -> list[Block]:
        head = await self.follower.latest()
        return [block async for block in self.follower.advance(head)]

    async def follow(self) -> None:
        for block in await self.heard():
            self.keeper.apply(block)

    async def corrupt_storage(self) -> None:
        packed = self.devnet.backend.get_storage(self.pair, RESERVES_SLOT)
        word = "0x" + (packed + 1).to_bytes(32, "big").hex()
        await self.node.call("anvil_setStorageAt", [self.pair, hex(RESERVES_SLOT), word])

    async def found_again(self) -> list[Checked]:
        """Mine until the pair is traded again, and return what the checks found on the way."""
        found: list[Checked] = []
        while self.pair in self.keeper.state.suspended:
            await self.node.call("evm_mine", [])
            await self.follow()
            found.append(await self.keeper.check())
            assert len(found) < 10
        return found

    @property
    def life(self) -> PoolLife:
        return self.keeper.roster.standing(self.pair).life


@pytest.fixture
async def kept(devnet: Devnet) -> AsyncIterator[Kept]:
    async with Provider(devnet.anvil.http_url) as node:
        specs = specs_of(devnet.world)
        state = await load_market(node, specs, tokens_of(devnet.world))
        addresses = [spec.address for spec in specs]
        follower = ChainFollower(node, addresses, SystemClock(), after=state.head)
        pair = next(spec.pool_id for spec in specs if spec.family == "uniswap_v2")
        keeper = MarketKeeper(state, node, sample=len(specs))
        yield Kept(devnet, node, keeper, follower, pair)


async def test_a_market_that_is_right_is_found_right(kept: Kept) -> None:
    for _ in range(3):
        kept.trade()
        await kept.follow()
        found = await kept.keeper.check()
        assert found == Checked(compared=len(kept.keeper.state.pools))
    assert kept.keeper.counts == {}
    assert kept.life is PoolLife.LIVE


async def test_a_log_that_was_never_applied_is_a_missed_log(kept: Kept) -> None:
    kept.trade()
    (block,) = await kept.heard()
    kept.keeper.apply(replace(block, logs=()))
    found = await kept.keeper.check()
    ((pool_id, refusal),) = found.diverged
    assert (pool_id, refusal.reason) == (kept.pair, Reason.MISSED_LOG)
    assert "reserve0 is" in refusal.detail
    assert kept.life is PoolLife.DIVERGENT
    assert kept.pair in kept.keeper.state.frozen


async def test_a_log_that_came_after_its_block_is_a_late_delivery(kept: Kept) -> None:
    kept.trade()
    (block,) = await kept.heard()
    kept.keeper.apply(replace(block, logs=()))
    for log in block.logs:
        kept.keeper.heard_late(log)
    found = await kept.keeper.check()
    assert [refusal.reason for _, refusal in found.diverged] == [Reason.LATE_DELIVERY]


async def test_a_log_that_the_chain_does_not_have_is_an_unhandled_reorg(kept: Kept) -> None:
    kept.trade()
    (orphan,) = await kept.heard()
    await kept.node.call("anvil_reorg", [1, []])
    (block,) = await kept.heard()
    logs = tuple(replace(log, block_number=block.number) for log in orphan.logs)
    kept.keeper.apply(replace(block, logs=logs))
    found = await kept.keeper.check()
    assert [refusal.reason for _, refusal in found.diverged] == [Reason.UNHANDLED_REORG]


async def test_storage_that_changes_without_a_log_is_named(kept: Kept) -> None:
    await kept.corrupt_storage()
    await kept.node.call("evm_mine", [])
    await kept.follow()
    found = await kept.keeper.check()
    assert [refusal.reason for _, refusal in found.diverged] == [Reason.CHANGED_WITHOUT_EVENT]


async def test_an_event_that_contradicts_a_pool_suspends_it_and_the_block_goes_on(kept: Kept) -> None:
    kept.trade()
    (block,) = await kept.heard()
    burn = bytes.fromhex("0c396cd989a39f4459b5fa1aed6a9a8dcdbc45908acfd67e028cd568da98982c")
    strange = replace(
        block.logs[-1],
        log_index=block.logs[-1].log_index + 1,
        address=kept.pair,
        topics=(burn, bytes(32), bytes(32), (60).to_bytes(32, "big")),
        data=bytes(96),
    )
    applied = kept.keeper.apply(replace(block, logs=(*block.logs, strange)))
    assert kept.keeper.counts == {Reason.EVENT_CONTRADICTS_STATE: 1}
    assert applied.passed_over
    assert kept.keeper.state.head == block.header
    assert kept.life is PoolLife.DIVERGENT


async def test_a_pool_comes_back_only_after_it_was_read_and_then_found_right(kept: Kept) -> None:
    kept.trade()
    (block,) = await kept.heard()
    kept.keeper.apply(replace(block, logs=()))
    await kept.keeper.check()
    found = await kept.found_again()
    assert [each.readmitted for each in found] == [(), (kept.pair,)]
    lives = [standing.life for standing in kept.keeper.roster.history(kept.pair)]
    assert lives[-4:] == [PoolLife.DIVERGENT, PoolLife.QUARANTINED, PoolLife.VERIFIED, PoolLife.LIVE]
    truth = await load_market(kept.node, specs_of(kept.devnet.world), kept.keeper.state.tokens)
    assert dict(truth.pools) == dict(kept.keeper.state.pools)


async def test_a_pool_that_fails_again_and_again_waits_longer_each_time(kept: Kept) -> None:
    waited = []
    for _ in range(3):
        await kept.corrupt_storage()
        await kept.node.call("evm_mine", [])
        await kept.follow()
        assert (await kept.keeper.check()).diverged
        waited.append(len(await kept.found_again()))
    assert waited == [2, 3, 5]


async def test_a_head_that_the_node_has_replaced_is_no_reason_to_judge_anybody(kept: Kept) -> None:
    kept.trade()
    await kept.follow()
    await kept.node.call("anvil_reorg", [1, []])
    with pytest.raises(RpcError):
        await kept.keeper.check()
    assert not kept.keeper.state.suspended
    assert kept.keeper.counts == {}


async def test_a_rollback_takes_back_proofs_of_orphaned_blocks(kept: Kept) -> None:
    kept.trade()
    (block,) = await kept.heard()
    kept.keeper.apply(replace(block, logs=()))
    await kept.keeper.check()
    await kept.found_again()
    kept.keeper.state.rollback(block.number)
    kept.keeper.rolled_back(block.number)
    assert kept.life is PoolLife.QUARANTINED
    assert kept.pair in kept.keeper.state.frozen


class Refusing(Provider):
    """A node that refuses some requests, as busy ones do."""

    refuses: Callable[[str, Sequence[Any]], bool] = staticmethod(lambda method, parameters: False)

    async def attempt(self, requests: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        answers = await super().attempt(requests)
        refusal = RpcError("limit exceeded", method="any", code=-32005, message="limit exceeded", data=None)
        return [
            refusal if self.refuses(*request) else answer
            for request, answer in zip(requests, answers, strict=True)
        ]


@pytest.fixture
async def refusing(kept: Kept) -> AsyncIterator[Refusing]:
    async with Refusing(kept.devnet.anvil.http_url) as node:
        kept.keeper = MarketKeeper(kept.keeper.state, node, sample=99)
        yield node


async def test_a_pool_that_differs_is_suspended_even_if_nobody_can_say_why(
    kept: Kept, refusing: Refusing
) -> None:
    kept.trade()
    (block,) = await kept.heard()
    kept.keeper.apply(replace(block, logs=()))
    refusing.refuses = lambda method, _: method == "eth_getLogs"
    found = await kept.keeper.check()
    assert [refusal.reason for _, refusal in found.diverged] == [Reason.STATE_DIFFERS]
    assert kept.pair in kept.keeper.state.frozen


async def test_one_pool_that_cannot_be_read_does_not_blind_us_for_the_others(
    kept: Kept, refusing: Refusing
) -> None:
    await kept.corrupt_storage()
    await kept.node.call("evm_mine", [])
    await kept.follow()
    stranger = next(pool_id for pool_id in kept.keeper.state.pools if pool_id not in (kept.pair,))
    address = kept.keeper.state.pools[stranger].address
    refusing.refuses = lambda method, asked: method == "eth_call" and asked[0]["to"] == address
    found = dict((await kept.keeper.check()).diverged)
    assert found[kept.pair].reason is Reason.CHANGED_WITHOUT_EVENT
    assert found[stranger].reason is Reason.POOL_UNREADABLE


async def test_a_malformed_log_of_a_pool_suspends_it_and_the_block_goes_on(kept: Kept) -> None:
    kept.trade()
    (block,) = await kept.heard()
    (sync,) = (log for log in block.logs if log.topics[0] == PAIR_SYNC)
    spoilt = tuple(replace(log, data=b"\x01") if log is sync else log for log in block.logs)
    kept.keeper.apply(replace(block, logs=spoilt))
    assert kept.keeper.counts == {Reason.CORRUPT_LOG: 1}
    assert kept.keeper.state.head == block.header
    kept.trade()
    (block,) = await kept.heard()
    kept.keeper.apply(replace(block, logs=(replace(block.logs[0], address=kept.pair, topics=(PAIR_SYNC,)),)))
    assert kept.keeper.counts == {Reason.CORRUPT_LOG: 1}
    assert (await kept.found_again())[-1].readmitted == (kept.pair,)


async def test_a_difference_that_is_older_than_our_memory_is_not_explained(kept: Kept) -> None:
    kept.trade()
    (block,) = await kept.heard()
    kept.keeper.apply(replace(block, logs=()))
    await kept.node.call("anvil_mine", [hex(JOURNAL_DEPTH + 1)])
    await kept.follow()
    ((_, refusal),) = (await kept.keeper.check()).diverged
    assert refusal.reason is Reason.STATE_DIFFERS
    assert "forgotten" in refusal.detail
