"""The last rows of a run: a mirror that fails misses some for a while, and nothing else happens."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pipeline.online_rows
from core.errors import InputError
from features.feature import FeatureRow
from features.online import RedisStore, RingStore
from features.registry import BLOCK, MARKET
from pipeline.feature_log import FeatureLog
from pipeline.online_rows import LEFT_ALONE, OnlineRows, redis_store
from tests.random_blocks import TOKENS
from tests.redis_server import RedisServer


def row(number: int, branch: int = 0) -> FeatureRow:
    return FeatureRow(number, 12 * number, 0, BLOCK.names, (float(branch),) * len(BLOCK.names))


class Mirror(RingStore):
    """A double of a server that can be down, and then fails after it has taken a row."""

    def __init__(self) -> None:
        super().__init__(BLOCK)
        self.down = False
        self.asked: list[int] = []

    def put(self, row: FeatureRow) -> None:
        self.asked.append(row.block_number)
        super().put(row)
        if self.down:
            raise ConnectionError("gone in the middle")


steps = st.lists(st.tuples(st.sampled_from(["put", "put", "replace", "down", "up"]), st.integers(0, 6)))


@settings(max_examples=60, deadline=None)
@given(steps=steps, left=st.booleans())
def test_a_mirror_that_answers_again_holds_what_it_missed_and_no_orphan(
    steps: list[tuple[str, int]], left: bool
) -> None:
    mirror, head = Mirror(), 100
    if left:
        mirror.put(row(9_999))
    online = OnlineRows(BLOCK, mirror)
    for branch, (what, depth) in enumerate(steps):
        if what in ("down", "up"):
            mirror.down = what == "down"
            continue
        if what == "replace":
            head -= depth
            online.rollback(head)
        head += 1
        online.put(row(head, branch))
    mirror.down = False
    online.close()
    assert mirror.latest(999) == online.rows.latest(999)


def test_what_is_missed_is_counted_and_a_dead_server_is_left_alone_for_a_while() -> None:
    mirror = Mirror()
    online = OnlineRows(BLOCK, mirror)
    online.put(row(1))
    assert online.missed == 0
    mirror.down = True
    for number in range(2, LEFT_ALONE + 4):
        online.put(row(number))
    assert online.missed == LEFT_ALONE + 2
    # the row that failed, and the first of all rows when the wait is over
    assert mirror.asked == [1, 2, 1]


@pytest.mark.parametrize("url", ["redis://127.0.0.1:port/0", "http://127.0.0.1"])
def test_a_url_that_is_none_is_refused_before_anything_connects(url: str) -> None:
    pytest.importorskip("redis")
    with pytest.raises(InputError, match="redis_url"):
        redis_store(url, BLOCK)


def test_other_processes_find_the_last_rows_in_redis_and_its_death_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline.online_rows, "LEFT_ALONE", 2)
    with RedisServer(tmp_path) as server:
        logged = FeatureLog(tmp_path / "store", "one", TOKENS, (), server.url)
        online, reader = logged.online[BLOCK.name], RedisStore(server.client, BLOCK)
        for number in range(1, 6):
            online.put(row(number))
        assert reader.latest(3) == (row(3), row(4), row(5))
        server.stop()
        for number in range(6, 9):
            online.put(row(number))
        assert online.missed == 3
        server.start()
        online.rollback(6)
        online.put(row(7, 1))
        assert reader.latest(99) == online.rows.latest(99)
        assert [one.block_number for one in reader.latest(2)] == [6, 7]
        assert RedisStore(server.client, MARKET).latest(1) == ()
        assert logged.close().online_missed == 3
