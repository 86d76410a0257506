"""Metrics belong to their holder and read as Prometheus reads them."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from core.metrics import Metrics
from core.reasons import Reason


def test_two_holders_share_nothing() -> None:
    one, other = Metrics(), Metrics()
    one.blocks.inc()
    assert (one.value("omniarb_blocks_total"), other.value("omniarb_blocks_total")) == (1, 0)


def test_what_was_counted_is_exposed() -> None:
    metrics = Metrics()
    metrics.refused(Reason.DUST_PROFIT, 3)
    metrics.settled(Reason.LANDED)
    metrics.took("score", 2_000_000)
    metrics.head.set(17)
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }
    assert samples["omniarb_refusals_total", "dust_profit"] == 3
    assert samples["omniarb_bundles_total", "landed"] == 1
    assert samples["omniarb_head_block",] == 17
    assert samples["omniarb_stage_latency_seconds_sum", "score"] == 0.002
    assert samples["omniarb_stage_latency_seconds_bucket", "0.0025", "score"] == 1
    assert samples["omniarb_stage_latency_seconds_bucket", "0.001", "score"] == 0
