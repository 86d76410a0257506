"""A report is one file, complete, and true even when there is nothing to show."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.plots import VERDICT_COLOURS
from analysis.records import Calibration, ReportData, Series, SettledBid
from analysis.report import LANDED_FIRST, build_report, key_numbers, refusal_table, settlement_table
from core.reasons import Reason
from execution.command import Settlement

ETH = 10**18


def bid(
    verdict: Reason, block: int, gross: int = ETH, paid: int = ETH // 2, rival: int | None = None
) -> SettledBid:
    landed = verdict is Reason.LANDED
    settlement = Settlement(
        bundle_id=f"bundle-{block:06d}",
        decision_id=f"decision-{block:06d}",
        verdict=verdict,
        detail="",
        block_number=block,
        profit=gross - paid - ETH // 100 if landed else 0,
        gas_used=200_000 if landed else 0,
        gas_cost=ETH // 100 if landed else 0,
        bid=paid,
        winning_bid=rival,
    )
    return SettledBid(settlement, gross, rival)


def full_data() -> ReportData:
    blocks = tuple(range(1, 41))
    wave = np.sin(np.arange(40) / 5)
    truth = tuple((20 + wave).tolist())
    series = tuple(
        Series(name, "DAI per WETH", blocks, tuple((2000 + shift + wave).tolist()))
        for name, shift in (("uniswap_v2 0.3 %", 0), ("sushiswap 0.3 %", 2))
    )
    return ReportData(
        prices={"WETH/DAI": series},
        gaps=(Series("WETH/DAI", "ppm", blocks, (1000.0,) * 40),),
        bids=(
            bid(Reason.LANDED, 3),
            bid(Reason.OUTBID, 5, rival=ETH * 6 // 10),
            bid(Reason.STATE_MOVED, 9, gross=0),
        ),
        calibrations=(
            Calibration(
                "lstm v1", "gwei", (0.5, 0.9), (0.52, 0.88), blocks, truth, truth, (19.0,) * 40, (20.5,) * 40
            ),
        ),
        latencies_us=(1500.0, 1800.0, 9000.0),
        refusals={Reason.RATE_BELOW_ONE: 1234, Reason.PROFIT_BELOW_COST: 5, Reason.PAUSED: 0},
    )


class Reader(HTMLParser):
    """Collects pictures, links to the outside and text."""

    def __init__(self) -> None:
        super().__init__()
        self.pictures: list[dict[str, str | None]] = []
        self.addresses: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "img":
            self.pictures.append(values)
        self.addresses += [str(values[name]) for name in ("src", "href") if values.get(name)]
        assert tag not in ("script", "link", "iframe")

    def handle_data(self, data: str) -> None:
        self.text += data


def read(path: Path) -> Reader:
    html = path.read_text(encoding="utf-8")
    assert not re.search(r"url\(|@import", html)
    reader = Reader()
    reader.feed(html)
    return reader


def test_full_report_is_one_file_with_every_picture_inside(tmp_path: Path) -> None:
    summary = {"seed": 7, "live": {"profit_wei": ETH // 4, "p50_ms": 1.5}}
    page = read(build_report(summary, full_data(), tmp_path / "new" / "report.html"))
    assert len(page.pictures) == 5
    assert all(address.startswith("data:image/png;base64,") for address in page.addresses)
    for picture in page.pictures:
        content = base64.b64decode(str(picture["src"]).partition(",")[2])
        assert content.startswith(b"\x89PNG")
        assert len(str(picture["alt"])) > 20
    assert "0.25 ETH" in page.text
    assert "p50 (ms)" in page.text


def test_empty_report_says_so_in_sentences(tmp_path: Path) -> None:
    page = read(build_report({}, ReportData(), tmp_path / "report.html"))
    assert page.pictures == []
    for sentence in (
        "no block has been followed",
        "No bundle was settled",
        "Nothing was signed",
        "No forecast has met its truth",
        "Nothing was refused",
        "left no numbers",
    ):
        assert sentence in page.text


def test_a_run_without_a_landed_bundle_explains_the_flat_line(tmp_path: Path) -> None:
    data = ReportData(bids=(bid(Reason.OUTBID, 5), bid(Reason.LATE, 6)))
    page = read(build_report({}, data, tmp_path / "report.html"))
    assert "0 ETH after gas and bids from 0 landed of 2 bundles. No bundle landed" in page.text


def test_one_point_of_everything_can_be_drawn(tmp_path: Path) -> None:
    one = Series("a", "ppm", (7,), (1.0,))
    data = ReportData(
        prices={"A/B": (one,), "C/D": ()},
        bids=(bid(Reason.LANDED, 1),),
        calibrations=(Calibration("m", "gwei", (0.9,), (1.0,), (7,), (1.0,), (1.0,), (0.0,), (2.0,)),),
        latencies_us=(1000.0,),
    )
    assert len(read(build_report({}, data, tmp_path / "report.html")).pictures) == 5


def test_names_from_outside_are_shown_not_run(tmp_path: Path) -> None:
    summary = {"<script>alert(1)</script>": "<b>bold</b>"}
    page = read(build_report(summary, ReportData(), tmp_path / "report.html"))
    assert "<script>alert(1)</script>" in page.text


def test_same_data_gives_the_same_file(tmp_path: Path) -> None:
    first = build_report({"seed": 7}, full_data(), tmp_path / "a.html").read_bytes()
    assert build_report({"seed": 7}, full_data(), tmp_path / "b.html").read_bytes() == first


def test_settlement_table_adds_up() -> None:
    table = settlement_table(full_data().bids)
    assert table.rows[0] == ("landed", "1", "1 ETH", "0.5 ETH", "0.01 ETH", "0.49 ETH")
    assert [row[:2] for row in table.rows] == [("landed", "1"), ("outbid", "1"), ("state_moved", "1")]


def test_refusals_are_ordered_by_frequency_without_zeroes() -> None:
    assert refusal_table(full_data().refusals).rows == (
        ("rate_below_one", "1,234"),
        ("profit_below_cost", "5"),
    )


def test_every_verdict_has_a_colour_of_its_own_and_a_row() -> None:
    assert set(VERDICT_COLOURS) == set(LANDED_FIRST)
    assert len(set(VERDICT_COLOURS.values())) == len(VERDICT_COLOURS)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (True, "yes"),
        (1234567, "1,234,567"),
        (0.123456, "0.1235"),
        (12345.6, "12,346"),
        ([1, 2], "1, 2"),
    ],
)
def test_values_are_shown_as_people_read_them(value: Any, shown: str) -> None:
    assert key_numbers({"key": value}) == [("Run", [("key", shown)])]


def test_series_of_unequal_length_is_refused() -> None:
    with pytest.raises(ValueError, match="2 blocks, 1 values"):
        Series("a", "ppm", (1, 2), (1.0,))
