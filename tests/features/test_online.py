"""Both online stores keep the same rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from core.errors import InputError
from features.feature import FeatureRow
from features.online import OnlineStore, RedisStore, RingStore
from features.registry import BLOCK, MARKET
from tests.redis_server import RedisServer
from tests.small_market import Market

Make = Callable[[int], OnlineStore]
ROWS = [market.step(number) for market in [Market()] for number in range(1, 8)]


@pytest.fixture(scope="module")
def redis_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server.client


@pytest.fixture(params=["ring", "redis"])
def make(request: pytest.FixtureRequest) -> Make:
    if request.param == "ring":
        return lambda depth: RingStore(BLOCK, depth)
    client = request.getfixturevalue("redis_client")
    client.flushall()
    return lambda depth: RedisStore(client, BLOCK, depth)


def test_the_last_rows_come_back_to_the_bit_oldest_first(make: Make) -> None:
    store = make(5)
    for row in ROWS:
        store.put(row)
    assert store.latest(3) == tuple(ROWS[-3:])
    assert store.latest(99) == tuple(ROWS[-5:])
    assert store.latest(0) == ()
    assert [row.digest for row in store.latest(1)] == [ROWS[-1].digest]


def test_subjects_are_kept_apart(make: Make) -> None:
    store = make(5)
    other = replace(ROWS[0], subject="p>q")
    store.put(ROWS[0])
    store.put(other)
    assert (store.latest(9), store.latest(9, "p>q"), store.latest(9, "nobody")) == ((ROWS[0],), (other,), ())


def test_a_replaced_block_takes_those_above_it_along(make: Make) -> None:
    store = make(9)
    for row in ROWS:
        store.put(row)
    again = replace(ROWS[3], known_at_ns=1)
    store.put(again)
    assert store.latest(9) == (*ROWS[:3], again)


def test_a_rollback_forgets_what_is_above(make: Make) -> None:
    store = make(9)
    for row in ROWS:
        store.put(row)
    store.rollback(4)
    assert store.latest(9) == tuple(ROWS[:4])
    store.rollback(0)
    assert store.latest(9) == ()


def test_a_row_of_another_set_is_refused(make: Make) -> None:
    row = FeatureRow(1, 1, 1, MARKET.names, (0.0,) * len(MARKET.names))
    with pytest.raises(InputError, match="not of the feature set"):
        make(5).put(row)


@pytest.mark.parametrize("text", ["", "[]", '[1, 2, 3, [1.0], [], ""]', "{}", '[1,2,3,[null],[],""]'])
def test_a_damaged_row_in_redis_is_refused(redis_client: Any, text: str) -> None:
    redis_client.flushall()
    store = RedisStore(redis_client, BLOCK)
    store.put(ROWS[0])
    (key,) = redis_client.keys()
    redis_client.zadd(key, {text: 9})
    with pytest.raises(InputError, match="delete its key"):
        store.latest(1)
