"""The store of pools: what goes in comes out, two writers do not double anything, damage is one line."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import database
from core.database import open_database
from core.errors import InputError
from core.reasons import Reason, Refusal
from core.seams import ManualClock
from market.pools.spec import PoolSpec
from market.tokens import Token
from pipeline.pool_rows import PoolStatus, Progress, StoredPool
from pipeline.pool_store import PoolQuery, PoolStore

USDC, WETH, FAKE = ("0x" + digits * 20 for digits in ("a0", "c0", "fa"))
TOKENS = {USDC: Token(USDC, "USDC", 6), WETH: Token(WETH, "WETH", 18), FAKE: Token(FAKE, "usdc", 9)}
DUST = Refusal(Reason.DUST_POOL, "it holds 5 of 0xa")


def pool(number: int, tokens: tuple[str, ...] = (USDC, WETH), refusal: Refusal | None = None) -> StoredPool:
    pool_id = f"0x{number:040x}"
    spec = PoolSpec("uniswap_v2", pool_id, pool_id, tokens, 3_000, venue="uniswap_v2")
    status = PoolStatus.QUARANTINED if refusal is None else PoolStatus.REFUSED
    return StoredPool("base", spec, status, 10 + number, number, 99, 0, refusal)


def opened(path: Path) -> PoolStore:
    return PoolStore(open_database(f"sqlite:///{path}"), ManualClock(now=5))


@pytest.fixture
def store(tmp_path: Path) -> PoolStore:
    return opened(tmp_path / "pools.db")


SPECS = st.builds(
    PoolSpec,
    family=st.sampled_from(["", "weighted", "uniswap_v4"]),
    pool_id=st.just("0x" + "11" * 32),
    address=st.just("0x" + "22" * 20),
    tokens=st.lists(st.sampled_from([USDC, WETH, FAKE]), unique=True).map(tuple),
    fee=st.integers(0, 10**6),
    tick_spacing=st.integers(0, 2**15),
    weights=st.lists(st.integers(1, 10**18)).map(tuple),
    venue=st.text(max_size=20).filter(lambda text: "\x00" not in text and text.isprintable()),
    fees=st.lists(st.integers(0, 10**6), max_size=2).map(tuple),
)
REFUSALS = st.none() | st.builds(Refusal, st.sampled_from(Reason), st.text().filter(str.isprintable))


@given(SPECS, REFUSALS, st.integers(0, 2**62), st.integers(0, 2**40))
def test_a_pool_comes_back_as_it_was(spec: PoolSpec, refusal: Refusal | None, block: int, place: int) -> None:
    store = PoolStore(open_database("sqlite://"), ManualClock())
    status = PoolStatus.VERIFIED if refusal is None else PoolStatus.REFUSED
    kept = StoredPool("base", spec, status, block, place, block + 1, 7, refusal)
    assert store.record("base", "s", None, Progress(0, 1), [kept], {}) == (kept,)
    assert store.pools(PoolQuery()) == (kept,)
    store.close()


def test_what_is_there_already_stays_as_it_is(store: PoolStore) -> None:
    first, second = Progress(0, 5, b"\x01" * 32), Progress(0, 9, b"\x02" * 32)
    assert len(store.record("base", "a", None, first, [pool(1), pool(2)], TOKENS)) == 2
    again = pool(2, refusal=DUST)
    assert store.record("base", "a", first, second, [again, pool(3), pool(3)], TOKENS) == (pool(3),)
    assert store.progress("base", "a") == second
    assert store.pools(PoolQuery()) == (pool(1), pool(2), pool(3))
    assert store.tokens("base", [USDC, "0x" + "99" * 20]) == {USDC: TOKENS[USDC]}
    assert store.tokens("bsc", [USDC]) == {}


def test_a_mark_that_somebody_else_has_moved_is_not_moved_again(tmp_path: Path) -> None:
    one, other = opened(tmp_path / "pools.db"), opened(tmp_path / "pools.db")
    first = Progress(0, 5)
    one.record("base", "a", None, first, [pool(1)], {})
    with pytest.raises(InputError, match="another discovery"):
        other.record("base", "a", None, Progress(0, 7), [pool(2)], {})
    one.record("base", "a", first, Progress(0, 9), [pool(3)], {})
    with pytest.raises(InputError, match="another discovery"):
        other.record("base", "a", first, Progress(0, 8), [pool(4)], TOKENS)
    assert other.pools(PoolQuery()) == (pool(1), pool(3))
    assert other.progress("base", "a") == Progress(0, 9)
    assert other.tokens("base", TOKENS) == {}


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        (PoolQuery(), (1, 2, 3, 4)),
        (PoolQuery(chain="bsc"), ()),
        (PoolQuery(token="UsDc"), (1, 2, 4)),
        (PoolQuery(token=FAKE.upper().replace("0X", "0x")), (4,)),
        (PoolQuery(token="NOPE"), ()),
        (PoolQuery(token="US_C"), ()),
        (PoolQuery(status=PoolStatus.REFUSED), (2, 3)),
        (PoolQuery(reasons=(Reason.DUST_POOL,)), (2,)),
        (PoolQuery(family="weighted"), ()),
        (PoolQuery(pool_id=f"0x{3:040x}"), (3,)),
        (PoolQuery(pool_id="0X0"), (1, 2, 3, 4)),
        (PoolQuery(pool_id="%"), ()),
        (PoolQuery(after=("base", f"0x{2:040x}")), (3, 4)),
    ],
)
def test_pools_are_found_by_what_they_are(
    store: PoolStore, query: PoolQuery, numbers: tuple[int, ...]
) -> None:
    unusable = Refusal(Reason.TOKEN_UNUSABLE, "no decimals")
    pools = [pool(1), pool(2, refusal=DUST), pool(3, ("0x" + "99" * 20,), unusable), pool(4, (FAKE, WETH))]
    store.record("base", "a", None, Progress(0, 1), pools, {**TOKENS, "0x" + "99" * 20: unusable})
    assert tuple(found.place for found in store.pools(query)) == numbers
    assert store.count(query) == len(numbers)
    assert len(store.pools(query, limit=1)) == min(len(numbers), 1)


def test_a_second_look_takes_the_place_of_the_first(store: PoolStore) -> None:
    store.record("base", "a", None, Progress(0, 1), [pool(1, refusal=DUST), pool(2)], {})
    store.judge([pool(1)], TOKENS)
    assert store.pools(PoolQuery()) == (pool(1), pool(2))
    assert store.tokens("base", [WETH]) == {WETH: TOKENS[WETH]}
    store.judge([], {})


def test_a_file_that_is_no_database_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "pools.db"
    path.write_bytes(b"this is a letter to a friend" * 200)
    with pytest.raises(InputError, match="file is not a database") as told:
        opened(path)
    assert "\n" not in told.value.message


def test_damage_in_the_middle_of_a_file_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "pools.db"
    store = opened(path)
    store.record("base", "a", None, Progress(0, 1), [pool(number) for number in range(1, 400)], {})
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    store.close()
    content = bytearray(path.read_bytes())
    content[8192:] = b"\xff" * len(content[8192:])
    path.write_bytes(content)
    with pytest.raises(InputError, match="cannot be used"):
        opened(path).pools(PoolQuery())


def test_rows_of_another_version_are_one_line(tmp_path: Path) -> None:
    store = opened(tmp_path / "pools.db")
    store.record("base", "a", None, Progress(0, 1), [pool(1)], {})
    with sqlite3.connect(tmp_path / "pools.db") as connection:
        connection.execute("UPDATE pools SET status = 'retired'")
    connection.close()
    with pytest.raises(InputError, match="another version"):
        store.pools(PoolQuery())


def test_a_file_that_another_process_holds_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = [each.replace("5000", "20") for each in database._SQLITE_PRAGMAS]
    monkeypatch.setattr(database, "_SQLITE_PRAGMAS", quick)
    store = opened(tmp_path / "pools.db")
    holder = sqlite3.connect(tmp_path / "pools.db")
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(InputError, match="locked"):
        store.record("base", "a", None, Progress(0, 1), [pool(1)], {})
    holder.close()
    assert store.pools(PoolQuery()) == ()
