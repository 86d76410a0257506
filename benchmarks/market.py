"""The market in columns: decoding, applying, changes of ticks, memory; each beside what it replaces.

The main tape is seeded: 2,000 pools, half pairs and half V3, 64 blocks that the journal can undo, so every
repeat starts from the same state. Baselines run in turn with ours, on the same logs, in this process.
"""

from __future__ import annotations

import os
import random
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from benchmarks.harness import Progress, Row, at_least, at_most, median
from benchmarks.market_tape import LOGS_PER_BLOCK, TOKENS, SeededMarket, positions, v3_pool
from chain.blocks import Block, RawLog
from core.config_loader import load_settings
from core.data_root import find_data_root
from core.errors import OmniArbError
from market import events
from market.arrays.market import MarketArrays
from market.bulk.decoder import marked
from market.bulk.raw_logs import RawLogs, raw_logs
from market.bulk.tape import read_tape
from market.decoding import decode_log
from market.history import load_day
from market.pools.pool import Pool
from market.pools.uniswap_v2 import UniswapV2Pool
from market.pools.uniswap_v3 import UniswapV3Pool
from market.pools.weighted import WeightedPool
from market.state import JOURNAL_DEPTH, MarketState
from market.tape import TapeWriter

REPEATS = 9
DECODE_REACH, APPLY_REACH, CODEC_REACH = 500_000.0, 200_000.0, 50.0
TICK_REACH_US, MEMORY_REACH_GB = 5.0, 1.0
SEED = 7

_SWAPS = (events.PAIR_SWAP, events.V3_SWAP)
_TYPES = {
    events.PAIR_SYNC: ("uint112", "uint112"),
    events.PAIR_SWAP: ("uint256",) * 4,
    events.V3_SWAP: ("int256", "int256", "uint160", "uint128", "int24"),
    events.V3_MINT: ("address", "uint128", "uint256", "uint256"),
    events.V3_BURN: ("uint128", "uint256", "uint256"),
}


def rows(progress: Progress) -> list[Row]:
    """Return the figures of the market in columns."""
    progress("making a market and its tape")
    market = SeededMarket(SEED, 1000, 1000)
    blocks = list(market.blocks(JOURNAL_DEPTH))
    columns, compiling = _compiled(market, blocks)
    records = MarketState(market.pools, TOKENS, market.head)
    progress("decoding")
    measured = _decode_rows([log for block in blocks for log in block.logs])
    progress("applying")
    measured += _apply_rows(records, columns, blocks)
    progress("changing ticks")
    measured += _tick_rows(market)
    progress("filling 50,000 pools")
    measured += _memory_rows()
    root = find_data_root(load_settings("replay", os.environ))
    if root is not None:
        progress("applying a recorded day")
        measured += _recorded_rows(root)
    return [*measured, Row("compiling the kernels, once in a process", compiling, "s")]


def _compiled(market: SeededMarket, blocks: Sequence[Block]) -> tuple[MarketArrays, float]:
    """Return a market that has done and undone a block, and seconds of that."""
    columns = MarketArrays(market.pools, TOKENS, market.head)
    start = time.perf_counter()
    columns.apply(blocks[0])
    columns.rollback(market.head.number)
    return columns, time.perf_counter() - start


def _in_turn(*actions: Callable[[], object]) -> list[float]:
    """Return each action's median seconds; one repeat runs all of them."""
    seconds: list[list[float]] = [[] for _ in actions]
    for _ in range(REPEATS):
        for place, action in enumerate(actions):
            start = time.perf_counter()
            action()
            seconds[place].append(time.perf_counter() - start)
    return [median(each) for each in seconds]


def _decode_rows(logs: list[RawLog]) -> list[Row]:
    # web3 takes long to import, which no other benchmark need wait for
    from web3 import Web3

    raw, codec = raw_logs(logs), Web3().codec

    def with_codec() -> None:
        for log in logs:
            codec.decode(_TYPES[log.topics[0]], log.data)

    columns_s, packed_s, records_s, codec_s = _in_turn(
        lambda: marked(raw),
        lambda: marked(raw_logs(logs)),
        lambda: [decode_log(log) for log in logs],
        with_codec,
    )
    count = len(logs)
    return [
        at_least("decode raw logs, one core", count / columns_s, "logs/s", DECODE_REACH),
        Row("pack records of logs into columns and decode", count / packed_s, "logs/s"),
        at_least("decode, ratio to web3", codec_s / columns_s, "x", CODEC_REACH, "web3's codec, data alone"),
        Row("decode, ratio to records", records_s / columns_s, "x", baseline="our decoder of single logs"),
    ]


def _apply_rows(records: MarketState, columns: MarketArrays, blocks: list[Block]) -> list[Row]:
    start = columns.head
    assert start is not None
    with tempfile.TemporaryDirectory() as folder:
        tape = Path(folder) / "tape"
        _write(tape, blocks)
        seconds: list[list[float]] = [[] for _ in range(5)]
        for _ in range(REPEATS):
            for place, each in enumerate(_one_apply(records, columns, blocks, tape)):
                seconds[place].append(each)
            _check(records, columns)
            clock = time.perf_counter()
            columns.rollback(start.number)
            seconds[4].append(time.perf_counter() - clock)
            records.rollback(start.number)
    read_s, decode_s, apply_s, records_s, undo_s = (median(each) for each in seconds)
    logs = sum(len(block.logs) for block in blocks)
    swaps = sum(log.topics[0] in _SWAPS for block in blocks for log in block.logs)
    reached = [
        at_least("apply, decoded before", swaps / apply_s, "swap logs/s", APPLY_REACH),
        at_least("decode and apply", swaps / (decode_s + apply_s), "swap logs/s", APPLY_REACH),
        at_least(
            "read the tape, decode, apply", swaps / (read_s + decode_s + apply_s), "swap logs/s", APPLY_REACH
        ),
    ]
    return [
        *reached,
        Row("all logs of that tape over its swap logs", logs / swaps, "x"),
        Row("decode and apply, ratio", records_s / (decode_s + apply_s), "x", baseline="MarketState.apply"),
        Row(f"undo {JOURNAL_DEPTH} blocks of {LOGS_PER_BLOCK} logs", 1e3 * undo_s, "ms"),
    ]


def _one_apply(
    records: MarketState, columns: MarketArrays, blocks: list[Block], tape: Path
) -> tuple[float, float, float, float]:
    """Return seconds of reading the tape, of decoding it, of applying it, and of the market of records."""
    times = [time.perf_counter()]
    parts = list(read_tape(tape))
    times.append(time.perf_counter())
    decoded = [marked(part.logs) for part in parts]
    times.append(time.perf_counter())
    for part, logs in zip(parts, decoded, strict=True):
        placed, ends = columns.placed(logs), part.ends.tolist()
        for place, header in enumerate(part.headers):
            columns.apply_logs(header, placed, ends[place], ends[place + 1])
    times.append(time.perf_counter())
    for block in blocks:
        records.apply(block)
    times.append(time.perf_counter())
    read_s, decode_s, apply_s, records_s = (after - before for before, after in pairwise(times))
    return read_s, decode_s, apply_s, records_s


def _write(tape: Path, blocks: Sequence[Block]) -> None:
    with TapeWriter(tape, specs=(), tokens=TOKENS, pools=(), source="seeded") as writer:
        for block in blocks:
            writer.append(block)


def _check(records: MarketState, columns: MarketArrays) -> None:
    """Refuse to publish figures of a market that is not equal to the one of records."""
    for pool_id in random.Random(SEED).sample(columns.ids, min(50, len(columns.ids))):
        if columns.view(pool_id) != records.pools[pool_id]:
            raise OmniArbError(
                "the market in columns has another pool than the one of records", pool_id=pool_id
            )


def _tick_rows(market: SeededMarket) -> list[Row]:
    """Time positions alone: each changes two ticks, most of them new or gone."""
    pools = [pool for pool in market.pools if isinstance(pool, UniswapV3Pool)]
    header = replace(
        market.head, number=market.head.number + 1, hash=b"\1" * 32, parent_hash=market.head.hash
    )
    logs = positions(SEED, pools, 4000, header.number)
    columns = MarketArrays(pools, TOKENS, market.head)
    placed = columns.placed(marked(raw_logs(logs)))
    ours, theirs = [], []
    for _ in range(REPEATS):
        clock = time.perf_counter()
        columns.apply_logs(header, placed, 0, len(logs))
        ours.append(time.perf_counter() - clock)
        columns.rollback(market.head.number)
        changed = {pool.address: pool for pool in pools}
        clock = time.perf_counter()
        for log in logs:
            lower, upper = (int.from_bytes(topic, "big", signed=True) for topic in log.topics[2:])
            amount = int.from_bytes(log.data[32:64], "big")
            changed[log.address] = changed[log.address].after_position(lower, upper, amount)
        theirs.append(time.perf_counter() - clock)
    each = 1e6 * median(ours) / (2 * len(logs))
    return [
        at_most("change of a V3 tick, in place", each, "us", TICK_REACH_US),
        Row(
            "change of a V3 tick, ratio", median(theirs) / median(ours), "x", baseline="new TickMap in Python"
        ),
    ]


def _memory_rows() -> list[Row]:
    """Measure all that 50,000 pools leave allocated: arrays, specs, ids, look-ups."""
    models = [v3_pool(random.Random(place), place) for place in range(500)]
    ticks = sum(len(models[place % len(models)].ticks) for place in range(20_000))
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        clock = time.perf_counter()
        columns = MarketArrays(_many(models), TOKENS)
        seconds = time.perf_counter() - clock
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    arrays = sum(array.nbytes for part in columns.tables for array in part)
    return [
        at_most(
            f"memory of {len(columns.ids):,} pools, {ticks:,} ticks",
            (after - before) / 1e9,
            "GB",
            MEMORY_REACH_GB,
        ),
        Row("of that, arrays", arrays / 1e9, "GB"),
        Row("filling them, with allocations traced", seconds, "s"),
    ]


def _many(models: Sequence[UniswapV3Pool]) -> Iterator[Pool]:
    """Yield 25,000 pairs, 20,000 V3 pools and 5,000 weighted pools of two to eight tokens."""
    for place in range(50_000):
        address = f"0x{place + 1:040x}"
        model = models[place % len(models)]
        spec = replace(model.spec, pool_id=address, address=address)
        if place < 25_000:
            yield UniswapV2Pool(replace(spec, family="uniswap_v2", tick_spacing=0), 10**24 + place, 10**21)
        elif place < 45_000:
            yield replace(model, spec=spec)
        else:
            pool_id, count = f"0x{place + 1:064x}", 2 + place % 7
            tokens = tuple((*TOKENS, *(next(iter(TOKENS)),) * 6)[:count])
            weights = (10**18 // count,) * count
            spec = replace(spec, family="weighted", pool_id=pool_id, tokens=tokens, weights=weights)
            yield WeightedPool(spec, (10**24,) * count, (18,) * count)


def _recorded_rows(root: Path) -> list[Row]:
    """Apply a recorded day, whose pools are known in part, so that each swap that leaves it is redone."""
    day = load_day(root)
    blocks = [block for block, _ in day.blocks()]
    logs = [log for block in blocks for log in block.logs]
    raw = raw_logs(logs)

    def with_columns() -> None:
        _day(MarketArrays(day.pools, day.tokens), raw, blocks)

    def with_records() -> None:
        records = MarketState(day.pools, day.tokens)
        for block in blocks:
            records.apply(block)

    columns, records = _in_turn(with_columns, with_records)
    swaps = sum(log.topics[0] in _SWAPS for log in logs)
    return [
        Row(f"{day.source}, decode and apply", swaps / columns, "swap logs/s"),
        Row("the same, ratio", records / columns, "x", baseline="MarketState.apply"),
        Row("blocks of that day over its swap logs", len(blocks) / swaps, "x"),
    ]


def _day(columns: MarketArrays, raw: RawLogs, blocks: Sequence[Block]) -> None:
    placed, first = columns.placed(marked(raw)), 0
    for block in blocks:
        columns.apply_logs(block.header, placed, first, first + len(block.logs))
        first += len(block.logs)
