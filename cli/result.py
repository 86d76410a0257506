"""The end of a run: what the report is made of, the table on the screen, and staying up."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from analysis.live_models import SERVED, compare_live
from analysis.records import WEI_PER_ETH, ReportData
from cli.learn import Learned, study_calibration
from cli.screen import Screen
from core.reasons import Reason
from pipeline.devnet.description import DevnetDescription
from pipeline.live_config import LiveResult
from pipeline.replay import Replay
from serving.app import ServingApp

LOOK_SECONDS = 1.0


def landed(result: LiveResult) -> int:
    """Return how many bundles came into their block."""
    return sum(bid.settlement.verdict is Reason.LANDED for bid in result.bids)


def report_data(replayed: Replay, learned: Learned, result: LiveResult) -> ReportData:
    """Return what the report draws."""
    live = (result.forecasts,) if result.forecasts is not None else ()
    return ReportData(
        prices={f"{pair} (history)": series for pair, series in replayed.prices.items()}
        | {f"{pair} (live)": series for pair, series in result.prices.items()},
        gaps=result.gaps,
        bids=result.bids,
        calibrations=(study_calibration(learned), *live),
        latencies_us=result.latencies_us,
        refusals=result.refusals,
        live_models=compare_live(result.forecasts, result.learning.study),
        drift=result.features.drift,
    )


def show(screen: Screen, summary: dict[str, Any], path: Path) -> None:
    """Print the table of a run, and where its files are."""
    screen.table("Result", [*_history_rows(summary), *_execute_rows(summary)])
    screen.console.print(f"summary  {path}\nreport   {path.with_name('report.html')}", soft_wrap=True)


def _history_rows(summary: dict[str, Any]) -> list[tuple[str, str, str]]:
    history, models = summary["history"], summary["models"]
    return [
        ("history", f"{history['blocks']:,} blocks, {history['swaps']:,} swaps", history["source"]),
        (
            "invariants",
            f"{history['invariant_ok']:,} of {history['invariant_checked']:,}",
            "reproduced exactly",
        ),
        (
            "champion",
            f"{models['champion']} v{models['champion_version']}",
            f"skill {models['skill']:+.3f} against {models['baseline']}",
        ),
        ("coverage", f"{models['coverage']:.3f}", f"nominal {models['nominal']:.2f}"),
    ]


def _execute_rows(summary: dict[str, Any]) -> list[tuple[str, str, str]]:
    execute, latency = summary["execute"], summary["latency_us"]
    return [
        (
            "bundles",
            f"{execute['bundles_sent']} sent, {execute['landed']} landed",
            f"{execute['outbid']} outbid, {execute['state_moved']} state moved, "
            f"{execute['reverted']} reverted",
        ),
        (
            "profit",
            f"{execute['profit_wei'] / WEI_PER_ETH:.6f} ETH",
            "receipts and balances agree to the wei",
        ),
        (
            "event to signed",
            f"{latency['event_to_signed_p50'] / 1000:.1f} ms p50",
            f"{latency['event_to_signed_p99'] / 1000:.1f} ms p99",
        ),
        (
            "market",
            f"{execute['pools_compared']:,} comparisons with the chain",
            ", ".join(f"{reason} {count}" for reason, count in execute["pools_suspended"].items())
            or "no pool differed",
        ),
        *_beside_rows(summary),
        ("time", f"{summary['seconds']['all']:.0f} s", "all five steps"),
    ]


def _beside_rows(summary: dict[str, Any]) -> list[tuple[str, str, str]]:
    features, learning = summary["features"], summary["learning"]
    block = features["skew_block"]
    skew = "batch path: same bits" if block is None else f"batch path: differs from block {block} on"
    rows = [("features", f"{sum(features['logged'].values()):,} rows logged", skew)]
    errors = learning["mae_gwei"]
    if errors:
        others = {name: error for name, error in errors.items() if name != SERVED}
        best = min(others, key=lambda name: others[name])
        rows.append(
            (
                "live error",
                f"champion {errors[SERVED]:.3f} gwei",
                f"best beside it: {best} {others[best]:.3f}",
            )
        )
    return rows


def stay(
    screen: Screen, serving: ServingApp, devnet: DevnetDescription, check_chain: Callable[[], None]
) -> None:
    """Show addresses and wait for Ctrl-C.

    Raises
    ------
    DevnetError
        If the chain ends before that.
    """
    screen.console.print(
        f"\nstaying up until Ctrl-C\n  API      {serving.url}/docs\n  status   {serving.url}/api/v1/status\n"
        f"  node     {devnet.http_url}\n  relay    {devnet.relay_url}",
        soft_wrap=True,
    )
    while True:
        check_chain()
        time.sleep(LOOK_SECONDS)
