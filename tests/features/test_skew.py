"""Logged rows are held against the batch path's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.errors import InputError
from core.reasons import Reason
from features.batch import build
from features.feature import FeatureRow
from features.registry import BLOCK, MARKET
from features.skew import Seen, SkewMonitor, skew
from features.stream import FeatureStream
from market.context import NO_CONTEXT
from tests.features.watched import Watched, watch
from tests.random_blocks import TOKENS, RandomChain


@pytest.fixture(scope="module")
def watched() -> Watched:
    return watch([([(place, 1, 0.02, True)], NO_CONTEXT, None) for place in (0, 1, 3, 0, 1)])


def test_rows_as_they_were_served_have_no_skew(watched: Watched) -> None:
    report = skew(watched.rows[1:4], build(watched.facts, MARKET))
    assert (report.rows, report.first, report.refusal) == (3, None, None)


def test_a_row_that_was_served_otherwise_is_told_with_its_distance(watched: Watched) -> None:
    row = watched.rows[2]
    values = list(row.values)
    place = row.names.index("depth_log")
    values[place] = float(np.nextafter(values[place], 100))
    report = skew([*watched.rows[:2], replace(row, values=tuple(values))], build(watched.facts, MARKET))
    assert report.by_feature == {"depth_log": 1}
    assert report.refusal is not None
    assert report.refusal.reason is Reason.FEATURE_SKEW
    assert "depth_log of block 103" in report.refusal.detail
    assert "1 floats apart" in report.refusal.detail


def test_a_row_of_a_block_that_the_batch_does_not_have_is_told(watched: Watched) -> None:
    report = skew(watched.rows, build(watched.facts.head(3), MARKET))
    assert (report.rows, report.unknown_blocks) == (3, (104, 105))
    assert report.refusal is not None
    assert report.refusal.reason is Reason.FEATURE_SKEW


def test_rows_of_another_set_are_refused(watched: Watched) -> None:
    with pytest.raises(InputError) as caught:
        skew(watched.rows, build(watched.facts, BLOCK))
    assert caught.value.fields["reason"] is Reason.FEATURE_SET_DIFFERS


def monitored(count: int) -> tuple[SkewMonitor, list[FeatureRow]]:
    """Return a monitor, and the rows of the stream that it saw, which began anew with the third block."""
    chain = RandomChain()
    state, rows = chain.state(), []
    specs = [pool.spec for pool in chain.followed()]
    monitor, stream = SkewMonitor(TOKENS, specs), FeatureStream(TOKENS, specs, MARKET)
    for place in range(count):
        block = chain.block([(place % 4, 1, 0.02, True)])
        applied = state.apply(block)
        began = place in (0, 2)
        if place == 2:
            stream = FeatureStream(TOKENS, specs, MARKET)
        rows.append(stream.update(block, NO_CONTEXT, state, applied))
        pools = {name: pool for name, pool in state.pools.items() if began or name in applied.touched}
        monitor.add(Seen(block, NO_CONTEXT, applied, pools, began))
    return monitor, rows


def test_a_monitor_follows_a_stream_that_began_anew() -> None:
    monitor, rows = monitored(6)
    report = monitor.check(rows, MARKET)
    assert (report.rows, report.first, report.refusal) == (6, None, None)
    wrong = replace(rows[4], values=(*rows[4].values[:-1], 3.0))
    report = monitor.check([*rows[:4], wrong], MARKET)
    assert report.first is not None
    assert report.first.block_number == rows[4].block_number
    assert report.by_feature == {MARKET.names[-1]: 1}


def test_a_monitor_compares_no_row_after_the_blocks_it_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("features.skew.WATCHED_BLOCKS", 4)
    monitor, rows = monitored(6)
    assert monitor.check(rows, MARKET).rows == 4
    assert monitor.check([], MARKET).refusal is None
    orphan = replace(rows[0], block_number=rows[0].block_number - 1)
    assert monitor.check([orphan], MARKET).unknown_blocks == (orphan.block_number,)
