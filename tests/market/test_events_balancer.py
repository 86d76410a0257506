"""Decoding of Balancer's logs: pools named, signs given, nonsense refused."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from chain.blocks import RawLog
from core.errors import TapeError
from market import events_balancer as events
from market.events_balancer import decode_balancer

CONTRACT = "0x" + "aa" * 20
POOL = bytes(12) + b"\xbb" * 20
TOKEN = bytes(12) + b"\xcc" * 20
IN_VAULT = ("0x" + "bb" * 20, CONTRACT, 7, 3, 1)
BY_POOL = (CONTRACT, CONTRACT, 7, 3, 1)
ARRAYS = ["uint256", "uint256[]", "uint256[]"]


def log(topics: list[bytes], *words: int, data: bytes = b"") -> RawLog:
    return RawLog(7, 3, 1, bytes(32), CONTRACT, tuple(topics), data or b"".join(map(word, words)))


def word(value: int) -> bytes:
    return value.to_bytes(32, "big")


@pytest.mark.parametrize(
    ("topic", "signature"),
    [
        (events.AMP_UPDATE_STARTED, "AmpUpdateStarted(uint256,uint256,uint256,uint256)"),
        (events.AMP_UPDATE_STOPPED, "AmpUpdateStopped(uint256)"),
        (events.V2_SWAP_FEE, "SwapFeePercentageChanged(uint256)"),
        (events.TOKEN_RATE_CACHE_UPDATED, "TokenRateCacheUpdated(uint256,uint256)"),
        (events.TOKEN_RATE_PROVIDER_SET, "TokenRateProviderSet(uint256,address,uint256)"),
        (events.V3_SWAP_FEE, "SwapFeePercentageChanged(address,uint256)"),
        (events.BALANCER_V3_SWAP, "Swap(address,address,address,uint256,uint256,uint256,uint256)"),
        (events.LIQUIDITY_ADDED, "LiquidityAdded(address,address,uint8,uint256,uint256[],uint256[])"),
        (events.LIQUIDITY_REMOVED, "LiquidityRemoved(address,address,uint8,uint256,uint256[],uint256[])"),
        (events.PROTOCOL_SWAP_FEE, "AggregateSwapFeePercentageChanged(address,uint256)"),
        (events.PROTOCOL_YIELD_FEE, "AggregateYieldFeePercentageChanged(address,uint256)"),
        (events.RECOVERY_MODE, "PoolRecoveryModeStateChanged(address,bool)"),
    ],
)
def test_topics_are_the_hashes_of_their_signatures(topic: bytes, signature: str) -> None:
    assert topic == keccak(text=signature)


@pytest.mark.parametrize(
    ("topics", "words", "event"),
    [
        ([events.AMP_UPDATE_STARTED], (1, 2, 3, 4), events.AmpUpdateStarted(*BY_POOL, 1, 2, 3, 4)),
        ([events.AMP_UPDATE_STOPPED], (5,), events.AmpUpdateStopped(*BY_POOL, 5)),
        ([events.V2_SWAP_FEE], (5,), events.SwapFeePercentageChanged(*BY_POOL, 5)),
        (
            [events.TOKEN_RATE_CACHE_UPDATED, word(2)],
            (5,),
            events.TokenRateCacheUpdated(*BY_POOL, 2, 5),
        ),
        (
            [events.TOKEN_RATE_PROVIDER_SET, word(2), TOKEN],
            (60,),
            events.TokenRateProviderSet(*BY_POOL, 2, "0x" + "cc" * 20, 60),
        ),
        ([events.V3_SWAP_FEE, POOL], (5,), events.SwapFeePercentageChanged(*IN_VAULT, 5)),
        (
            [events.BALANCER_V3_SWAP, POOL, TOKEN, POOL],
            (1, 2, 3, 4),
            events.BalancerV3Swap(*IN_VAULT, "0x" + "cc" * 20, "0x" + "bb" * 20, 1, 2, 3, 4),
        ),
        ([events.PROTOCOL_SWAP_FEE, POOL], (5,), events.ProtocolSwapFeeChanged(*IN_VAULT, 5)),
        ([events.PROTOCOL_YIELD_FEE, POOL], (5,), events.ProtocolYieldFeeChanged(*IN_VAULT, 5)),
        ([events.RECOVERY_MODE, POOL], (1,), events.RecoveryModeChanged(*IN_VAULT, True)),
    ],
)
def test_a_log_gives_its_event(
    topics: list[bytes], words: tuple[int, ...], event: events.BalancerEvent
) -> None:
    assert decode_balancer(log(topics, *words)) == event


@pytest.mark.parametrize(
    ("topic", "adding", "sign"), [(events.LIQUIDITY_ADDED, True, 1), (events.LIQUIDITY_REMOVED, False, -1)]
)
def test_changes_of_liquidity_have_signs(topic: bytes, adding: bool, sign: int) -> None:
    data = encode(ARRAYS, [10**18, [5, 6], [1, 0]])
    event = decode_balancer(log([topic, POOL, TOKEN, word(1)], data=data))
    assert event == events.BalancerV3Liquidity(*IN_VAULT, adding, (5 * sign, 6 * sign), (1, 0))


def test_other_kinds_of_logs_give_nothing() -> None:
    assert decode_balancer(log([])) is None
    assert decode_balancer(log([b"\x01" * 32], data=b"junk")) is None


@pytest.mark.parametrize(
    "wrong",
    [
        log([events.AMP_UPDATE_STARTED], 1, 2, 3),
        log([events.AMP_UPDATE_STARTED], 1, 2, 3, 2**64),
        log([events.AMP_UPDATE_STOPPED, POOL], 1),
        log([events.TOKEN_RATE_CACHE_UPDATED, word(1)], 2**96),
        log([events.BALANCER_V3_SWAP, b"\x01" * 32, TOKEN, TOKEN], 1, 2, 3, 4),
        log([events.RECOVERY_MODE, POOL], 2),
        log([events.LIQUIDITY_ADDED, POOL, TOKEN, word(0)], 1),
        log([events.LIQUIDITY_ADDED, POOL, TOKEN, word(0)], data=encode(ARRAYS, [1, [1, 2], [1]])),
        log([events.LIQUIDITY_ADDED, POOL, TOKEN, word(0)], 1, 96, 2**200),
    ],
)
def test_what_cannot_be_is_refused_with_its_position(wrong: RawLog) -> None:
    with pytest.raises(TapeError) as refused:
        decode_balancer(wrong)
    assert refused.value.fields == {"block": 7, "log_index": 3, "address": CONTRACT}
