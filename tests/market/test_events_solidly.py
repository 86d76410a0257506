"""Logs of Solidly's pools and of pairs with two fees: decoded from receipts, and refused if malformed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from eth_utils.crypto import keccak

from chain.blocks import RawLog
from chain.devnet.backend import Receipt
from chain.devnet.calldata import encode_call
from core.errors import TapeError
from market import events_solidly as events
from market.events import PairSync, decode
from market.events_solidly import decode_solidly
from market.pools.pool import Swap
from market.pools.solidly import SolidlyPool
from tests.conformance.stages.pairs import OWNER, RECIPIENT, PairStage
from tests.conformance.stages.solidly import SolidlyStableStage
from tests.conformance.stages.uniswap_v2_forks import CamelotV2Stage

SELL = "sellQuoted(address,address,uint256,address)"


def logs_of(receipt: Receipt) -> list[RawLog]:
    assert receipt.ok
    return [
        RawLog(receipt.block_number, index, 0, bytes(32), log.address, log.topics, log.data)
        for index, log in enumerate(receipt.logs)
    ]


def send(stage: PairStage, to: str, signature: str, *arguments: object) -> list[RawLog]:
    return logs_of(stage.backend.send(OWNER, to, encode_call(signature, *arguments)))


@pytest.mark.parametrize(
    ("topic", "signature"),
    [
        (events.SOLIDLY_SYNC, "Sync(uint256,uint256)"),
        (events.SOLIDLY_SWAP, "Swap(address,address,uint256,uint256,uint256,uint256)"),
        (events.SET_CUSTOM_FEE, "SetCustomFee(address,uint256)"),
        (events.FEE_PERCENT_UPDATED, "FeePercentUpdated(uint16,uint16)"),
    ],
)
def test_topics_are_the_hashes_of_their_signatures(topic: bytes, signature: str) -> None:
    assert topic == keccak(text=signature)


def test_a_pool_is_followed_by_its_logs() -> None:
    stage = SolidlyStableStage()
    pool_id = stage.pool_ids()[1]
    pool = stage.load(pool_id)
    assert isinstance(pool, SolidlyPool)
    logs = send(stage, stage.trader, SELL, pool_id, pool.tokens[0], 10**9, RECIPIENT)
    sync, swap = (event for event in map(decode_solidly, logs) if event)
    ours: Swap = pool.swap(*pool.tokens, 10**9)
    assert isinstance(sync, events.SolidlySync)
    assert isinstance(swap, events.SolidlySwap)
    assert pool.after_sync(sync.reserve0, sync.reserve1) == ours.pool == stage.load(pool_id)
    assert swap.pool_id == pool_id
    flow = (swap.amount0_in, swap.amount1_in, swap.amount0_out, swap.amount1_out)
    assert flow == (10**9, 0, 0, ours.amount_out)
    assert not any(map(decode, (log for log in logs if decode_solidly(log))))


def test_a_custom_fee_names_its_pool_not_the_factory() -> None:
    stage = SolidlyStableStage()
    pool_id = stage.pool_ids()[0]
    factory = stage.factories[pool_id]
    (log,) = send(stage, factory, "setCustomFee(address,uint256)", pool_id, 420)
    event = decode_solidly(log)
    assert isinstance(event, events.SolidlyCustomFee)
    assert (event.pool_id, event.address, event.fee) == (pool_id, factory, 420)


def test_fees_by_token_are_those_of_the_pair() -> None:
    stage = CamelotV2Stage()
    pair = stage.pool_ids()[0]
    (log,) = send(stage, pair, "setFeePercent(uint16,uint16)", 40, 2_000)
    event = decode_solidly(log)
    assert isinstance(event, events.PairFees)
    assert (event.pool_id, event.fee0, event.fee1) == (pair, 40, 2_000)
    assert isinstance(decode(send(stage, pair, "sync()")[0]), PairSync)


def test_a_log_that_does_not_fit_its_kind_is_an_error() -> None:
    log = RawLog(7, 3, 0, bytes(32), "0x" + "aa" * 20, (events.SOLIDLY_SYNC,), bytes(64))
    assert decode_solidly(log) is not None
    broken = (
        replace(log, data=bytes(63)),
        replace(log, data=bytes(96)),
        replace(log, topics=(events.SOLIDLY_SYNC, bytes(32))),
        replace(log, topics=(events.SET_CUSTOM_FEE, b"\xff" * 32), data=bytes(32)),
        replace(log, topics=(events.FEE_PERCENT_UPDATED,), data=b"\xff" * 64),
    )
    for each in broken:
        with pytest.raises(TapeError, match="malformed"):
            decode_solidly(each)
    assert decode_solidly(replace(log, topics=(bytes(32),))) is None
    assert decode_solidly(replace(log, topics=())) is None
