"""Logs of Curve's pools: topics of every number of coins, real receipts, and what does not fit."""

from __future__ import annotations

import dataclasses

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from chain.blocks import RawLog
from core.errors import TapeError
from market import events_curve as events
from market.events_curve import decode_curve
from market.pools.amplification import Amplification
from market.pools.curve_stable import CurveStablePool
from tests.conformance.stages.curve_stable import CurveStableStage

POOL = "0x" + "aa" * 20
PROVIDER = bytes(32)
AT = (POOL, POOL, 7, 3, 0)


def log_of(signature: str, *values: object, indexed: int = 1) -> RawLog:
    """A log with its first argument indexed, or none."""
    types = signature[signature.index("(") + 1 : -1].split(",")[indexed:]
    topics = (keccak(text=signature), *[PROVIDER] * indexed)
    return RawLog(7, 3, 0, bytes(32), POOL, topics, encode(types, values))


@pytest.mark.parametrize("count", range(2, 9))
def test_liquidity_of_any_number_of_coins(count: int) -> None:
    amounts, fees = tuple(range(10, 10 + count)), tuple(range(count))
    arrays = f"address,uint256[{count}],uint256[{count}]"
    added = events.CurveLiquidity(*AT, amounts, fees)
    taken = events.CurveLiquidity(*AT, tuple(-amount for amount in amounts), fees)
    assert decode_curve(log_of(f"AddLiquidity({arrays},uint256,uint256)", amounts, fees, 5, 6)) == added
    assert decode_curve(log_of(f"RemoveLiquidity({arrays},uint256)", amounts, fees, 6)) == taken
    name = f"RemoveLiquidityImbalance({arrays},uint256,uint256)"
    assert decode_curve(log_of(name, amounts, fees, 5, 6)) == taken


def test_liquidity_of_the_newest_generation() -> None:
    arrays = "address,uint256[],uint256[]"
    added = events.CurveLiquidity(*AT, (1, 2, 3), (4, 5, 6))
    assert (
        decode_curve(log_of(f"AddLiquidity({arrays},uint256,uint256)", [1, 2, 3], [4, 5, 6], 7, 8)) == added
    )
    taken = events.CurveLiquidity(*AT, (-1, -2), (0, 0))
    assert decode_curve(log_of(f"RemoveLiquidity({arrays},uint256)", [1, 2], [], 8)) == taken
    taken = events.CurveLiquidity(*AT, (-1, -2), (3, 4))
    name = f"RemoveLiquidityImbalance({arrays},uint256,uint256)"
    assert decode_curve(log_of(name, [1, 2], [3, 4], 7, 8)) == taken


def test_a_change_that_the_log_leaves_open_is_said_to_be_one() -> None:
    unstated = events.CurveUnstated(*AT)
    for signature, values in (
        ("RemoveLiquidityOne(address,uint256,uint256)", (1, 2)),
        ("RemoveLiquidityOne(address,uint256,uint256,uint256)", (1, 2, 3)),
        ("RemoveLiquidityOne(address,int128,uint256,uint256,uint256)", (1, 2, 3, 4)),
        ("TokenExchangeUnderlying(address,int128,uint256,int128,uint256)", (0, 2, 1, 4)),
    ):
        assert decode_curve(log_of(signature, *values)) == unstated


def test_fees_and_a() -> None:
    for signature, values, fees in (
        ("NewFee(uint256,uint256)", (4_000_000, 5 * 10**9), (4_000_000, 5 * 10**9, None)),
        ("ApplyNewFee(uint256)", (1_000_000,), (1_000_000, None, None)),
        ("ApplyNewFee(uint256,uint256)", (1_000_000, 2 * 10**10), (1_000_000, None, 2 * 10**10)),
    ):
        assert decode_curve(log_of(signature, *values, indexed=0)) == events.CurveFees(*AT, *fees)
    ramp = decode_curve(log_of("RampA(uint256,uint256,uint256,uint256)", 100, 200, 1_000, 2_000, indexed=0))
    assert ramp == events.CurveRamp(*AT, Amplification(100, 200, 1_000, 2_000))
    stopped = decode_curve(log_of("StopRampA(uint256,uint256)", 150, 1_500, indexed=0))
    assert stopped == events.CurveRamp(*AT, Amplification.constant(150))


def test_a_trade_of_a_real_receipt_is_the_pools_own() -> None:
    stage = CurveStableStage()
    pool_id = stage.pool_ids()[0]
    pool = stage.load(pool_id)
    assert isinstance(pool, CurveStablePool)
    receipt = stage._exchange(pool_id, pool.tokens[1], pool.tokens[2], 10**9, 0)
    logs = [log for log in receipt.logs if log.address == pool_id]
    (event,) = (
        decode_curve(RawLog(receipt.block_number, index, 0, bytes(32), log.address, log.topics, log.data))
        for index, log in enumerate(logs)
    )
    swap = pool.swap(pool.tokens[1], pool.tokens[2], 10**9)
    assert isinstance(event, events.CurveExchange)
    assert (event.sold, event.bought, event.amount_in, event.amount_out) == (1, 2, 10**9, swap.amount_out)
    assert stage.load(pool_id) == swap.pool


@pytest.mark.parametrize(
    "log",
    [
        log_of("TokenExchange(address,int128,uint256,int128,uint256)", 1, 5, 1, 5),
        log_of("TokenExchange(address,int128,uint256,int128,uint256)", 0, 5, 8, 5),
        log_of("TokenExchange(address,int128,uint256,int128,uint256)", -1, 5, 1, 5),
        log_of("AddLiquidity(address,uint256[],uint256[],uint256,uint256)", [1, 2], [3], 5, 6),
        log_of("AddLiquidity(address,uint256[],uint256[],uint256,uint256)", [1] * 9, [3] * 9, 5, 6),
        log_of("ApplyNewFee(uint256)", 10**10 + 1, indexed=0),
        log_of("NewFee(uint256,uint256)", 0, 10**10 + 1, indexed=0),
        log_of("RampA(uint256,uint256,uint256,uint256)", 0, 200, 1_000, 2_000, indexed=0),
        log_of("RampA(uint256,uint256,uint256,uint256)", 100, 200, 3_000, 2_000, indexed=0),
        log_of("StopRampA(uint256,uint256)", 0, 1_500, indexed=0),
    ],
)
def test_a_log_that_does_not_fit_its_kind_is_an_error(log: RawLog) -> None:
    with pytest.raises(TapeError, match="malformed"):
        decode_curve(log)


def test_a_log_cut_short_is_an_error_and_one_of_another_kind_is_nothing() -> None:
    for signature, values in (
        ("AddLiquidity(address,uint256[2],uint256[2],uint256,uint256)", ((1, 2), (3, 4), 5, 6)),
        ("AddLiquidity(address,uint256[],uint256[],uint256,uint256)", ([1, 2], [3, 4], 5, 6)),
        ("RemoveLiquidityOne(address,uint256,uint256)", (1, 2)),
    ):
        log = log_of(signature, *values)
        for data in (log.data[:-32], log.data[:32], b""):
            with pytest.raises(TapeError, match="malformed"):
                decode_curve(dataclasses.replace(log, data=data))
    assert decode_curve(log_of("Transfer(address,uint256)", 5)) is None
