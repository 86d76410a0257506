"""A tape read in columns is the tape read row by row, and is refused where that is."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.errors import TapeError
from market.arrays.market import MarketArrays
from market.bulk.decoder import marked
from market.bulk.tape import logs_of_table, read_tape
from market.history import load_day
from market.state import MarketState
from market.tape import TapeReader, TapeWriter
from market.tape_rows import LOG_SCHEMA, log_to_row
from tests.random_blocks import TOKENS, RandomChain


def _tape(folder: Path, blocks: int = 25) -> RandomChain:
    chain, chance = RandomChain(), random.Random(4)
    start = chain.fork()
    pools = start.followed()
    with TapeWriter(
        folder, specs=[pool.spec for pool in pools], tokens=TOKENS, pools=pools, source="a test"
    ) as tape:
        for _ in range(blocks):
            moves = [
                (chance.randrange(7), chance.randrange(4), 0.01, chance.random() < 0.5)
                for _ in range(chance.randrange(5))
            ]
            tape.append(chain.block(moves))
    return start


def test_columns_hold_the_rows(tmp_path: Path) -> None:
    start = _tape(tmp_path / "tape")
    rows = [block for block, _ in TapeReader(tmp_path / "tape").recorded().blocks()]
    records, columns = start.state(), MarketArrays(start.followed(), TOKENS, start.head)
    read = 0
    for part in read_tape(tmp_path / "tape"):
        placed = columns.placed(marked(part.logs))
        for header, first, stop in zip(part.headers, part.ends[:-1], part.ends[1:], strict=True):
            block = rows[read]
            assert header == block.header
            assert tuple(part.logs.log(at) for at in range(first, stop)) == block.logs
            assert set(columns.apply_logs(header, placed, first, stop).touched) == set(
                records.apply(block).touched
            )
            read += 1
    assert read == len(rows)
    for pool_id, pool in records.pools.items():
        assert columns.view(pool_id) == pool


def test_a_tape_without_logs_has_columns_without_rows(tmp_path: Path) -> None:
    chain = RandomChain()
    with TapeWriter(tmp_path / "tape", specs=[], tokens={}, pools=[], source="a test") as tape:
        tape.append(chain.block([]))
    (part,) = read_tape(tmp_path / "tape")
    assert (len(part.headers), len(part.logs), list(part.ends)) == (1, 0, [0, 0])


def test_a_part_that_was_changed_is_refused_in_the_reader_s_words(tmp_path: Path) -> None:
    _tape(tmp_path / "tape")
    (file,) = (tmp_path / "tape" / "logs").rglob("*.parquet")
    pq.write_table(pq.read_table(file, partitioning=None).slice(1), file)
    with pytest.raises(TapeError, match="hash differs"):
        list(read_tape(tmp_path / "tape"))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("topics", bytes(31)),
        ("transaction_hash", b""),
        ("address", "0xAB"),
        ("data", None),
        ("log_index", None),
    ],
)
def test_rows_that_cannot_be_logs_are_refused(column: str, value: object) -> None:
    logs = RandomChain().block([(0, 0, 0.01, True)]).logs
    rows = [log_to_row(log) for log in logs]
    rows[1][column] = value
    with pytest.raises(ValueError, match="wrong length"):
        logs_of_table(pa.Table.from_pylist(rows, schema=LOG_SCHEMA))


@pytest.mark.data
def test_a_recorded_day_goes_the_same_way_in_columns_as_in_records(data_root: Path) -> None:
    day = load_day(data_root)
    records, columns = MarketState(day.pools, day.tokens), MarketArrays(day.pools, day.tokens)
    logs = 0
    for block, _ in day.blocks():
        told, done = records.apply(block), columns.apply(block)
        assert done.touched == told.touched
        assert (done.events, done.unknown) == (len(told.events), told.unknown)
        logs += len(block.logs)
        if logs > 2500:
            break
    for pool_id, pool in records.pools.items():
        assert columns.view(pool_id) == pool
    assert np.isfinite(columns.tables.concentrated.sqrt_price_floats).all()
