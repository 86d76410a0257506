"""skeleton"""
from __future__ import annotations
from collections.abc import Sequence
from typing import Any
from features.feature import FeatureRow
from features.schema import FeatureSchema
from models.evaluation import Study
from models.forecaster import Forecast, Forecaster
from models.snapshot import Snapshot

class PrequentialLearner:
    """baselines are Forecasters too (models.baselines); both get a conformal interval."""
    def __init__(self, forecasters: Sequence[Forecaster], baselines: Sequence[Forecaster], schema: FeatureSchema, *,
                 horizon: int = 2, target: str = "base_fee_gwei", nominal: float = 0.9, window: int = 32) -> None: ...
    def step(self, row: FeatureRow, truth: float, *, judged: bool = True) -> tuple[Forecast, ...]:
        """truth = the target's value of row's own block (gwei). First learns from what this makes known, then
        forecasts; one Forecast per forecaster then baseline, in order; () while the window warms up."""
    def rollback(self, to_number: int) -> None: ...
    def study(self) -> Study: ...
    def snapshot(self, name: str) -> Snapshot: ...
    def state(self) -> dict[str, Any]: ...
    def restore(self, state: dict[str, Any]) -> None: ...
