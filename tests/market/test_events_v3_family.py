"""Logs of the V3 family: decoded from real receipts, and refused if malformed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from chain.blocks import RawLog
from chain.devnet.calldata import encode_call
from chain.devnet.protocols import must_send
from chain.devnet.receipts import Receipt
from core.errors import TapeError
from market import events_v3_family as events
from market.events import V3Burn, V3Initialize, V3Mint, V3Swap, decode
from market.events_v3_family import decode_v3_family
from market.pools.algebra_fee import FeeConfiguration
from market.pools.uniswap_v4 import NATIVE, pool_id_of
from market.pools.v3_math import Q96
from tests.conformance.stages.algebra import CONFIGURATION, AlgebraStage
from tests.conformance.stages.concentrated import OWNER, PROVIDER, RECIPIENT, ConcentratedStage
from tests.conformance.stages.pancake_v3 import PancakeV3Stage
from tests.conformance.stages.uniswap_v4 import KEY, TRADER, UniswapV4Stage, key_of

POOL = "0x" + "aa" * 20
WORD = bytes(31) + b"\x01"


def logs_of(receipt: Receipt) -> list[RawLog]:
    assert receipt.ok
    return [
        RawLog(receipt.block_number, index, 0, bytes(32), log.address, log.topics, log.data)
        for index, log in enumerate(receipt.logs)
    ]


def both(logs: Iterable[RawLog]) -> list[object]:
    """Return the events that either decoder knows; no log is known to both."""
    found = [(decode(log), decode_v3_family(log)) for log in logs]
    assert not any(first and second for first, second in found)
    return [first or second for first, second in found if first or second]


def sell(stage: ConcentratedStage, pool: str, falls: bool, amount: int) -> list[object]:
    data = encode_call("sell(address,bool,int256,address)", pool, falls, amount, RECIPIENT)
    return both(logs_of(stage.backend.send(OWNER, stage.trader, data)))


@pytest.mark.parametrize(
    ("topic", "signature"),
    [
        (events.PANCAKE_V3_SWAP, "Swap(address,address,int256,int256,uint160,uint128,int24,uint128,uint128)"),
        (events.ALGEBRA_FEE, "Fee(uint16)"),
        (events.ALGEBRA_FEE_CONFIGURATION, f"FeeConfiguration(({CONFIGURATION}))"),
        (events.V4_INITIALIZE, "Initialize(bytes32,address,address,uint24,int24,address,uint160,int24)"),
        (events.V4_SWAP, "Swap(bytes32,address,int128,int128,uint160,uint128,int24,uint24)"),
        (events.V4_MODIFY_LIQUIDITY, "ModifyLiquidity(bytes32,address,int24,int24,int256,bytes32)"),
        (events.V4_PROTOCOL_FEE, "ProtocolFeeUpdated(bytes32,uint24)"),
    ],
)
def test_topics_are_the_hashes_of_their_signatures(topic: bytes, signature: str) -> None:
    assert topic == keccak(text=signature)


@pytest.mark.parametrize("falls", [True, False])
def test_pancakes_swap_tells_state_amounts_and_what_the_protocol_took(falls: bool) -> None:
    stage = PancakeV3Stage()
    pool_id = stage.pool_ids()[0]
    take_a_quarter = encode_call("setFeeProtocol(uint32,uint32)", 2_500, 2_500)
    must_send(stage.backend, OWNER, pool_id, take_a_quarter)
    pool = stage.load(pool_id)
    swap = pool.swap(*(pool.tokens if falls else pool.tokens[::-1]), 10**17)
    (event,) = sell(stage, pool_id, falls, 10**17)
    assert isinstance(event, events.PancakeV3Swap)
    paid, got = (event.amount0, event.amount1) if falls else (event.amount1, event.amount0)
    assert (paid, got) == (10**17, -swap.amount_out)
    after = stage.load(pool_id)
    assert (event.sqrt_price_x96, event.liquidity, event.tick) == (
        after.sqrt_price_x96,  # type: ignore[attr-defined]
        after.liquidity,  # type: ignore[attr-defined]
        after.tick,  # type: ignore[attr-defined]
    )
    taken, nothing = sorted((event.protocol_fee0, event.protocol_fee1), reverse=True)
    assert nothing == 0
    assert taken == pytest.approx(10**17 * pool.spec.fee / 10**6 / 4, rel=1e-6)
    assert (event.protocol_fee0 > 0) == falls


def test_pancakes_positions_are_uniswaps() -> None:
    stage = PancakeV3Stage()
    pool_id = stage.pool_ids()[0]
    add = encode_call(
        "mintUniswap(address,address,int24,int24,uint128)", pool_id, PROVIDER, 75_000, 77_000, 9
    )
    (mint,) = both(logs_of(stage.backend.send(OWNER, stage.trader, add)))
    assert isinstance(mint, V3Mint)
    assert (mint.lower, mint.upper, mint.amount) == (75_000, 77_000, 9)
    take = encode_call("burn(int24,int24,uint128)", 75_000, 77_000, 9)
    (burn,) = both(logs_of(stage.backend.send(PROVIDER, pool_id, take)))
    assert isinstance(burn, V3Burn)
    assert (burn.lower, burn.upper, burn.amount) == (75_000, 77_000, 9)


def test_algebra_tells_a_new_fee_before_the_first_swap_of_a_block_only() -> None:
    stage = AlgebraStage()
    pool_id = stage.pool_ids()[0]
    stage.clock.turn_to(stage.clock.timestamp + 3_600)
    fee, swap = sell(stage, pool_id, True, 10**17)
    assert isinstance(fee, events.AlgebraFee)
    assert isinstance(swap, V3Swap)
    assert fee.fee == stage.read(stage.placed[pool_id]).fee
    (swap,) = sell(stage, pool_id, False, 10**17)
    assert isinstance(swap, V3Swap)


def test_algebras_coefficients_are_told_by_the_operator() -> None:
    stage = AlgebraStage()
    (operator,) = stage.view(stage.pool_ids()[0], "address", "dataStorageOperator()")
    coefficients = (10, 20, 30, 40, 50, 60, 70, 80, 90)
    change = encode_call(f"changeFeeConfiguration(({CONFIGURATION}))", coefficients)
    (event,) = both(logs_of(stage.backend.send(OWNER, operator, change)))
    assert isinstance(event, events.AlgebraFeeConfiguration)
    assert event.configuration == FeeConfiguration(*coefficients)
    assert event.pool_id == operator


def test_uniswap_v4_tells_key_price_positions_and_swaps() -> None:
    stage = UniswapV4Stage()
    token = stage.two_tokens()[1]
    spec = dataclasses.replace(
        stage.load(stage.pool_ids()[0]).spec, tokens=(NATIVE, token), tick_spacing=7, fee=123
    )
    spec = dataclasses.replace(spec, pool_id=pool_id_of(spec))
    initialize = encode_call(f"initialize({KEY},uint160)", key_of(spec), Q96 + 5)
    (made,) = both(logs_of(stage.backend.send(OWNER, stage.manager, initialize)))
    assert isinstance(made, events.V4Initialize)
    assert (made.pool_id, made.address) == (spec.pool_id, stage.manager)
    assert (made.currency0, made.currency1) == spec.tokens
    assert (made.fee, made.tick_spacing, made.hooks) == (123, 7, NATIVE)
    assert (made.sqrt_price_x96, made.tick) == (Q96 + 5, 0)
    for amount in (10**18, -(10**17)):
        signature = f"modifyLiquidity({KEY},(int24,int24,int256,bytes32),bytes)"
        data = encode_call(signature, key_of(spec), (-700, 700, amount, bytes(32)), b"")
        (changed,) = both(logs_of(stage.backend.send(OWNER, stage.positions, data, 10**18)))
        assert isinstance(changed, events.V4ModifyLiquidity)
        assert (changed.pool_id, changed.lower, changed.upper) == (spec.pool_id, -700, 700)
        assert changed.amount == amount
    protocol = encode_call(f"setProtocolFee({KEY},uint24)", key_of(spec), 1_000 | 77 << 12)
    (set_fee,) = both(logs_of(stage.backend.send(OWNER, stage.manager, protocol)))
    assert isinstance(set_fee, events.V4ProtocolFee)
    assert set_fee.protocol_fee == 1_000 | 77 << 12
    limits = f"swap({KEY},(bool,int256,uint160),(bool,bool),bytes)"
    data = encode_call(limits, key_of(spec), (True, -(10**15), Q96 // 2), (False, False), b"")
    (swap,) = both(logs_of(stage.backend.send(TRADER, stage.swaps, data, 10**15)))
    assert isinstance(swap, events.V4Swap)
    assert swap.amount0 == 10**15
    assert -(10**15) < swap.amount1 < 0
    assert (swap.fee, swap.liquidity) == (1_000 + 123, 9 * 10**17)


def test_logs_of_other_kinds_are_none_of_ours() -> None:
    transfer = keccak(text="Transfer(address,address,uint256)")
    initialize = keccak(text="Initialize(uint160,int24)")
    data = encode(["uint160", "int24"], [Q96, 0])
    assert decode_v3_family(RawLog(7, 3, 1, bytes(32), POOL, (transfer, WORD, WORD), WORD)) is None
    assert decode_v3_family(RawLog(7, 3, 1, bytes(32), POOL, (), b"")) is None
    log = RawLog(7, 3, 1, bytes(32), POOL, (initialize,), data)
    assert decode_v3_family(log) is None
    assert isinstance(decode(log), V3Initialize)


@pytest.mark.parametrize(
    ("topics", "types", "values", "why"),
    [
        ((events.ALGEBRA_FEE, WORD), ["uint16"], [5], "topics"),
        ((events.ALGEBRA_FEE,), ["uint256"], [2**16], "16 bits"),
        ((events.ALGEBRA_FEE,), ["uint16", "uint16"], [5, 5], "expected 1 words"),
        ((events.V4_PROTOCOL_FEE, WORD), ["uint256"], [2**24], "24 bits"),
        (
            (events.V4_MODIFY_LIQUIDITY, WORD, WORD),
            ["int24", "int24", "int256", "bytes32"],
            [5, 5, 1, WORD],
            "below",
        ),
        (
            (events.V4_MODIFY_LIQUIDITY, WORD, WORD),
            ["int24", "int24", "int256", "bytes32"],
            [-5, 5, 2**127, WORD],
            "128 bits",
        ),
        (
            (events.V4_SWAP, WORD, WORD),
            ["int256", "int256", "uint160", "uint128", "int24", "uint24"],
            [-(2**127) - 1, 1, Q96, 1, 0, 5],
            "128 bits",
        ),
        (
            (events.V4_INITIALIZE, WORD, WORD, WORD),
            ["uint24", "int24", "address", "uint160", "int24"],
            [5, 0, POOL, Q96, 0],
            "not positive",
        ),
        (
            (events.V4_INITIALIZE, WORD, b"\xff" * 32, WORD),
            ["uint24", "int24", "address", "uint160", "int24"],
            [5, 1, POOL, Q96, 0],
            "not an address",
        ),
        (
            (events.PANCAKE_V3_SWAP, WORD, WORD),
            ["int256", "int256", "uint160", "uint128", "int24", "uint128", "uint256"],
            [1, -1, Q96, 1, 0, 5, 2**128],
            "128 bits",
        ),
    ],
)
def test_malformed_logs_are_errors_that_name_the_position(
    topics: tuple[bytes, ...], types: list[str], values: list[object], why: str
) -> None:
    with pytest.raises(TapeError, match=why) as error:
        decode_v3_family(RawLog(7, 3, 1, bytes(32), POOL, topics, encode(types, values)))
    assert (error.value.fields["block"], error.value.fields["log_index"]) == (7, 3)
