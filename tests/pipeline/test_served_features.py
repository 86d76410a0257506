"""What serves in a run reads what the run knows, and outlives an outlier."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from core.reasons import Reason, Refusal
from features.feature import FeatureRow
from features.registry import LIVE_SCHEMA, SCHEMA
from features.schema import FeatureSchema
from models.forecaster import Forecast
from models.gate import Gate
from models.shadow_replay import Trial
from pipeline.study import study_models
from tests.models.gate_stage import Hint, changed, version
from tests.pipeline.test_live_rows import SOME, Follower, blocks_of
from tests.random_blocks import RandomChain


def test_no_feature_of_the_models_of_a_run_is_unknown_in_every_live_row(tmp_path: Path) -> None:
    follower = Follower(tmp_path)
    follower.see_all(blocks_of(RandomChain(), SOME))
    follower.close()
    never = set.intersection(*(set(row.missing) for row in follower.stored()))
    assert never
    for model in study_models(7, 4):
        assert never.isdisjoint(model.schema.names)  # type: ignore[attr-defined]


def test_after_an_outlier_every_model_forecasts_on(tmp_path: Path) -> None:
    def outlier(row: FeatureRow) -> FeatureRow:
        return replace(row, values=(1e155, *row.values[1:]))

    follower = Follower(tmp_path, {110: outlier})
    found = follower.see_all(blocks_of(RandomChain(), SOME[:20]))
    assert [one.reason for one in found if isinstance(one, Refusal)] == [Reason.FEATURE_OUT_OF_RANGE]
    assert isinstance(follower.outlook.latest, Forecast)
    assert follower.outlook.latest.issued_block == 120
    _, learning = follower.close()
    assert learning.study is not None
    for one in learning.study.series.values():
        assert one.blocks.tolist() == [*range(105, 112), *range(115, 121)]


def test_a_version_that_reads_what_no_live_run_knows_is_refused_with_its_names() -> None:
    rows = [FeatureRow(100 + at, 12 * at, 0, SCHEMA.names, (20.0,) * len(SCHEMA.names)) for at in range(30)]
    gate = Gate(Trial(rows, [20.0] * 30, "thirty blocks", "ab" * 32))
    refusal = gate.fits(changed(version("2", Hint()), schema=SCHEMA))
    assert refusal is not None
    assert refusal.reason is Reason.SCHEMA_DIFFERS
    assert all(name in refusal.detail for name in set(SCHEMA.names) - set(LIVE_SCHEMA.names))
    assert gate.fits(changed(version("2", Hint()), schema=FeatureSchema(LIVE_SCHEMA.names))) is None
