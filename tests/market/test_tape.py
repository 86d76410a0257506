"""Tapes: bit-equal round trips, whole or not at all."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chain.blocks import Block, BlockHeader, RawLog
from core.errors import TapeError
from market import tape_writer
from market.context import BlockContext, Candle
from market.history import load_day
from market.pools.uniswap_v3 import NOTHING_KNOWN, UniswapV3Pool
from market.tape import TapeReader, TapeWriter
from market.tape_manifest import DAY_SECONDS
from tests.small_tapes import POOLS, TOKENS, V2, V3, WEIGHTED, A, B, record, straight

hashes = st.binary(min_size=32, max_size=32)
counts = st.integers(0, 2**62)
seconds = st.integers(0, 3 * DAY_SECONDS) | st.integers(0, 253_402_300_799)
logs = st.tuples(hashes, st.lists(hashes, max_size=4), st.binary(max_size=70), st.sampled_from([A, B]))
prices = st.floats(0, allow_infinity=False, exclude_min=True)
volumes = st.floats(0, allow_infinity=False)
candles = st.builds(Candle, st.text(min_size=1), counts, prices, prices, prices, prices, volumes)
contexts = st.builds(
    BlockContext, st.none() | candles, st.none() | st.integers(0, 2**90), st.none() | st.text()
)


@st.composite
def chains(draw: st.DrawFn) -> list[tuple[Block, BlockContext]]:
    number, parent = draw(counts), draw(hashes)
    chain = []
    for height in range(number, number + draw(st.integers(0, 4))):
        header = BlockHeader(
            height, draw(hashes), parent, draw(seconds), draw(st.integers(0, 2**80)), 0, 1, B
        )
        parent = header.hash
        found = [
            RawLog(height, 3 * index, index, tx, address, tuple(topics), data)
            for index, (tx, topics, data, address) in enumerate(draw(st.lists(logs, max_size=3)))
        ]
        context = draw(contexts)
        if context.candle is not None:
            closed = min(context.candle.close_time, header.timestamp)
            context = replace(context, candle=replace(context.candle, close_time=closed))
        chain.append((Block(header, tuple(found), draw(counts)), context))
    return chain


@given(chains(), st.integers(1, 5))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_recorded_is_read_back_bit_for_bit(
    tmp_path: Path, chain: list[tuple[Block, BlockContext]], rows_per_part: int
) -> None:
    folder = tmp_path / "tape"
    shutil.rmtree(folder, ignore_errors=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tape_writer, "_ROWS_PER_PART", rows_per_part)
        recorded = record(folder, chain)
    assert list(recorded.blocks()) == chain
    assert list(recorded.blocks()) == chain
    assert recorded.block_count == len(chain)
    assert (recorded.specs, recorded.pools, dict(recorded.tokens)) == ((V2, V3, WEIGHTED), POOLS, TOKENS)
    assert recorded.source == "a test"
    gross = recorded.pools[1]
    assert isinstance(gross, UniswapV3Pool)
    assert dict(gross.tick_map.gross) == {-10: 14, 20: 5}


@pytest.mark.data
def test_a_tape_of_the_recorded_day_replays_to_the_same_state(data_root: Path, tmp_path: Path) -> None:
    day = load_day(data_root)
    with TapeWriter(
        tmp_path / "day", specs=day.specs, tokens=day.tokens, pools=day.pools, source=day.source
    ) as writer:
        for block, context in day.blocks():
            writer.append(block, context)
    again = TapeReader(tmp_path / "day").recorded()
    states = []
    for recorded in (day, again):
        state = recorded.initial_state()
        for block, _ in recorded.blocks():
            state.apply(block)
        states.append(dict(state.pools))
    assert states[0] == states[1]
    assert list(again.blocks()) == list(day.blocks())
    assert [pool.known for pool in again.pools if isinstance(pool, UniswapV3Pool)] == [NOTHING_KNOWN] * 3


def test_a_tape_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    folder = tmp_path / "tape"

    def interrupted() -> None:
        with TapeWriter(folder, specs=(), tokens={}, pools=(), source="") as writer:
            writer.append(straight(1)[0][0])
            assert not folder.exists()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []
    abandoned = TapeWriter(folder, specs=(), tokens={}, pools=(), source="")
    with pytest.raises(TapeError, match="is not a tape; an unfinished one is in"):
        TapeReader(folder)
    abandoned.abort()
    assert list(tmp_path.iterdir()) == []
    record(folder, straight(2))
    with pytest.raises(TapeError, match="exists"):
        record(folder, straight(2))


@pytest.mark.parametrize("second", [straight(3)[2][0], straight(1)[0][0]])
def test_only_one_branch_can_be_recorded(tmp_path: Path, second: Block) -> None:
    writer = TapeWriter(tmp_path / "tape", specs=(), tokens={}, pools=(), source="")
    writer.append(straight(1)[0][0])
    with pytest.raises(TapeError, match="does not continue"):
        writer.append(second)
    writer.abort()


@pytest.mark.parametrize(
    "wrong",
    [
        {"gas_limit": 0},
        {"gas_used": 2**64 - 1},
        {"number": 2**63},
        {"base_fee": -1},
        {"fee_recipient": "0x12"},
        {"hash": b"short"},
    ],
)
def test_a_block_that_could_not_be_read_back_is_refused_and_what_was_added_stays(
    tmp_path: Path, wrong: dict[str, int]
) -> None:
    (first, context), (second, _) = straight(2)
    bad = replace(second, header=replace(second.header, **wrong))
    if "number" in wrong:
        first = replace(first, header=replace(first.header, number=wrong["number"] - 1), logs=())
    writer = TapeWriter(tmp_path / "tape", specs=(), tokens={}, pools=(), source="")
    writer.append(first, context)
    with pytest.raises(TapeError, match=rf"block {bad.number} could not be read back"):
        writer.append(bad)
    writer.close()
    assert list(TapeReader(tmp_path / "tape").recorded().blocks()) == [(first, context)]


@pytest.mark.parametrize(
    "wrong",
    [{"transaction_hash": bytes(31)}, {"log_index": 2**63}, {"topics": (b"short",)}, {"address": "0xA"}],
)
def test_a_log_that_could_not_be_read_back_is_refused_with_its_block(
    tmp_path: Path, wrong: dict[str, int]
) -> None:
    block = straight(1)[0][0]
    bad = replace(block, logs=(block.logs[0], replace(block.logs[1], **wrong)))
    with TapeWriter(tmp_path / "tape", specs=(), tokens={}, pools=(), source="") as writer:
        with pytest.raises(TapeError, match="block 1 could not be read back"):
            writer.append(bad)
        assert writer.blocks == 0
        writer.append(block)
    assert [found for found, _ in TapeReader(tmp_path / "tape").recorded().blocks()] == [block]
