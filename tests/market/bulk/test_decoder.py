"""Logs decoded in columns say what logs decoded one by one say, and the malformed are malformed for both."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chain.blocks import RawLog
from market.arrays.limbs import from_limbs
from market.bulk.decoder import decode_logs, marked
from market.bulk.kinds import FIELDS, MALFORMED, PAIR_SYNC, SIGNED, SLOW, STATELESS, TOPICS, UNKNOWN
from market.bulk.raw_logs import raw_logs
from market.decoding import ALL_DECODERS, decode_log
from market.events import PAIR_SYNC as SYNC_TOPIC
from market.events import STATELESS_TOPICS
from market.pools.v3_math import MAX_SQRT_RATIO, MAX_TICK, MIN_SQRT_RATIO
from tests.market.arrays.twin_markets import outcome
from tests.random_blocks import RandomChain

SIZES = dict(zip(TOPICS, (2, 4, 2, 5, 7, 4, 3, 2), strict=True))
EDGES = [
    *(
        sign * (2**bits + off) % 2**256
        for bits in (64, 112, 128, 160, 255)
        for off in (-1, 0)
        for sign in (1, -1)
    ),
    *(sign * (tick + off) % 2**256 for tick in (0, 60, MAX_TICK) for off in (0, 1) for sign in (1, -1)),
    *(price + off for price in (MIN_SQRT_RATIO, 2**96, MAX_SQRT_RATIO) for off in (-1, 0)),
]
words = (st.sampled_from(EDGES) | st.integers(0, 2**256 - 1)).map(lambda value: value.to_bytes(32, "big"))


@st.composite
def logs(draw: st.DrawFn) -> RawLog:
    first = draw(st.sampled_from([*TOPICS, *sorted(STATELESS_TOPICS)[:2], *sorted(ALL_DECODERS), bytes(32)]))
    usual = ALL_DECODERS[first][0] if first in ALL_DECODERS else 2
    count = draw(st.sampled_from([usual] * 9 + [usual + 1, max(usual - 1, 1)]))
    size = draw(st.sampled_from([SIZES.get(first, 3)] * 9 + [0, 1, 8]))
    topics = first, *(draw(words) for _ in range(count - 1))
    data = b"".join(draw(words) for _ in range(size)) + draw(st.sampled_from([b""] * 9 + [b"x"]))
    return RawLog(7, draw(st.integers(0, 9)), 3, bytes(32), "0x" + "01" * 20, topics, data)


def check(log: RawLog, place: int, decoded: Any) -> None:
    kind = int(decoded.kind[place])
    event = outcome(lambda: decode_log(log))
    if isinstance(event, tuple):
        assert kind in (MALFORMED, SLOW)
        assert outcome(lambda: decode_logs(raw_logs([log]))) == event
        return
    if event is None:
        stateless = bool(log.topics) and log.topics[0] in STATELESS_TOPICS
        assert kind == (STATELESS if stateless else UNKNOWN)
        return
    assert kind == TOPICS.get(log.topics[0], SLOW)
    for field, word in FIELDS.get(kind, {}).items():
        value = from_limbs(decoded.words[place : place + 1, word], signed=(kind, field) in SIGNED)[0]
        said = getattr(event, field)
        assert value == (int(said, 16) if isinstance(said, str) else said)


@settings(max_examples=200, deadline=None)
@given(st.lists(logs(), min_size=1, max_size=5))
def test_columns_say_what_records_say(chosen: list[RawLog]) -> None:
    decoded = marked(raw_logs(chosen))
    for place, log in enumerate(chosen):
        check(log, place, decoded)


def test_a_real_market_s_logs_come_out_field_by_field() -> None:
    chain, chance = RandomChain(), random.Random(2)
    found = [
        log
        for _ in range(30)
        for log in chain.block(
            [(chance.randrange(7), chance.randrange(4), 0.01, chance.random() < 0.5) for _ in range(8)]
        ).logs
    ]
    decoded = decode_logs(raw_logs(found))
    for place, log in enumerate(found):
        check(log, place, decoded)
        assert decoded.raw.log(place) == log
    reserves = decoded.column(PAIR_SYNC, "reserve0")
    assert len(reserves) == sum(log.topics[0] == SYNC_TOPIC for log in found) > 0


@pytest.mark.parametrize("topics", [(), (b"short",), (min(TOPICS), b""), (min(TOPICS)[:31], bytes(33))])
def test_topics_that_are_not_whole_words_are_left_to_the_decoder_of_records(
    topics: tuple[bytes, ...],
) -> None:
    log = RawLog(7, 0, 0, bytes(32), "0x" + "01" * 20, topics, bytes(64))
    decoded = marked(raw_logs([log]))
    assert decoded.kind[0] == SLOW
    assert decoded.raw.log(0) == log


def test_no_logs_are_no_columns() -> None:
    assert len(decode_logs(raw_logs([])).kind) == 0
