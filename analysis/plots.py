"""Pictures of a run: prices, gaps, profit, bids, calibration, latency. PNG bytes in, nothing else out.

Every function draws what it is given and returns PNG bytes; whether there is anything to
draw is the caller's question (:mod:`analysis.report` answers it with a sentence).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from analysis.quantiles import nearest_rank
from analysis.records import WEI_PER_ETH, Calibration, Series, SettledBid
from core.reasons import Reason
from models.figures import (
    COLOURS,
    INK,
    MUTED,
    blocks_axis,
    draw_interval,
    draw_reliability,
    label,
    legend,
    new_figure,
    png,
)

VERDICT_COLOURS: Mapping[Reason, str] = {
    Reason.LANDED: COLOURS[2],
    Reason.OUTBID: COLOURS[1],
    Reason.STATE_MOVED: COLOURS[0],
    Reason.REVERTED: COLOURS[3],
    Reason.LATE: COLOURS[5],
    Reason.NEVER_SIMULATED: COLOURS[6],
}
PANELS_AT_MOST = 4


def prices_and_gaps(prices: Mapping[str, Sequence[Series]], gaps: Sequence[Series]) -> bytes:
    """Return one panel of prices per pair (at most four) and one panel of gaps."""
    shown = list(prices.items())[:PANELS_AT_MOST]
    panels = len(shown) + bool(gaps)
    figure, axes = new_figure(9, 1.0 + 2.3 * panels, panels)
    for axis, (pair, group) in zip(axes, shown, strict=False):
        _lines(axis, group)
        label(axis, title=f"Price, {pair}", y=group[0].unit)
    if gaps:
        _lines(axes[-1], gaps)
        label(axes[-1], title="Gap between the dearest and the cheapest pool", y=gaps[0].unit)
    axes[-1].set_xlabel("block", fontsize=9, color=INK)
    return png(figure)


def _lines(axis: Axes, group: Sequence[Series]) -> None:
    for number, series in enumerate(group):
        colour = COLOURS[number % len(COLOURS)]
        axis.plot(
            series.blocks,
            series.values,
            color=colour,
            linewidth=1.2,
            label=series.name,
            drawstyle="steps-post",
        )
    blocks_axis(axis)
    axis.ticklabel_format(axis="y", useOffset=False)
    legend(axis, columns=max(2, min(len(group), 4)))


def cumulative_profit(bids: Sequence[SettledBid]) -> bytes:
    """Return profit after gas and bid summed over settlements, in ETH, with each verdict marked."""
    figure, (axis,) = new_figure(9, 3.4)
    ordered = sorted(bids, key=lambda bid: bid.settlement.block_number)
    blocks = np.array([bid.settlement.block_number for bid in ordered])
    total = np.cumsum([bid.settlement.profit / WEI_PER_ETH for bid in ordered])
    axis.axhline(0, color=MUTED, linewidth=1)
    axis.step(blocks, total, where="post", color=INK, linewidth=1.2)
    for verdict, colour in VERDICT_COLOURS.items():
        mask = np.array([bid.settlement.verdict is verdict for bid in ordered])
        if mask.any():
            axis.scatter(blocks[mask], total[mask], s=18, color=colour, zorder=3, label=verdict.value)
    blocks_axis(axis)
    label(axis, title="Profit so far, after gas and bid", x="block", y="ETH")
    legend(axis, columns=6)
    return png(figure)


def bids_against_wins(bids: Sequence[SettledBid]) -> bytes:
    """Return our share of each opportunity's value against the best rival's share.

    Points above the diagonal offered more than the rival; those without a rival's bid stand
    on the left edge.
    """
    figure, (axis,) = new_figure(6.4, 5.2)
    axis.plot([0, 100], [0, 100], color=MUTED, linestyle="--", linewidth=1)
    axis.annotate("we offer more", (4, 94), color=MUTED, fontsize=8)
    axis.annotate("the rival offers more", (96, 4), color=MUTED, fontsize=8, ha="right")
    for verdict, colour in VERDICT_COLOURS.items():
        points = [
            (_share(bid.rival_bid, bid), _share(bid.settlement.bid, bid))
            for bid in bids
            if bid.settlement.verdict is verdict and bid.gross > 0
        ]
        if points:
            rival, ours = zip(*points, strict=True)
            axis.scatter(rival, ours, s=26, color=colour, alpha=0.8, label=f"{verdict.value} ({len(points)})")
    axis.set_xlim(-3, 103)
    axis.set_ylim(-3, 103)
    label(
        axis,
        title="Bids against wins",
        x="best rival bid, % of gross profit (0: nobody else seen)",
        y="our bid, % of gross profit",
    )
    legend(axis)
    return png(figure)


def _share(bid: int | None, settled: SettledBid) -> float:
    return min(100.0, 100 * (bid or 0) / settled.gross)


def calibration(data: Calibration) -> bytes:
    """Return nominal against measured coverage, and forecasts with intervals over time."""
    figure, (over_time, curve) = new_figure(9, 7.0, 2)
    draw_interval(over_time, data.blocks, data.truth, data.value, data.lower, data.upper, data.unit)
    draw_reliability(curve, data.nominal, data.empirical)
    return png(figure)


def latency(microseconds: Sequence[float]) -> bytes:
    """Return a histogram of event-to-signed times on a logarithmic axis, with p50 and p99."""
    figure, (axis,) = new_figure(9, 3.2)
    values = np.maximum(np.asarray(microseconds, dtype=float), 1e-3)
    low, high = values.min(), max(values.max(), values.min() * 1.2)
    axis.hist(values, bins=list(np.geomspace(low * 0.95, high * 1.05, 40)), color=COLOURS[0], alpha=0.85)
    axis.set_xscale("log")
    p50, p99 = nearest_rank(values.tolist(), 0.5, 0.99)
    for name, at, colour in (("p50", p50, COLOURS[2]), ("p99", p99, COLOURS[1])):
        axis.axvline(at, color=colour, linewidth=1.4, label=f"{name} {at:,.0f} µs")
    label(axis, title="From event to signed bytes", x="microseconds", y="bundles")
    legend(axis)
    return png(figure)
