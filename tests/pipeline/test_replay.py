"""Replays: repeatable, exact to the wei, and blind to the future."""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from chain.blocks import Block, RawLog
from chain.networks import load_network
from core.errors import InvariantBroken, MarketError, TapeError
from core.reasons import Reason
from market.context import NO_CONTEXT, BlockContext
from market.events import V3_SWAP
from market.history import load_before, load_day
from market.pools.uniswap_v3 import UniswapV3Pool
from market.recorded import Recorded
from market.tape import TapeReader, TapeWriter
from pipeline.replay import replay
from pipeline.summary import history_part

WETH = load_network("ethereum").weth
BLOCKS_OF_THE_DAY = 7_099


def read(folder: Path) -> Recorded:
    return TapeReader(folder).recorded()


def rewritten(recorded: Recorded, folder: Path, change: Callable[[Block], Block]) -> Recorded:
    """Write a tape that is whole and tells another story."""
    with TapeWriter(
        folder,
        specs=recorded.specs,
        tokens=recorded.tokens,
        pools=recorded.pools,
        source=recorded.source,
    ) as writer:
        for block, context in recorded.blocks():
            writer.append(change(block), context)
    return read(folder)


def first_swap(recorded: Recorded) -> RawLog:
    return next(log for block, _ in recorded.blocks() for log in block.logs if log.topics[0] == V3_SWAP)


def replacing(old: RawLog, new: RawLog) -> Callable[[Block], Block]:
    def change(block: Block) -> Block:
        return replace(block, logs=tuple(new if log == old else log for log in block.logs))

    return change


def with_word(log: RawLog, place: int, add: int) -> RawLog:
    """Return the log with one of its signed words changed."""
    words = [log.data[at : at + 32] for at in range(0, len(log.data), 32)]
    value = int.from_bytes(words[place], "big", signed=True) + add
    words[place] = value.to_bytes(32, "big", signed=True)
    return replace(log, data=b"".join(words))


def test_a_tape_replayed_twice_gives_the_same_to_the_bit(tape: Path) -> None:
    first, second = (replay(read(tape), WETH) for _ in range(2))
    assert first.digest == second.digest
    assert json.dumps(history_part(first)) == json.dumps(history_part(second))
    assert first.rows == second.rows
    assert first.prices == second.prices


def test_every_swap_of_the_local_chain_is_reproduced_to_the_wei(tape: Path) -> None:
    found = replay(read(tape), WETH)
    assert found.blocks == len(found.rows) == len(found.headers) == 40
    assert found.swaps == found.invariant_checked == found.invariant_ok > 40
    assert found.not_checkable == 0
    assert found.opportunities > 40
    assert found.logs == sum(len(block.logs) for block, _ in read(tape).blocks())
    pairs = {name: len(series) for name, series in found.prices.items()}
    assert pairs == {"WETH/USDC": 4, "WETH/DAI": 3, "WETH/WBTC": 3}
    assert {series.name for series in found.gaps} == set(pairs)
    assert all(len(series.blocks) == 40 for series in found.gaps)


def test_the_digest_tells_of_any_change_to_what_was_replayed(tape: Path, tmp_path: Path) -> None:
    recorded = read(tape)
    original = replay(recorded, WETH)

    def later_fee(block: Block) -> Block:
        return replace(block, header=replace(block.header, base_fee=block.header.base_fee + 1))

    changed = replay(rewritten(recorded, tmp_path / "fees", later_fee), WETH)
    copied = replay(rewritten(recorded, tmp_path / "copy", lambda block: block), WETH)
    assert copied.digest == original.digest
    assert changed.digest != original.digest


def test_the_digest_tells_of_pools_that_no_row_can_see(tape: Path) -> None:
    """A position far from the price changes no feature, and is there at the end."""
    recorded = read(tape)
    original = replay(recorded, WETH)
    pool = next(pool for pool in recorded.pools if isinstance(pool, UniswapV3Pool))
    spacing = pool.spec.tick_spacing
    lower = (pool.tick // spacing + 20_000) * spacing
    far = pool.after_position(lower, lower + spacing, 10**9)
    pools = tuple(far if each is pool else each for each in recorded.pools)
    changed = replay(replace(recorded, pools=pools), WETH)
    assert changed.rows == original.rows
    assert changed.digest != original.digest


def test_what_the_replay_does_is_told_as_it_goes_on(tape: Path) -> None:
    told: list[int] = []
    before = cut(read(tape), 30)
    rest = tail(read(tape), 30)
    replay(rest, WETH, before=before, advance=told.append)
    assert told == [40]


def test_blocks_to_warm_up_on_are_walked_and_not_counted(tape: Path) -> None:
    whole = replay(read(tape), WETH)
    split = replay(tail(read(tape), 30), WETH, before=cut(read(tape), 30))
    assert split.blocks == 10
    assert split.warm_rows == whole.rows[:30]
    assert split.rows == whole.rows[30:]
    assert split.headers == whole.headers[30:]
    assert split.swaps == split.invariant_ok < whole.swaps


def cut(recorded: Recorded, count: int) -> Recorded:
    """Return the first blocks of a recording."""
    return replace(
        recorded, block_count=count, open_blocks=lambda: itertools.islice(recorded.blocks(), count)
    )


def tail(recorded: Recorded, count: int) -> Recorded:
    """Return all but the first blocks, as if they had been recorded alone; its pools lag behind."""
    return replace(
        recorded,
        block_count=recorded.block_count - count,
        open_blocks=lambda: itertools.islice(recorded.blocks(), count, None),
    )


@pytest.mark.parametrize(
    ("what", "place", "add"),
    # amounts have room for many prices: one that differs in its last digits is no contradiction
    [("amount0", 0, 1), ("amount1", 1, 1), ("price", 2, 2**70), ("liquidity", 3, 1), ("tick", 4, 1)],
)
def test_a_falsified_swap_ends_the_replay_and_is_named(
    tape: Path, tmp_path: Path, what: str, place: int, add: int
) -> None:
    recorded = read(tape)
    honest = first_swap(recorded)
    false = rewritten(recorded, tmp_path / what, replacing(honest, with_word(honest, place, add)))
    with pytest.raises((InvariantBroken, MarketError)) as caught:
        replay(false, WETH)
    fields = caught.value.fields
    # whatever notices it first, the message leads to the row
    assert (fields["block"], fields["log_index"]) == (honest.block_number, honest.log_index)
    if what in ("amount0", "amount1", "price"):
        assert isinstance(caught.value, InvariantBroken)
        assert f"block {honest.block_number}, log {honest.log_index} " in caught.value.message
        assert fields["pool_id"] == honest.address


def test_a_swap_that_is_left_out_is_noticed_at_the_next_one_of_its_pool(tape: Path, tmp_path: Path) -> None:
    recorded = read(tape)
    missing = first_swap(recorded)

    def without(block: Block) -> Block:
        return replace(block, logs=tuple(log for log in block.logs if log != missing))

    with pytest.raises(InvariantBroken) as caught:
        replay(rewritten(recorded, tmp_path / "hole", without), WETH)
    assert caught.value.fields["pool_id"] == missing.address
    place = (caught.value.fields["block"], caught.value.fields["log_index"])
    assert place > (missing.block_number, missing.log_index)


def rehashed(folder: Path) -> None:
    """Make the manifest agree with damaged parts, as a damage in memory before the hashing would."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest.pop("digest")
    for table in ("blocks", "logs"):
        manifest["parts"][0][f"{table}_sha256"] = hashlib.sha256(
            part_of(folder, table).read_bytes()
        ).hexdigest()
    digest = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
    path.write_text(json.dumps(manifest | {"digest": digest}))


def part_of(folder: Path, table: str) -> Path:
    """Return the one file that a table of a short tape has."""
    (part,) = folder.glob(f"{table}/*/*.parquet")
    return part


@pytest.fixture
def damaged(tape: Path, tmp_path: Path) -> Path:
    """Return a copy to break."""
    return Path(shutil.copytree(tape, tmp_path / "damaged"))


@pytest.mark.parametrize("table", ["blocks", "logs"])
@pytest.mark.parametrize("keep", [0.0, 0.5, 0.99])
def test_a_truncated_part_is_refused_before_a_block_is_walked(damaged: Path, table: str, keep: float) -> None:
    part = part_of(damaged, table)
    part.write_bytes(part.read_bytes()[: int(part.stat().st_size * keep)])
    with pytest.raises(TapeError, match="record the tape again") as caught:
        replay(read(damaged), WETH)
    assert caught.value.fields["file"] == str(part)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("table", ["blocks", "logs"])
def test_damage_that_the_hashes_agree_with_is_refused_with_file_and_row(damaged: Path, table: str) -> None:
    """Zeroes here and there; nothing but an error of ours may come of it."""
    part = part_of(damaged, table)
    whole = part.read_bytes()
    errors: list[TapeError | MarketError] = []
    for at in range(16, min(len(whole) - 2_000, 16 + 40 * 97), 97):
        part.write_bytes(whole[:at] + bytes(8) + whole[at + 8 :])
        rehashed(damaged)
        errors += outcome(damaged)
    assert errors
    for error in errors:
        # what still reads as a row contradicts the pool it is about, and is named by its place
        where = {str(file) for file in damaged.rglob("*")}
        assert error.fields["file"] in where if "file" in error.fields else "block" in error.fields


def outcome(folder: Path) -> list[TapeError | MarketError]:
    """Return what a replay raised, if it did; anything else than our own errors fails the test."""
    try:
        replay(read(folder), WETH)
    except (TapeError, MarketError) as error:
        return [error]
    return []


def test_a_corrupt_row_is_refused_with_file_row_and_position(tape: Path, tmp_path: Path) -> None:
    recorded = read(tape)
    honest = first_swap(recorded)
    short = replace(honest, data=honest.data[:-1])
    corrupt = rewritten(recorded, tmp_path / "short", replacing(honest, short))
    with pytest.raises(TapeError) as caught:
        replay(corrupt, WETH)
    fields = caught.value.fields
    assert (fields["block"], fields["log_index"]) == (honest.block_number, honest.log_index)


def test_rows_know_nothing_of_blocks_to_come(tape: Path) -> None:
    recorded = read(tape)
    rows = replay(recorded, WETH).rows
    for count in (1, 7, 25):
        assert replay(cut(recorded, count), WETH).rows == rows[:count]
        assert replay(with_another_future(recorded, count), WETH).rows[:count] == rows[:count]


def with_another_future(recorded: Recorded, count: int) -> Recorded:
    """Return a recording that is the same up to a block, and empty at other fees from then on."""

    def blocks() -> Iterator[tuple[Block, BlockContext]]:
        for place, (block, context) in enumerate(recorded.blocks()):
            if place < count:
                yield block, context
            else:
                fee = 3 * block.header.base_fee + place
                yield replace(block, header=replace(block.header, base_fee=fee), logs=()), NO_CONTEXT

    return replace(recorded, open_blocks=blocks)


@pytest.mark.data
def test_the_recorded_day_is_reproduced_to_the_wei(data_root: Path) -> None:
    day = load_day(data_root)
    before = load_before(data_root, next(day.blocks())[0].number)
    told: list[int] = []
    found = replay(day, WETH, before=before, advance=told.append)
    assert found.blocks == day.block_count == BLOCKS_OF_THE_DAY
    assert found.invariant_ok == found.invariant_checked > 5_000
    assert found.invariant_checked + found.not_checkable == found.swaps
    assert found.refusals[Reason.RATE_BELOW_ONE] > 0
    assert told == sorted(set(told))
    assert told[-1] == BLOCKS_OF_THE_DAY + (before.block_count if before else 0)
    assert found.prices
    assert found.gaps
