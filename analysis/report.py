"""One run as one HTML file: numbers, pictures, refusals. Nothing is loaded from anywhere.

Pictures are inlined, so the file can be mailed, archived and opened years later. A part
with nothing to show says so, and why that may be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from analysis import plots
from analysis.live_models import drift_table, learning_picture
from analysis.parts import Picture, Table, drawn
from analysis.quantiles import nearest_rank
from analysis.records import WEI_PER_ETH, Calibration, ReportData, SettledBid
from core.reasons import Reason

TEMPLATES = Path(__file__).with_name("templates")
UNITS = {"s": "s", "ms": "ms", "us": "µs", "ns": "ns", "gwei": "gwei", "ppm": "ppm"}
LANDED_FIRST = (
    Reason.LANDED,
    Reason.OUTBID,
    Reason.STATE_MOVED,
    Reason.REVERTED,
    Reason.LATE,
    Reason.NEVER_SIMULATED,
)


def build_report(summary: Mapping[str, Any], data: ReportData, out: Path) -> Path:
    """Write the report of a run.

    Parameters
    ----------
    summary
        Key numbers as JSON-like values; nested mappings become groups. Keys that end in
        ``_wei`` are shown in ETH.
    data
        What to draw; any part may be empty.
    out
        HTML file; its folder is made if needed.

    Returns
    -------
    Path
        ``out``.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    html = environment.get_template("report.html.j2").render(
        title="OmniArb run",
        groups=key_numbers(summary),
        pictures=pictures(data),
        tables=(settlement_table(data.bids), refusal_table(data.refusals), drift_table(data.drift)),
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(html, encoding="utf-8")
    return out


def key_numbers(summary: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return groups of (label, value) for the table of key numbers.

    Examples
    --------
    >>> key_numbers({"seed": 7, "live": {"profit_wei": 5 * 10**17, "blocks": 1200}})
    [('Run', [('seed', '7')]), ('Live', [('profit', '0.5 ETH'), ('blocks', '1,200')])]
    """
    groups: list[tuple[str, list[tuple[str, str]]]] = [("Run", [])]
    for key, value in summary.items():
        if isinstance(value, Mapping):
            groups.append((_label(key).capitalize(), _flat("", value)))
        else:
            groups[0][1].append(_entry(key, value))
    return [group for group in groups if group[1]]


def _flat(prefix: str, values: Mapping[str, Any]) -> list[tuple[str, str]]:
    entries = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            entries += _flat(f"{prefix}{key} ", value)
        else:
            entries.append(_entry(f"{prefix}{key}", value))
    return entries


def _entry(key: str, value: Any) -> tuple[str, str]:
    if key.endswith("_wei") and isinstance(value, int):
        return _label(key.removesuffix("_wei")), _eth(value)
    return _label(key), _shown(value)


def _label(key: str) -> str:
    words = str(key).split("_")
    if len(words) > 1 and words[-1] in UNITS:
        words[-1] = f"({UNITS[words[-1]]})"
    return " ".join(words).strip()


def _shown(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    if isinstance(value, list | tuple):
        return ", ".join(_shown(item) for item in value)
    return str(value)


def _eth(wei: int) -> str:
    return f"{wei / WEI_PER_ETH:.6g} ETH"


def pictures(data: ReportData) -> tuple[Picture, ...]:
    """Return every picture of the report, or the sentence that stands in its place."""
    return (
        _prices(data),
        _profit(data),
        _bids(data),
        *_calibrations(data),
        learning_picture(data.live_models),
        _latency(data),
    )


def _prices(data: ReportData) -> Picture:
    prices = {pair: group for pair, group in data.prices.items() if group}
    if not prices and not data.gaps:
        return Picture("Prices and gaps", "No prices were recorded: no block has been followed yet.")
    pools = sum(len(group) for group in prices.values())
    widest = max((max(gap.values, default=0.0) for gap in data.gaps), default=0.0)
    unit = data.gaps[0].unit if data.gaps else ""
    return drawn(
        "Prices and gaps",
        "Price of each pool after each block, and how far the pools of a pair stand apart.",
        f"Prices of {pools} pools in {len(prices)} pairs over blocks; widest gap {widest:,.4g} {unit}.",
        lambda: plots.prices_and_gaps(prices, data.gaps),
    )


def _profit(data: ReportData) -> Picture:
    if not data.bids:
        return Picture("Profit", "No bundle was settled, so there is no profit or loss to show.")
    total = sum(bid.settlement.profit for bid in data.bids)
    landed = sum(bid.settlement.verdict is Reason.LANDED for bid in data.bids)
    none_landed = (
        "" if landed else " No bundle landed: the line stays at zero because a lost bid costs nothing."
    )
    return drawn(
        "Profit",
        f"{_eth(total)} after gas and bids from {landed} landed of {len(data.bids)} bundles.{none_landed}",
        f"Cumulative profit over blocks; it ends at {_eth(total)} after {len(data.bids)} bundles.",
        lambda: plots.cumulative_profit(data.bids),
    )


def _bids(data: ReportData) -> Picture:
    shown = [bid for bid in data.bids if bid.gross > 0]
    if not shown:
        return Picture("Bids against wins", "No bundle was settled, so there is no bid to compare.")
    ours = float(np.median([100 * bid.settlement.bid / bid.gross for bid in shown]))
    rivals = [100 * bid.rival_bid / bid.gross for bid in shown if bid.rival_bid is not None]
    best = f"{np.median(rivals):.0f} %" if rivals else "never seen"
    return drawn(
        "Bids against wins",
        f"Share of the gross profit offered to the block's builder. Median of ours {ours:.0f} %, of the best "
        f"rival {best} ({len(rivals)} of {len(shown)} bundles had one).",
        f"Our bid share against the best rival's for {len(shown)} bundles, coloured by verdict; "
        f"median of ours {ours:.0f} %, of rivals {best}.",
        lambda: plots.bids_against_wins(shown),
    )


def _calibrations(data: ReportData) -> tuple[Picture, ...]:
    met = [model for model in data.calibrations if model.blocks]
    if not met:
        return (
            Picture("Calibration", "No forecast has met its truth yet: labels arrive after the horizon."),
        )
    return tuple(_calibration(model) for model in met)


def _calibration(model: Calibration) -> Picture:
    inside = np.mean(
        [low <= true <= high for low, true, high in zip(model.lower, model.truth, model.upper, strict=True)]
    )
    return drawn(
        f"Calibration: {model.model}",
        f"{inside:.1%} of the {len(model.blocks)} truths drawn lay inside the interval as served.",
        f"Forecasts of {model.model} with intervals over blocks, and coverage measured against coverage "
        f"aimed at; {inside:.1%} of truths lay inside.",
        lambda: plots.calibration(model),
    )


def _latency(data: ReportData) -> Picture:
    if not data.latencies_us:
        return Picture("Latency", "Nothing was signed, so no time from event to signature was measured.")
    p50, p99 = nearest_rank(data.latencies_us, 0.5, 0.99)
    return drawn(
        "Latency",
        f"From a block's arrival to signed bytes: median {p50:,.0f} µs, 99th percentile {p99:,.0f} µs, "
        f"{len(data.latencies_us)} bundles.",
        f"Histogram of event-to-signed times; median {p50:,.0f} and 99th percentile {p99:,.0f} microseconds.",
        lambda: plots.latency(data.latencies_us),
    )


def settlement_table(bids: Sequence[SettledBid]) -> Table:
    """Return per verdict: how many, at stake, bid, gas, profit."""
    rows = []
    for verdict in LANDED_FIRST:
        group = [bid for bid in bids if bid.settlement.verdict is verdict]
        if group:
            rows.append(
                (
                    verdict.value,
                    f"{len(group):,}",
                    _eth(sum(bid.gross for bid in group)),
                    _eth(sum(bid.settlement.bid for bid in group)),
                    _eth(sum(bid.settlement.gas_cost for bid in group)),
                    _eth(sum(bid.settlement.profit for bid in group)),
                )
            )
    return Table(
        "Settlement",
        ("verdict", "bundles", "gross profit at stake", "bid", "gas cost", "profit"),
        tuple(rows),
        "No bundle was sent, so there is nothing to settle.",
    )


def refusal_table(refusals: Mapping[Reason, int]) -> Table:
    """Return reasons and how often each was given, most frequent first."""
    counted = Counter({reason: count for reason, count in refusals.items() if count})
    ordered = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    return Table(
        "Refusals",
        ("reason", "times"),
        tuple((str(reason), f"{count:,}") for reason, count in ordered),
        "Nothing was refused.",
    )
