"""Tapes of many days: partitions that other tools read, and recordings that outlive their recorder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pyarrow.dataset as ds
import pytest

from chain.blocks import Block
from core.errors import TapeError
from market.context import BlockContext
from market.tape import TapeReader, TapeWriter
from market.tape_manifest import Manifest
from tests.small_tapes import POOLS, TOKENS, V2, V3, WEIGHTED, record, straight

DAY, HOUR = 86_400, 3_600
ROOT = Path(__file__).resolve().parents[2]
ENDLESS = """
import sys
from tests.small_tapes import *
writer = TapeWriter(sys.argv[1], specs=(V2, V3, WEIGHTED), tokens=TOKENS, pools=POOLS, source="a test")
for block, context in straight(100_000, seconds=1_200):
    writer.append(block, context)
"""


def begin(folder: Path) -> TapeWriter:
    return TapeWriter(folder, specs=(V2, V3, WEIGHTED), tokens=TOKENS, pools=POOLS, source="a test")


def append(writer: TapeWriter, blocks: list[tuple[Block, BlockContext]]) -> None:
    for block, context in blocks:
        writer.append(block, context)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_a_day_is_a_partition_that_other_tools_read(tmp_path: Path) -> None:
    chain = straight(50, seconds=2 * HOUR)
    record(tmp_path / "tape", chain)
    days = [f"1970-01-0{day}" for day in range(1, 6)]
    assert TapeReader(tmp_path / "tape").days == tuple(days)
    for table in ("blocks", "logs"):
        folders = sorted(path.name for path in (tmp_path / "tape" / table).iterdir())
        assert folders == [f"day={day}" for day in days]
    blocks = pd.read_parquet(tmp_path / "tape" / "blocks")
    assert list(blocks["block_number"]) == [block.number for block, _ in chain]
    stamps = pd.to_datetime(blocks["timestamp"], unit="s", utc=True)
    assert list(stamps.dt.strftime("%Y-%m-%d")) == list(blocks["day"].astype(str))
    logs = ds.dataset(tmp_path / "tape" / "logs", partitioning="hive")
    second = logs.to_table(filter=ds.field("day") == "1970-01-02")
    assert set(second["block_number"].to_pylist()) == {n for n in range(1, 51) if 12 <= n < 24}


def test_the_same_blocks_give_the_same_bytes_however_often_the_recorder_stopped(tmp_path: Path) -> None:
    chain = straight(60, seconds=20 * 60)
    record(tmp_path / "at once", chain)
    begin(tmp_path / "in turns").suspend()
    for start in range(0, 60, 3):  # a part has an hour, three blocks
        writer = TapeWriter.resume(tmp_path / "in turns")
        assert writer.blocks == start
        append(writer, chain[start : start + 3])
        writer.suspend()
    TapeWriter.resume(tmp_path / "in turns").close()
    assert contents(tmp_path / "in turns") == contents(tmp_path / "at once")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["at once", "in turns"]


def test_a_recording_that_is_killed_keeps_its_parts_and_goes_on(tmp_path: Path) -> None:
    folder, partial = tmp_path / "tape", tmp_path / "tape.partial"
    command = [sys.executable, "-c", ENDLESS, str(folder)]
    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}) as recorder:
        try:
            deadline = time.monotonic() + 60
            while len(list(partial.rglob("day=1970-01-03/*.parquet"))) < 4:
                assert time.monotonic() < deadline
                time.sleep(0.002)
            with pytest.raises(TapeError, match="another recorder writes"):
                begin(folder)
            with pytest.raises(TapeError, match="another recorder writes"):
                TapeWriter.resume(folder)
        finally:
            os.kill(recorder.pid, signal.SIGKILL)
    (partial / "blocks" / "day=1970-01-09").mkdir()
    (partial / "blocks" / "day=1970-01-09" / "000000000999.parquet").write_bytes(b"half a fi")
    kept = [block for block, _ in TapeReader(partial).recorded().blocks()]
    chain = straight(len(kept) + 300, seconds=1_200)
    assert kept == [block for block, _ in chain[: len(kept)]]
    assert len(kept) >= 144 - 3  # the first two days
    with pytest.raises(TapeError, match=f"holds {len(kept)} blocks of an interrupted recording"):
        begin(folder)
    writer = TapeWriter.resume(folder)
    assert writer.last == kept[-1].header
    append(writer, chain[len(kept) :])
    writer.close()
    assert list(TapeReader(folder).recorded().blocks()) == chain
    assert not (folder / "blocks" / "day=1970-01-09" / "000000000999.parquet").exists()


def test_only_what_continues_the_last_block_can_follow_an_interruption(tmp_path: Path) -> None:
    writer = begin(tmp_path / "tape")
    append(writer, straight(5))
    writer.suspend()
    writer = TapeWriter.resume(tmp_path / "tape")
    with pytest.raises(TapeError, match="does not continue block 5"):
        writer.append(straight(7)[6][0])
    writer.abort()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(TapeError, match="no interrupted recording"):
        TapeWriter.resume(tmp_path / "tape")


def test_a_damaged_part_is_named_before_anything_is_added(tmp_path: Path) -> None:
    writer = begin(tmp_path / "tape")
    append(writer, straight(5))
    writer.suspend()
    partial = tmp_path / "tape.partial"
    file = partial / Manifest.load(partial).parts[0].file("logs")
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(TapeError, match="hash differs") as refused:
        TapeWriter.resume(tmp_path / "tape")
    assert refused.value.fields["file"] == str(file)


def test_a_timestamp_that_no_calendar_has_is_refused(tmp_path: Path) -> None:
    for seconds in (2**62, -1):
        writer = begin(tmp_path / "tape")
        with pytest.raises(TapeError, match="timestamp of no day"):
            writer.append(straight(1, seconds=seconds)[0][0])
        writer.abort()
