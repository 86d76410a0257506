"""What a run counted: two ways that must agree, quantiles, and a file that is whole or not there."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.live_models import compare_live
from analysis.records import DriftAlarm, SettledBid
from chain.blocks import Block, BlockHeader, RawLog
from chain.networks import load_network
from core.errors import ExecutionError
from core.reasons import Reason, Refusal
from execution.command import Settlement
from features.feature import FeatureRow
from market.context import NO_CONTEXT
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import UniswapV2Pool
from market.pools.uniswap_v3 import UniswapV3Pool
from market.pools.v3_math import Q96
from market.pools.weighted import WeightedPool
from market.state import MarketState
from models.forecaster import Forecast, Window
from pipeline.live_config import LiveResult
from pipeline.live_findings import FeatureFindings, LearningFindings, SkewFound
from pipeline.loop import BlockWalk
from pipeline.outlook import ENOUGH, Outlook
from pipeline.quantiles import quantile
from pipeline.series import SeriesRecorder, mid_price
from pipeline.summary import execute_part, features_part, latency_part, learning_part, write_summary
from tests.small_market import DOLLAR, ETHER, USDC, WETH, Market, pool_address, sync


def settlement(number: int, verdict: Reason, *, profit: int = 0, gas: int = 0, bid: int = 0) -> Settlement:
    return Settlement(
        bundle_id=f"bundle-{number:06d}",
        decision_id=f"decision-{number:06d}",
        verdict=verdict,
        detail="",
        block_number=number,
        profit=profit,
        gas_used=gas,
        gas_cost=gas * 10**9,
        bid=bid,
        winning_bid=None,
    )


def result(*settlements: Settlement, change: int) -> LiveResult:
    return LiveResult(
        first_block=101,
        last_block=110,
        opportunities=17,
        bundles_sent=len(settlements),
        bids=tuple(SettledBid(each, 10**16) for each in settlements),
        refusals={Reason.STATE_STALE: 2, Reason.PROFIT_BELOW_COST: 5},
        pools_compared=6,
        pools_suspended={Reason.MISSED_LOG: 1},
        balance_before=10**18,
        balance_after=10**18 + change,
        latencies_us=(),
        stages_us={},
        prices={},
        gaps=(),
        forecasts=None,
        feed={"reconnects": 1},
    )


LANDED = settlement(102, Reason.LANDED, profit=5 * 10**15, gas=200_000, bid=3 * 10**15)
REVERTED = settlement(103, Reason.REVERTED, profit=-(10**14), gas=100_000)
OUTBID = settlement(104, Reason.OUTBID, bid=10**15)
NET = 5 * 10**15 - 10**14


def test_receipts_and_balances_that_agree_are_summed_up() -> None:
    assert execute_part(result(LANDED, REVERTED, OUTBID, change=NET)) == {
        "blocks": 10,
        "opportunities": 17,
        "bundles_sent": 3,
        "landed": 1,
        "outbid": 1,
        "reverted": 1,
        "state_moved": 0,
        "late": 0,
        "never_simulated": 0,
        "profit_wei": NET,
        "balance_change_wei": NET,
        "gas_used": 200_000,
        "bids_paid_wei": 3 * 10**15,
        "refusals": {"profit_below_cost": 5, "state_stale": 2},
        "pools_compared": 6,
        "pools_suspended": {"missed_log": 1},
    }


@pytest.mark.parametrize("off", [1, -1, 10**18])
def test_one_wei_between_receipts_and_balances_fails_the_run(off: int) -> None:
    with pytest.raises(ExecutionError, match="do not trade until this is understood") as caught:
        execute_part(result(LANDED, REVERTED, OUTBID, change=NET + off))
    assert caught.value.fields == {"profit_wei": NET, "balance_change_wei": NET + off}
    assert str(NET) in caught.value.message
    assert str(NET + off) in caught.value.message


def test_a_run_without_a_bundle_balances_too() -> None:
    part = execute_part(result(change=0))
    assert (part["landed"], part["profit_wei"], part["gas_used"]) == (0, 0, 0)
    with pytest.raises(ExecutionError):
        execute_part(result(change=-1))


def test_what_was_found_of_features_is_told_with_its_place() -> None:
    found = FeatureFindings(
        {"block": 9, "market": 8},
        {"market": {Reason.FEATURE_NOT_FINITE: 1}},
        17,
        SkewFound(105, "trend", 2),
        3,
        {"trend": DriftAlarm(104, "adwin", "it is 3")},
    )
    assert features_part(found) == {
        "logged": {"block": 9, "market": 8},
        "refused": {"market": {"feature_not_finite": 1}},
        "compared": 17,
        "skew_block": 105,
        "skew_feature": "trend",
        "skew_ulps": 2,
        "drift_alarms": 3,
        "drift": {"trend": {"block": 104, "reason": "feature_drift", "detector": "adwin"}},
        "ended": None,
        "faults": 0,
        "online_missed": 0,
    }
    assert features_part(FeatureFindings())["skew_block"] is None


def test_learning_that_met_nobody_gives_no_number_that_is_none() -> None:
    found = LearningFindings(refused={Reason.LABEL_MISSING: 2}, ended="it broke")
    part = learning_part(found, compare_live(None, None))
    assert part["refused"] == {"label_missing": 2}
    assert (part["forecasts"], part["mae_gwei"], part["ended"]) == (0, {}, "it broke")
    json.dumps(part, allow_nan=False)


def test_every_verdict_has_its_count() -> None:
    verdicts = (Reason.STATE_MOVED, Reason.LATE, Reason.LATE, Reason.NEVER_SIMULATED)
    part = execute_part(
        result(*(settlement(n, verdict) for n, verdict in enumerate(verdicts, 102)), change=0)
    )
    assert [part[name] for name in ("state_moved", "late", "never_simulated")] == [1, 2, 1]


def test_latencies_are_told_by_median_and_tail_and_by_stage() -> None:
    run = replace(
        result(change=0),
        latencies_us=tuple(float(value) for value in range(200, 0, -1)),
        stages_us={"score": (3.0, 1.06, 2.04), "sign": (), "simulate": (7.25,)},
    )
    assert latency_part(run) == {
        "event_to_signed_p50": 100.0,
        "event_to_signed_p99": 198.0,
        "score_p50": 2.0,
        "sign_p50": 0.0,
        "simulate_p50": 7.2,
    }
    assert latency_part(result(change=0)) == {"event_to_signed_p50": 0.0, "event_to_signed_p99": 0.0}


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=50), st.floats(0, 1))
def test_a_quantile_is_a_value_that_enough_others_do_not_exceed(values: list[float], share: float) -> None:
    found = quantile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values)
    assert quantile(values, 0.0) == min(values)
    assert quantile(values, 1.0) == max(values)


def test_a_summary_is_written_and_the_latest_run_is_found(tmp_path: Path) -> None:
    for name in ("20240101-000000-seed7", "20240102-000000-seed7"):
        folder = tmp_path / name
        folder.mkdir()
        path = write_summary({"run": name, "profit_wei": 2**80}, folder)
        assert path == folder / "summary.json"
        latest = tmp_path / "latest"
        assert latest.is_symlink()
        assert latest.resolve() == folder
        assert json.loads((latest / "summary.json").read_text()) == {"run": name, "profit_wei": 2**80}
        assert [file.name for file in folder.iterdir()] == ["summary.json"]
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "20240101-000000-seed7",
        "20240102-000000-seed7",
        "latest",
    ]


def test_a_moved_folder_of_runs_keeps_its_latest(tmp_path: Path) -> None:
    (tmp_path / "runs" / "a").mkdir(parents=True)
    write_summary({"run": "a"}, tmp_path / "runs" / "a")
    (tmp_path / "runs").rename(tmp_path / "elsewhere")
    assert json.loads((tmp_path / "elsewhere" / "latest" / "summary.json").read_text()) == {"run": "a"}


def test_a_summary_that_cannot_be_written_leaves_the_one_before(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    write_summary({"run": "first"}, folder)
    with pytest.raises(TypeError):
        write_summary({"run": "second", "broken": object()}, folder)
    assert json.loads((folder / "summary.json").read_text()) == {"run": "first"}
    assert sorted(file.name for file in folder.iterdir()) == ["summary.json"]


def test_a_link_that_a_killed_run_left_half_made_is_no_obstacle(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    (tmp_path / ".latest-a").symlink_to("nowhere")
    write_summary({"run": "a"}, folder)
    assert (tmp_path / "latest").resolve() == folder
    assert not (tmp_path / ".latest-a").is_symlink()


TOKENS = (USDC.address, WETH.address)


def pair(fee: int) -> Pool:
    return UniswapV2Pool(PoolSpec("uniswap_v2", "0x1", "0x1", TOKENS, fee), 2_000_000 * DOLLAR, 1_000 * ETHER)


def concentrated(fee: int) -> Pool:
    root = math.isqrt(2**192 * ETHER // (2_000 * DOLLAR))
    spec = PoolSpec("uniswap_v3", "0x2", "0x2", TOKENS, fee, tick_spacing=10)
    tick = math.floor(math.log((root / Q96) ** 2) / math.log(1.0001))
    return UniswapV3Pool(spec, root, tick, 10**18, {-887_270: 10**18, 887_270: -(10**18)})


def weighted(fee: int) -> Pool:
    weights = (2 * 10**17, 8 * 10**17)
    spec = PoolSpec("weighted", "0x3", "0x3", TOKENS, fee, weights=weights)
    return WeightedPool(spec, (2_000_000 * DOLLAR, 4_000 * ETHER), (6, 18))


@pytest.mark.parametrize("make", [pair, concentrated, weighted])
@pytest.mark.parametrize("fee", [100, 500, 3_000, 10_000])
def test_the_mid_price_knows_no_fee(make: Callable[[int], Pool], fee: int) -> None:
    """All three pools stand at 2,000 dollars an ether, whatever they charge."""
    price = mid_price(make(fee), WETH.address, USDC.address) * 10.0**12
    assert price == pytest.approx(2_000, rel=1e-6)
    back = mid_price(make(fee), USDC.address, WETH.address) / 10.0**12
    assert price * back == pytest.approx(1, rel=1e-9)


def test_a_pool_that_is_dead_in_one_direction_has_no_price() -> None:
    spec = PoolSpec("uniswap_v3", "0x2", "0x2", TOKENS, 500, tick_spacing=10)
    assert mid_price(UniswapV3Pool(spec, 0, 0, 0, {}), WETH.address, USDC.address) == 0.0


def test_prices_and_gaps_follow_the_blocks() -> None:
    market = Market(pools=2)
    series = SeriesRecorder(market.state, WETH.address)
    series.record(0)
    market.step(1, ((0, 2_020_000, 1_000),))
    series.record(1)
    ((name, found),) = series.prices().items()
    assert name == "WETH/USDC"
    assert [line.unit for line in found] == ["USDC per WETH"] * 2
    assert [line.blocks for line in found] == [(0, 1)] * 2
    assert found[0].values == pytest.approx((2_000, 2_020))
    assert found[1].values == pytest.approx((2_000, 2_000))
    (gap,) = series.gaps()
    assert (gap.name, gap.unit, gap.blocks) == ("WETH/USDC", "ppm", (0, 1))
    assert gap.values == pytest.approx((0, 10_000))


def test_one_pool_alone_has_a_price_and_no_gap() -> None:
    market = Market(pools=1)
    series = SeriesRecorder(market.state, WETH.address)
    series.record(0)
    assert series.gaps() == ()
    assert [line.values for line in series.prices()["WETH/USDC"]] == [pytest.approx((2_000,))]


def row(number: int) -> FeatureRow:
    return FeatureRow(number, 12 * number, 0, ("base_fee_gwei",), (float(number),))


def header(number: int, gwei: float) -> BlockHeader:
    return BlockHeader(number, b"", b"", 12 * number, int(gwei * 1e9), 0, 30_000_000)


def said(window: Window, value: float, width: float = 0.5, version: str = "4") -> Forecast:
    issued = window[-1].block_number
    return Forecast(
        "base_fee_gwei", issued, 2, value, value - width, value + width, 0.9, version, "persistence", value
    )


def truth(number: int) -> float:
    return 10 + number % 5


async def test_a_perfect_source_covers_everything() -> None:
    asked: list[Window] = []

    async def perfect(window: Window) -> Forecast | Refusal:
        asked.append(window)
        return said(window, truth(window[-1].block_number + 2))

    outlook = Outlook(perfect, 3)
    for number in range(100, 120):
        await outlook.look(row(number), header(number, truth(number)))
    found = outlook.calibration()
    assert found is not None
    assert found.empirical == (1.0,)
    assert found.nominal == (0.9,)
    assert found.value == found.truth == tuple(truth(number) for number in found.blocks)
    # the first window is full at 102, so the first forecast is about 104
    assert found.blocks == tuple(range(104, 120))
    assert found.model == "champion version 4, live"
    assert [tuple(r.block_number for r in window) for window in asked] == [
        (number - 2, number - 1, number) for number in range(102, 120)
    ]


async def test_the_share_inside_is_counted_and_bounds_are_ends_and_included() -> None:
    async def source(window: Window) -> Forecast | Refusal:
        about = window[-1].block_number + 2
        return said(window, truth(about) + (0.75 if about % 4 == 0 else 0.5))

    outlook = Outlook(source, 1)
    for number in range(ENOUGH):
        await outlook.look(row(number), header(number, truth(number)))
    found = outlook.calibration()
    assert found is not None
    wrong = sum(number % 4 == 0 for number in found.blocks)
    assert found.empirical == (1 - wrong / len(found.blocks),)


async def test_intervals_that_do_not_hold_here_are_widened_once_enough_truths_are_known() -> None:
    """A model from another market is always 3 gwei off, and says half a gwei."""

    async def biased(window: Window) -> Forecast | Refusal:
        return said(window, truth(window[-1].block_number + 2) + 3.0)

    outlook = Outlook(biased, 1)
    for number in range(200):
        await outlook.look(row(number), header(number, truth(number)))
    found = outlook.calibration()
    assert found is not None
    inside = [
        low <= real <= high for low, real, high in zip(found.lower, found.truth, found.upper, strict=True)
    ]
    assert not any(inside[: ENOUGH + 1])
    assert sum(inside[-100:]) >= 88
    # what was served is what is scored
    assert sum(inside) / len(inside) == found.empirical[0]
    assert isinstance(outlook.latest, Forecast)
    assert outlook.latest.upper - outlook.latest.lower > 2.0


async def test_a_refusal_is_shown_and_scored_as_nothing() -> None:
    busy = Refusal(Reason.BUSY, "all replicas are busy")

    async def source(window: Window) -> Forecast | Refusal:
        number = window[-1].block_number
        return busy if number % 2 else said(window, truth(number + 2))

    outlook = Outlook(source, 1)
    assert outlook.latest is None
    await outlook.look(row(1), header(1, truth(1)))
    assert outlook.latest is busy
    assert outlook.calibration() is None
    for number in range(2, 12):
        await outlook.look(row(number), header(number, truth(number)))
    assert outlook.latest is busy
    found = outlook.calibration()
    assert found is not None
    assert found.blocks == (4, 6, 8, 10)


async def test_no_forecast_is_asked_for_before_the_window_is_full() -> None:
    async def never(window: Window) -> Forecast | Refusal:
        raise AssertionError(window)

    outlook = Outlook(never, 5)
    for number in range(4):
        await outlook.look(row(number), header(number, 1))
    assert outlook.latest is None


def chained(number: int, branch: int, parent: bytes, logs: tuple[RawLog, ...] = ()) -> Block:
    identity = bytes([branch]) * 31 + bytes([number])
    return Block(BlockHeader(number, identity, parent, 12 * number, 10**9, 0, 30_000_000), logs, number)


def test_a_walk_on_a_new_branch_takes_the_old_one_back_and_rescores_what_it_had_moved() -> None:
    specs = [PoolSpec("uniswap_v2", pool_address(i), pool_address(i), TOKENS, 3_000) for i in range(2)]
    pools = [UniswapV2Pool(spec, 2_000_000 * DOLLAR, 1_000 * ETHER) for spec in specs]
    tokens = {USDC.address: USDC, WETH.address: WETH}
    walk = BlockWalk(MarketState(pools, tokens), specs, load_network("ethereum").weth)
    gap = chained(1, 1, bytes(32), (sync(1, 0, 0, 2_200_000, 1_000),))
    walked = walk.advance(gap)
    open_gap = [opportunity.amount_in for opportunity in walked.scored.opportunities]
    assert open_gap
    walk.observe(walked, NO_CONTEXT)
    after_the_gap = dict(walk.state.pools)
    closed = chained(2, 1, gap.header.hash, (sync(2, 0, 0, 2_000_000, 1_000),))
    walked = walk.advance(closed)
    assert walked.scored.opportunities == ()
    row_when_closed = walk.observe(walked, NO_CONTEXT)
    calm = chained(2, 2, gap.header.hash)
    walked = walk.advance(calm)
    # nothing happens in the new block, but what closed the gap is gone with the old one
    assert walked.applied.touched == ()
    assert [opportunity.amount_in for opportunity in walked.scored.opportunities] == open_gap
    assert dict(walk.state.pools) == after_the_gap
    assert walk.observe(walked, NO_CONTEXT).values != row_when_closed.values
    ((_, prices),) = walk.series.prices().items()
    assert prices[0].blocks == (1, 2)
    assert prices[0].values == pytest.approx((2_200, 2_200))
    (gaps,) = walk.series.gaps()
    assert gaps.values == pytest.approx((100_000, 100_000))
