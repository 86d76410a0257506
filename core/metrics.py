"""Prometheus metrics of the loop, held by one object with its own registry.

There is no global registry: two loops in one process (or two tests) never share a number.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from core.reasons import Reason

LATENCY_SECONDS = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
)  # fmt: skip


class Metrics:
    """Counters, gauges and histograms that the loop fills and ``/metrics`` shows.

    Examples
    --------
    >>> metrics = Metrics()
    >>> metrics.blocks.inc()
    >>> metrics.refused(Reason.DUST_PROFIT, 3)
    >>> metrics.value("omniarb_refusals_total", reason="dust_profit")
    3.0
    """

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.blocks = self._counter("blocks", "Blocks taken in.")
        self.reorgs = self._counter("reorgs", "Chain reorganisations undone.")
        self.touched_pools = self._counter("touched_pools", "Pools changed by a block's logs.")
        self.opportunities = self._counter("opportunities", "Opportunities found.")
        self.refusals = self._counter("refusals", "What was refused, by reason.", "reason")
        self.bundles = self._counter("bundles", "Bundles settled, by verdict.", "verdict")
        self.feed_events = self._counter("feed_events", "Repairs made by the block feed.", "kind")
        self.head = self._gauge("head_block", "Height of the newest block taken in.")
        self.state_age = self._gauge("state_age_blocks", "Blocks between the node's head and our state.")
        self.profit = self._gauge("profit_wei", "Net profit since the start, in wei.")
        self.paused = self._gauge("paused", "1 while execution is paused.")
        self.latency = Histogram(
            "omniarb_stage_latency_seconds",
            "Time a stage of the loop took, in seconds.",
            ["stage"],
            buckets=LATENCY_SECONDS,
            registry=self.registry,
        )

    def refused(self, reason: Reason, count: int = 1) -> None:
        """Count refusals of one reason."""
        self.refusals.labels(reason=reason.value).inc(count)

    def settled(self, verdict: Reason) -> None:
        """Count one bundle under its verdict."""
        self.bundles.labels(verdict=verdict.value).inc()

    def took(self, stage: str, nanoseconds: int) -> None:
        """Record how long a stage took, in nanoseconds of the monotonic clock."""
        self.latency.labels(stage=stage).observe(nanoseconds / 1e9)

    def value(self, name: str, **labels: str) -> float:
        """Return one sample by its exposed name; 0.0 where nothing was counted yet."""
        return self.registry.get_sample_value(name, labels) or 0.0

    def render(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"omniarb_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"omniarb_{name}", text, registry=self.registry)
