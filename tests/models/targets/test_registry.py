"""The recorded history as targets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chain.blocks import Address
from core.errors import InputError
from market.decoding import decode_log
from market.events import V3Swap
from market.history import read_logs
from models.targets.baselines import hardest, is_degenerate
from models.targets.reading import read_columns
from models.targets.registry import TARGETS, build_targets
from models.targets.survival_logs import THRESHOLDS
from models.targets.swaps import CHEAP_POOL, DEAR_POOL, read_day_swaps
from models.targets.table import Kind, TargetTable

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "targets.md"


@pytest.fixture(scope="module")
def tables(data_root: Path) -> dict[str, TargetTable]:
    return {table.name: table for table in build_targets(data_root)}


def test_every_target_is_built_under_its_name_and_in_order(tables: dict[str, TargetTable]) -> None:
    assert list(tables) == list(TARGETS)


def test_the_page_lists_every_target_with_its_numbers(tables: dict[str, TargetTable]) -> None:
    page = PAGE.read_text()
    for name, table in tables.items():
        judged = len(table) - table.first_judged
        row = f"| `{name}` | {table.horizon} | {len(table):,} | {judged:,} | {hardest(table)} |"
        assert row in page


def test_every_target_leaves_something_to_learn_and_to_judge(tables: dict[str, TargetTable]) -> None:
    for table in tables.values():
        assert not is_degenerate(table), table.name
        assert 0 < table.first_judged < len(table)
        if table.kind is Kind.PROBABILITY:
            assert set(np.unique(table.label[np.isfinite(table.label)])) == {0.0, 1.0}


def test_the_formula_is_the_hardest_baseline_of_the_base_fee(tables: dict[str, TargetTable]) -> None:
    assert {hardest(tables[f"base_fee_{ahead}"]) for ahead in (2, 3, 5)} == {"formula"}


def test_no_gap_above_cost_outlives_the_next_block(tables: dict[str, TargetTable]) -> None:
    table = tables["survival_next_block"]
    above_cost = table.values[:, table.names.index("threshold")] == THRESHOLDS[-1]
    assert above_cost.sum() > 20
    assert table.label[above_cost].sum() == 0


def test_prices_of_the_day_are_those_of_the_decoder(data_root: Path) -> None:
    swaps = read_day_swaps(data_root)
    pools = {Address("0x" + pool.hex()) for pool in (CHEAP_POOL, DEAR_POOL)}
    logs = [log for log in read_logs(data_root / "v3_logs_mainnet_20240105.parquet") if log.address in pools]
    events = [event for event in map(decode_log, logs[:400]) if isinstance(event, V3Swap)]
    assert len(events) > 300
    for place, event in enumerate(events):
        price = 1e12 / (event.sqrt_price_x96 / 2**96) ** 2
        assert np.exp(swaps.log_price[place]) == pytest.approx(price, rel=1e-12)
        assert swaps.ether[place] == pytest.approx(event.amount1 / 1e18, rel=1e-12)


def test_a_short_build_keeps_rows_on_both_sides(data_root: Path) -> None:
    (table,) = build_targets(data_root, ["bundle_tips_1"], short=True)
    assert (len(table), table.first_judged) == (2000, 1200)


def test_an_unknown_target_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no target is called moon"):
        build_targets(tmp_path, ["moon"])


@pytest.mark.parametrize("name", TARGETS)
def test_a_missing_recording_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="fetch it"):
        list(build_targets(tmp_path, [name]))


def test_a_damaged_recording_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    file.write_bytes(b"PAR1 not really")
    with pytest.raises(InputError, match="cannot be read"):
        read_columns(file, ("x",))
    pq.write_table(pa.table({"x": [1, None], "y": [1, 2]}), file)
    with pytest.raises(InputError, match="empty cells in x"):
        read_columns(file, ("x",))
    with pytest.raises(InputError, match=r"lacks the column\(s\) z"):
        read_columns(file, ("y", "z"))
    assert read_columns(file, ("x", "y"), may_be_empty=("x",))["y"].tolist() == [1, 2]
