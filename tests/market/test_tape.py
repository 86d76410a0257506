"""Tapes: bit-equal round trips, and no damage that goes unnoticed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chain.blocks import Block, BlockHeader, RawLog
from core.errors import TapeError
from market import tape as tape_module
from market.context import BlockContext, Candle
from market.history import load_day
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import MAX_RESERVE, UniswapV2Pool
from market.pools.uniswap_v3 import NOTHING_KNOWN, UniswapV3Pool
from market.pools.v3_ticks import TickMap
from market.pools.weighted import WeightedPool
from market.recorded import Recorded
from market.tape import TapeReader, TapeWriter
from market.tokens import Token

A, B = "0x" + "0a" * 20, "0x" + "0b" * 20
TOKENS = {A: Token(A, "A", 18), B: Token(B, "B", 6)}
V2 = PoolSpec("uniswap_v2", "0x" + "01" * 20, "0x" + "01" * 20, (A, B), 3000, venue="sushiswap")
V3 = PoolSpec("uniswap_v3", "0x" + "02" * 20, "0x" + "02" * 20, (A, B), 500, 10, venue="uniswap_v3")
WEIGHTED = PoolSpec("weighted", "0x" + "03" * 32, A, (A, B), 2500, weights=(8 * 10**17, 2 * 10**17))
POOLS: tuple[Pool, ...] = (
    UniswapV2Pool(V2, MAX_RESERVE, 1),
    UniswapV3Pool(V3, 2**96, 0, 2**127, TickMap({-10: 0, 20: -5}, {-10: 14, 20: 5})),
    WeightedPool(WEIGHTED, (2**100, 7), (18, 6)),
)

hashes = st.binary(min_size=32, max_size=32)
counts = st.integers(0, 2**62)
logs = st.tuples(hashes, st.lists(hashes, max_size=4), st.binary(max_size=70), st.sampled_from([A, B]))
prices = st.floats(allow_nan=False)
candles = st.builds(Candle, st.text(min_size=1), counts, prices, prices, prices, prices, prices)
contexts = st.builds(
    BlockContext, st.none() | candles, st.none() | st.integers(0, 2**90), st.none() | st.text()
)


@st.composite
def chains(draw: st.DrawFn) -> list[tuple[Block, BlockContext]]:
    number, parent = draw(counts), draw(hashes)
    chain = []
    for height in range(number, number + draw(st.integers(0, 4))):
        header = BlockHeader(height, draw(hashes), parent, draw(counts), draw(st.integers(0, 2**80)), 0, 1, B)
        parent = header.hash
        found = [
            RawLog(height, 3 * index, index, tx, address, tuple(topics), data)
            for index, (tx, topics, data, address) in enumerate(draw(st.lists(logs, max_size=3)))
        ]
        chain.append((Block(header, tuple(found), draw(counts)), draw(contexts)))
    return chain


def record(folder: Path, chain: list[tuple[Block, BlockContext]]) -> Recorded:
    with TapeWriter(folder, specs=(V2, V3, WEIGHTED), tokens=TOKENS, pools=POOLS, source="a test") as writer:
        for block, context in chain:
            writer.append(block, context)
    return TapeReader(folder).recorded()


def straight(count: int, logs_each: int = 2) -> list[tuple[Block, BlockContext]]:
    chain = []
    for number in range(1, count + 1):
        header = BlockHeader(
            number, number.to_bytes(32, "big"), (number - 1).to_bytes(32, "big"), 12 * number, 7, 0, 1
        )
        found = tuple(
            RawLog(number, index, index, bytes(32), A, (bytes(32),), b"data") for index in range(logs_each)
        )
        chain.append((Block(header, found, 5), BlockContext(winning_bid=10**19, builder="b")))
    return chain


@given(chains(), st.integers(1, 5))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_recorded_is_read_back_bit_for_bit(
    tmp_path: Path, chain: list[tuple[Block, BlockContext]], rows_per_group: int
) -> None:
    folder = tmp_path / "tape"
    shutil.rmtree(folder, ignore_errors=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tape_module, "_ROWS_PER_GROUP", rows_per_group)
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
    assert not folder.exists()
    with pytest.raises(TapeError, match="not a tape"):
        TapeReader(tmp_path / "tape.partial")
    abandoned.abort()
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


@given(st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_changed_byte_is_found_before_a_block_is_given(tmp_path: Path, data: st.DataObject) -> None:
    folder = tmp_path / "tape"
    if not folder.exists():
        record(folder, straight(3))
    original = list(TapeReader(folder).recorded().blocks())
    part = folder / data.draw(st.sampled_from(["manifest.json", "blocks.parquet", "logs.parquet"]))
    content = part.read_bytes()
    at = data.draw(st.integers(0, len(content) - 1))
    changed = bytearray(content)
    changed[at] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.booleans())
    part.write_bytes(content[:at] if cut else bytes(changed))
    try:
        recorded = TapeReader(folder).recorded()
        assert part.name == "manifest.json"
        assert list(recorded.blocks()) == original
        assert recorded.pools == POOLS
    except TapeError as refused:
        assert str(folder) in refused.fields["file"]  # noqa: PT017
    finally:
        part.write_bytes(content)


def rewrite(folder: Path, part: str, change: Callable[[list[dict[str, object]]], object]) -> Recorded:
    """Change rows of a part and make the hashes right again, as a broken recorder would."""
    table = pq.read_table(folder / part)
    rows = table.to_pylist()
    change(rows)
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), folder / part)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["sha256"][part] = tape_module._sha256(folder / part)
    manifest.pop("digest")
    manifest["digest"] = tape_module._digest(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return TapeReader(folder).recorded()


@pytest.mark.parametrize(
    ("part", "row", "column", "value"),
    [
        ("blocks.parquet", 1, "hash", b"short"),
        ("blocks.parquet", 1, "parent_hash", bytes(31) + b"\x09"),
        ("blocks.parquet", 1, "timestamp", None),
        ("blocks.parquet", 1, "gas_used", -5),
        ("blocks.parquet", 1, "base_fee", "1.5"),
        ("blocks.parquet", 1, "winning_bid", "-1"),
        ("blocks.parquet", 1, "fee_recipient", "0x1"),
        ("blocks.parquet", 1, "logs", 1),
        ("blocks.parquet", 1, "candle_open", 5.0),
        ("blocks.parquet", 1, "block_number", 3),
        ("logs.parquet", 3, "log_index", 0),
        ("logs.parquet", 3, "log_index", None),
        ("logs.parquet", 3, "topics", b"short"),
        ("logs.parquet", 3, "transaction_hash", b""),
        ("logs.parquet", 3, "address", A.upper()),
        ("logs.parquet", 3, "transaction_index", -1),
    ],
)
def test_a_corrupt_row_is_refused_with_file_row_and_position(
    tmp_path: Path, part: str, row: int, column: str, value: object
) -> None:
    record(tmp_path / "tape", straight(3))
    recorded = rewrite(tmp_path / "tape", part, lambda rows: rows[row].update({column: value}))
    given_before = []
    with pytest.raises(TapeError, match=f"row {row}") as refused:
        given_before.extend(recorded.blocks())
    assert refused.value.fields["file"].endswith(part)
    assert refused.value.fields["row"] == row
    assert refused.value.fields["block"] == (3 if column == "block_number" else 2)
    assert ("log_index" in refused.value.fields) == (part == "logs.parquet")


def test_rows_that_are_missing_or_left_over_are_found(tmp_path: Path) -> None:
    for name, part, change, message in (
        ("fewer blocks", "blocks.parquet", lambda rows: rows.pop(), "belongs to no block"),
        ("fewer logs", "logs.parquet", lambda rows: rows.pop(), "1 are here"),
        ("swapped", "blocks.parquet", lambda rows: rows.reverse(), "corrupt"),
        ("stray log", "logs.parquet", lambda rows: rows[-1].update(block_number=99), "1 are here"),
    ):
        record(tmp_path / name, straight(3))
        recorded = rewrite(tmp_path / name, part, change)
        with pytest.raises(TapeError, match=message):
            list(recorded.blocks())
    record(tmp_path / "no logs", straight(3, logs_each=0))
    recorded = rewrite(tmp_path / "no logs", "blocks.parquet", lambda rows: rows.pop())
    with pytest.raises(TapeError, match="holds 2 blocks"):
        list(recorded.blocks())


def test_a_missing_part_another_version_and_other_columns_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "tape"
    record(folder, straight(1))
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"version": 2}))
    with pytest.raises(TapeError, match="version 2"):
        TapeReader(folder)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    other = pq.read_table(folder / "logs.parquet").drop_columns(["data"])
    pq.write_table(other, folder / "logs.parquet")
    manifest["sha256"]["logs.parquet"] = tape_module._sha256(folder / "logs.parquet")
    manifest.pop("digest")
    manifest["digest"] = tape_module._digest(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(TapeError, match="other columns"):
        list(TapeReader(folder).recorded().blocks())
    (folder / "logs.parquet").unlink()
    with pytest.raises(TapeError, match="missing"):
        TapeReader(folder)
    with pytest.raises(TapeError, match="not a tape"):
        TapeReader(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "change",
    [
        {"pools": [{"spec": {}}]},
        {"pools": [5]},
        {"tokens": [["0x"]]},
        {"tokens": 5},
        {"counts": 5},
        {"specs": [{}]},
    ],
)
def test_a_manifest_that_describes_nothing_valid_is_refused(
    tmp_path: Path, change: dict[str, object]
) -> None:
    folder = tmp_path / "tape"
    record(folder, straight(1))
    manifest = json.loads((folder / "manifest.json").read_text()) | change
    manifest.pop("digest")
    manifest["digest"] = tape_module._digest(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(TapeError, match="corrupt"):
        TapeReader(folder).recorded()
