"""The reference page shows what the recorded files give."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from core.config_loader import ROOT
from core.reasons import Reason
from market.life import PoolLife
from market.plausibility.judgement import judge
from market.snapshots.admission import admit
from market.snapshots.formats import FORMATS

FILES = {"cow-auction": "cow_auctions_2", "tycho-pools": "tycho_data", "tycho-snapshot": "tycho_snapshot"}
LOAD_REASONS = (Reason.LIQUIDITY_SUM_DIFFERS, Reason.PRECISION_LOST, Reason.FAMILY_NOT_SUPPORTED)
FILTER_REASONS = (Reason.ZERO_LIQUIDITY, Reason.PRICE_IMPLAUSIBLE, Reason.DUST_POOL, Reason.PRICE_UNKNOWN)


def row(name: str, values: Sequence[int]) -> str:
    return f"| {name} | {' | '.join(str(value) for value in values)} |"


@pytest.mark.data
def test_the_tables_of_the_page_are_what_the_files_give(data_root: Path) -> None:
    page = (ROOT / "docs" / "reference" / "snapshot-files.md").read_text(encoding="utf-8")
    snapshots = [
        snapshot for name, file in FILES.items() for snapshot in FORMATS[name](data_root / f"{file}.json.zst")
    ]
    families = [Counter(pool.family for pool in snapshot.pools) for snapshot in snapshots]
    lives = [admit(snapshot).counts() for snapshot in snapshots]
    judgements = [judge(snapshot.pools, snapshot.reference_prices) for snapshot in snapshots]
    rows = [
        row("pools in the file", [sum(life.values()) for life in lives]),
        row("loaded, live", [life[PoolLife.LIVE] for life in lives]),
        row("quarantined", [life[PoolLife.QUARANTINED] for life in lives]),
        row("judged", [len(snapshot.pools) for snapshot in snapshots]),
        row("plausible", [len(judgement.plausible) for judgement in judgements]),
    ]
    for family in ("uniswap_v2", "uniswap_v3", "weighted", "composable_stable"):
        rows.append(row(f"of these `{family}`", [counts[family] for counts in families]))
    for reason in LOAD_REASONS:
        rows.append(row(f"of these `{reason}`", [snapshot.reasons()[reason] for snapshot in snapshots]))
    for reason in FILTER_REASONS:
        rows.append(row(f"`{reason}`", [judgement.reasons()[reason] for judgement in judgements]))
    assert [line for line in rows if line not in page] == []
    for name, refusal in snapshots[0].refused.items():
        assert (f"- `{name}`" in page) is (refusal.reason is Reason.LIQUIDITY_SUM_DIFFERS)
