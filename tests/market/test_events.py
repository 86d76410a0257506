"""Decoding of logs: signs, positions, and refusal of what cannot be."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from chain.blocks import RawLog
from core.errors import TapeError
from market import events
from market.events import decode
from market.pools.v3_math import MAX_SQRT_RATIO, MAX_TICK, MIN_SQRT_RATIO, MIN_TICK

POOL = "0x" + "aa" * 20
OWNER = bytes(12) + b"\xbb" * 20
AT = (POOL, POOL, 7, 3, 1)

V3_SWAP_TYPES = ["int256", "int256", "uint160", "uint128", "int24"]


def log(topics: list[bytes], data: bytes = b"") -> RawLog:
    return RawLog(7, 3, 1, bytes(32), POOL, tuple(topics), data)


def word(value: int) -> bytes:
    return value.to_bytes(32, "big", signed=value < 0)


@pytest.mark.parametrize(
    ("topic", "signature"),
    [
        (events.PAIR_SYNC, "Sync(uint112,uint112)"),
        (events.PAIR_SWAP, "Swap(address,uint256,uint256,uint256,uint256,address)"),
        (events.V3_INITIALIZE, "Initialize(uint160,int24)"),
        (events.V3_SWAP, "Swap(address,address,int256,int256,uint160,uint128,int24)"),
        (events.V3_MINT, "Mint(address,address,int24,int24,uint128,uint256,uint256)"),
        (events.V3_BURN, "Burn(address,int24,int24,uint128,uint256,uint256)"),
        (events.VAULT_SWAP, "Swap(bytes32,address,address,uint256,uint256)"),
        (events.VAULT_BALANCE_CHANGED, "PoolBalanceChanged(bytes32,address,address[],int256[],uint256[])"),
    ],
)
def test_topics_are_the_hashes_of_their_signatures(topic: bytes, signature: str) -> None:
    assert topic == keccak(text=signature)


@given(
    st.integers(-(2**255), 2**255 - 1),
    st.integers(-(2**255), 2**255 - 1),
    st.integers(MIN_SQRT_RATIO, MAX_SQRT_RATIO - 1),
    st.integers(0, 2**128 - 1),
    st.integers(MIN_TICK, MAX_TICK),
)
def test_a_v3_swap_keeps_its_signs(amount0: int, amount1: int, price: int, liquidity: int, tick: int) -> None:
    data = encode(V3_SWAP_TYPES, [amount0, amount1, price, liquidity, tick])
    swap = decode(log([events.V3_SWAP, OWNER, OWNER], data))
    assert swap == events.V3Swap(*AT, amount0, amount1, price, liquidity, tick)


def test_positions_read_their_ticks_from_the_topics() -> None:
    mint = decode(
        log(
            [events.V3_MINT, OWNER, word(-887220), word(-60)],
            encode(["address", "uint128", "uint256", "uint256"], [POOL, 5, 6, 7]),
        )
    )
    assert mint == events.V3Mint(*AT, -887220, -60, 5, 6, 7)
    burn = decode(
        log(
            [events.V3_BURN, OWNER, word(-60), word(60)],
            encode(["uint128", "uint256", "uint256"], [5, 6, 7]),
        )
    )
    assert burn == events.V3Burn(*AT, -60, 60, 5, 6, 7)


def test_pairs_and_initialisation_are_decoded() -> None:
    assert decode(log([events.PAIR_SYNC], word(5) + word(6))) == events.PairSync(*AT, 5, 6)
    swap = decode(log([events.PAIR_SWAP, OWNER, OWNER], b"".join(map(word, (1, 2, 3, 4)))))
    assert swap == events.PairSwap(*AT, 1, 2, 3, 4)
    start = decode(log([events.V3_INITIALIZE], word(2**96) + word(0)))
    assert start == events.V3Initialize(*AT, 2**96, 0)


def test_vault_events_name_the_pool_and_net_its_protocol_fees() -> None:
    pool_id = b"\xcd" * 32
    at = ("0x" + "cd" * 32, POOL, 7, 3, 1)
    swap = decode(log([events.VAULT_SWAP, pool_id, OWNER, OWNER], word(5) + word(4)))
    assert swap == events.VaultSwap(*at, "0x" + "bb" * 20, "0x" + "bb" * 20, 5, 4)
    data = encode(["address[]", "int256[]", "uint256[]"], [[POOL, "0x" + "bb" * 20], [10, -20], [1, 2]])
    changed = decode(log([events.VAULT_BALANCE_CHANGED, pool_id, OWNER], data))
    assert changed == events.VaultBalanceChanged(*at, (POOL, "0x" + "bb" * 20), (9, -22))


def test_other_kinds_of_logs_give_nothing() -> None:
    assert decode(log([])) is None
    assert decode(log([b"\x01" * 32], b"junk")) is None
    assert all(decode(log([topic])) is None for topic in events.STATELESS_TOPICS)


GOOD_SWAP = encode(V3_SWAP_TYPES, [1, -1, 2**96, 1, 0])


@pytest.mark.parametrize(
    ("topics", "data"),
    [
        ([events.PAIR_SYNC], word(5)),
        ([events.PAIR_SYNC], word(5) + word(2**112)),
        ([events.PAIR_SYNC, OWNER], word(5) + word(5)),
        ([events.PAIR_SYNC], word(5) + word(5)[:-1]),
        ([events.V3_SWAP, OWNER, OWNER], GOOD_SWAP[:-32]),
        ([events.V3_SWAP, OWNER, OWNER], GOOD_SWAP[:64] + word(0) + GOOD_SWAP[96:]),
        ([events.V3_SWAP, OWNER, OWNER], GOOD_SWAP[:96] + word(2**128) + word(0)),
        ([events.V3_SWAP, OWNER, OWNER], GOOD_SWAP[:128] + word(MAX_TICK + 1)),
        ([events.V3_SWAP, OWNER, OWNER[1:]], GOOD_SWAP),
        ([events.V3_BURN, OWNER, word(60), word(-60)], word(1) * 3),
        ([events.V3_BURN, OWNER, word(-60), word(MAX_TICK + 1)], word(1) * 3),
        ([events.VAULT_SWAP, OWNER, b"\x01" * 32, OWNER], word(1) * 2),
        ([events.VAULT_BALANCE_CHANGED, OWNER, OWNER], b""),
        ([events.VAULT_BALANCE_CHANGED, OWNER, OWNER], word(2**255) * 3),
        ([events.VAULT_BALANCE_CHANGED, OWNER, OWNER], word(96) * 3 + word(5)),
        ([events.VAULT_BALANCE_CHANGED, OWNER, OWNER], word(96) + word(128) + word(128) + word(1) + word(0)),
    ],
)
def test_a_malformed_log_is_refused_with_its_position(topics: list[bytes], data: bytes) -> None:
    with pytest.raises(TapeError, match=r"log 3 of block 7") as refused:
        decode(log(topics, data))
    assert (refused.value.fields["block"], refused.value.fields["log_index"]) == (7, 3)


@given(
    st.sampled_from(sorted(events.DECODERS)),
    st.lists(st.binary(min_size=0, max_size=40), max_size=4),
    st.binary(max_size=400),
)
def test_no_bytes_whatever_give_a_traceback(topic: bytes, topics: list[bytes], data: bytes) -> None:
    try:
        decode(log([topic, *topics], data))
    except TapeError as refused:
        assert "block 7" in refused.message  # noqa: PT017
