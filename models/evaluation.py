"""skeleton"""
from __future__ import annotations
from dataclasses import dataclass
from numpy.typing import NDArray

@dataclass(frozen=True, slots=True, eq=False)
class Series:
    blocks: NDArray      # int64: the block the forecast speaks about
    truth: NDArray       # float64 gwei
    prediction: NDArray
    lower: NDArray
    upper: NDArray

@dataclass(frozen=True, slots=True)
class ModelScore:
    name: str
    baseline: bool
    count: int
    mae: float      # gwei
    rmse: float     # gwei
    skill: float    # 1 - mae / mae of the best baseline
    coverage: float
    width: float    # mean interval width, gwei

@dataclass(frozen=True, slots=True, eq=False)
class Study:
    target: str
    horizon_blocks: int
    nominal: float
    scores: tuple[ModelScore, ...]     # models first, best MAE first; then baselines
    series: dict[str, Series]
    @property
    def best_baseline(self) -> str: ...
    def score(self, name: str) -> ModelScore: ...
    def steps(self, name: str, every: int = 100) -> tuple[tuple[int, dict[str, float]], ...]:
        """Cumulative metrics for MLflow: (block, {"mae":..., "skill":..., "coverage":...}) every n judged forecasts."""

def choose_winner(study: Study) -> str | None:
    """Best model by MAE whose skill is positive; None if there is none (then serve study.best_baseline)."""
