"""One latency is one number in the summary, in the report's sentence and in its picture."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from analysis.quantiles import nearest_rank
from analysis.records import ReportData
from analysis.report import pictures
from pipeline.quantiles import quantile

times = st.lists(st.floats(0.1, 1e7), min_size=1, max_size=300)


@given(times)
def test_the_report_counts_as_the_summary_does(values: list[float]) -> None:
    assert nearest_rank(values, 0.5, 0.99) == (quantile(values, 0.5), quantile(values, 0.99))


def test_the_report_shows_a_time_that_was_measured() -> None:
    # half way between two of them, interpolation would show one that nobody saw
    (latency,) = [
        picture
        for picture in pictures(ReportData(latencies_us=(1_000.0, 2_000.0)))
        if picture.title == "Latency"
    ]
    assert re.findall(r"([\d,]+) µs", latency.sentence) == ["1,000", "2,000"]
