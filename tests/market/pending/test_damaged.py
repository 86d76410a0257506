"""Calldata is written by strangers: whatever it holds, the answer is steps or a reason, and soon."""

from __future__ import annotations

import time

from eth_abi.abi import encode
from hypothesis import given, settings
from hypothesis import strategies as st

from core.reasons import Refusal
from market.pending.decode import decode_pending
from market.pending.effects import Prediction, predict
from market.pending.targets import RouterKind
from tests.market.pending import test_effects, test_routers
from tests.market.pending.routes import (
    DAI,
    FRIEND,
    LATER,
    ROUTERS,
    TARGETS,
    UNIVERSAL,
    USDC,
    WETH,
    call,
    market,
    pair,
    sent,
    v3_pool,
)

MARKET = market()
PLACES = [*TARGETS.routers, *TARGETS.pools]
GOOD = [transaction for transaction, _ in test_effects.PLANS.values()] + [
    sent(
        ROUTERS[RouterKind.V2_ROUTER].address,
        call("38ed1739", test_routers.TWO, 7, 5, [WETH, USDC], FRIEND, LATER),
    ),
    sent(
        ROUTERS[RouterKind.VAULT].address,
        call(
            "945bcec9",
            test_routers.BATCH,
            0,
            [(b"\x05" * 32, 0, 1, 7, b""), (b"\x06" * 32, 1, 0, 0, b"")],
            [WETH, DAI],
            test_routers.FUNDS,
            [7, -5],
            LATER,
        ),
    ),
    sent(pair(WETH, USDC), call("022c0d9f", "uint256,uint256,address,bytes", 0, 7, FRIEND, b"")),
    sent(
        v3_pool(WETH, USDC, 500),
        call("128acb08", "address,bool,int256,uint160,bytes", FRIEND, True, -7, 3, b""),
    ),
]
SELECTORS = sorted({transaction.input[:4] for transaction in GOOD})


def answered(to: str, data: bytes, value: int = 0) -> None:
    steps = decode_pending(sent(to, data, value), TARGETS)
    if not isinstance(steps, Refusal):
        assert isinstance(predict(steps, MARKET, 0), Prediction | Refusal)


@settings(max_examples=150)
@given(st.sampled_from(PLACES), st.sampled_from(SELECTORS), st.binary(max_size=600))
def test_random_arguments_give_steps_or_a_reason(to: str, selector: bytes, arguments: bytes) -> None:
    answered(to, selector + arguments)
    answered(to, arguments)


@settings(max_examples=250)
@given(
    st.sampled_from(GOOD),
    st.lists(
        st.tuples(st.integers(0, 4_000), st.one_of(st.integers(0, 255), st.just(0xFF))),
        min_size=1,
        max_size=6,
    ),
    st.integers(0, 4_000),
)
def test_good_calldata_with_damage_gives_steps_or_a_reason(
    transaction: object, damage: list[tuple[int, int]], length: int
) -> None:
    good = transaction.input  # type: ignore[attr-defined]
    data = bytearray(good)
    for place, byte in damage:
        data[place % len(data)] = byte
    to, value = transaction.to, transaction.value  # type: ignore[attr-defined]
    answered(to, bytes(data), value)
    answered(to, good[: length % (len(good) + 1)], value)


def test_calls_that_point_at_the_same_bytes_again_and_again_are_refused_at_once() -> None:
    many, shared = 1_500, bytes(60_000)
    array = many.to_bytes(32, "big") + (32 * many).to_bytes(32, "big") * many
    array += len(shared).to_bytes(32, "big") + shared
    multicall = bytes.fromhex("ac9650d8") + (32).to_bytes(32, "big") + array
    commands = encode(["bytes"], [bytes(many)])[32:]
    heads = (64).to_bytes(32, "big") + (64 + len(commands)).to_bytes(32, "big")
    execute = bytes.fromhex("24856bc3") + heads + commands + array
    for to, data in ((ROUTERS[RouterKind.V3_ROUTER].address, multicall), (UNIVERSAL.address, execute)):
        assert len(data) < 2**17
        started = time.process_time()
        assert isinstance(decode_pending(sent(to, data), TARGETS), Refusal)
        assert time.process_time() - started < 5.0
