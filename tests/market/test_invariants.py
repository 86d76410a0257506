"""Recorded swaps obey the pools' arithmetic, and one that does not is found."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from core.reasons import Reason, Refusal
from market.advance import advance
from market.events import V3Mint, V3Swap, decode
from market.history import HISTORY_SPECS, load_day, read_logs
from market.invariants import SwapCheck, check_swap
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import UniswapV2Pool
from market.pools.uniswap_v3 import NOTHING_KNOWN, UniswapV3Pool
from market.recorded import Recorded

LOGS = "v3_logs_mainnet_20240105.parquet"


@pytest.fixture(scope="module")
def day(data_root: Path) -> Recorded:
    return load_day(data_root)


def checks(logs_of: Path, pools: dict[str, Pool]) -> Counter[str]:
    """Check every swap of a file on the pool it met."""
    counts: Counter[str] = Counter()
    for log in read_logs(logs_of):
        event = decode(log)
        if event is None:
            continue
        before = pools[event.pool_id]
        if isinstance(event, V3Swap):
            assert isinstance(before, UniswapV3Pool)
            check = check_swap(before, event)
            same = before.liquidity == event.liquidity and before.sqrt_price_x96 != 0
            if isinstance(check, Refusal):
                assert check.reason is Reason.NOT_CHECKABLE
                counts["not checkable, same liquidity" if same else "not checkable"] += 1
            else:
                counts[("ok" if check.ok else "broken") + (", crossing" if check.crossed else "")] += 1
        pools[event.pool_id] = advance(before, event)
    return counts


@pytest.mark.data
def test_every_checkable_swap_of_mainnet_is_reproduced_to_the_unit(data_root: Path, day: Recorded) -> None:
    counts = checks(data_root / LOGS, {pool.pool_id: pool for pool in day.pools})
    assert counts == {"ok": 5_735, "ok, crossing": 555, "not checkable": 64}


@pytest.mark.data
def test_every_checkable_swap_of_polygon_is_reproduced_to_the_unit(data_root: Path) -> None:
    address = "0x45dda9cb7c25131df268515131f647d726f50608"
    tokens = ("0x2791bca1f2de4661ed88a30c99a7a9449aa84174", "0x7ceb23fd6bc0add59e62ac25578270cff1b9f619")
    spec = PoolSpec("uniswap_v3", address, address, tokens, 500, tick_spacing=10)
    pools: dict[str, Pool] = {address: UniswapV3Pool(spec, 0, 0, 0, {}, NOTHING_KNOWN)}
    counts = checks(data_root / "v3_logs_polygon_20220105.parquet", pools)
    assert counts == {"ok": 3_406, "ok, crossing": 527, "not checkable": 39}


@pytest.mark.data
def test_a_recorded_swap_changed_by_a_millionth_is_found(data_root: Path, day: Recorded) -> None:
    """Seeded errors in amounts, direction and tick; inside the known ticks each must be called broken."""
    pools: dict[str, Pool] = {pool.pool_id: pool for pool in day.pools}
    found = tried = 0
    for log in read_logs(data_root / LOGS)[:1500]:
        event = decode(log)
        if event is None:
            continue
        before = pools[event.pool_id]
        if isinstance(event, V3Swap) and isinstance(check_swap(before, event), SwapCheck):
            assert isinstance(before, UniswapV3Pool)
            inside = before.known is not None and before.known[0] <= event.tick < before.known[1]
            for wrong in (
                replace(event, amount0=event.amount0 + 2 + abs(event.amount0) // 10**6),
                replace(event, amount1=event.amount1 - 2 - abs(event.amount1) // 10**6),
                replace(event, tick=event.tick + 1),
                replace(event, amount0=-event.amount0, amount1=-event.amount1),
            ):
                check = check_swap(before, wrong)
                caught = isinstance(check, SwapCheck) and not check.ok
                assert caught or not inside or wrong.tick != event.tick
                found += caught
                tried += 1
        pools[event.pool_id] = advance(before, event)
    assert found / tried > 0.9


def test_only_v3_swaps_of_a_pool_already_seen_are_checkable() -> None:
    spec = HISTORY_SPECS[0]
    at = (spec.pool_id, spec.address, 1, 0, 0)
    unseen = UniswapV3Pool(spec, 0, 0, 0, {}, NOTHING_KNOWN)
    for pool, event in (
        (unseen, V3Swap(*at, 1, -1, 2**96, 1, 0)),
        (unseen, V3Mint(*at, -10, 10, 1, 1, 1)),
        (UniswapV2Pool(spec, 1, 1), V3Swap(*at, 1, -1, 2**96, 1, 0)),
    ):
        check = check_swap(pool, event)
        assert isinstance(check, Refusal)
        assert check.reason is Reason.NOT_CHECKABLE


def test_a_tick_that_does_not_fit_its_price_is_broken() -> None:
    pool = UniswapV3Pool(HISTORY_SPECS[0], 2**96, 0, 1, {})
    check = check_swap(pool, V3Swap(pool.pool_id, pool.pool_id, 1, 0, 0, 1, -1, 2**96 + 1, 1, -1))
    assert isinstance(check, SwapCheck)
    assert not check.ok
    assert "tick -1" in check.detail
