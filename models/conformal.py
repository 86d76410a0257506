"""skeleton"""
from __future__ import annotations
from typing import Any

class AdaptiveConformal:
    def __init__(self, nominal: float = 0.9, gamma: float = 0.02, window: int = 500) -> None: ...
    def interval(self, value: float) -> tuple[float, float]:
        """Return (lower, upper) for a forecast; pure."""
    def update(self, value: float, lower: float, upper: float, label: float) -> None:
        """Learn from an interval as it was served and the label that came later."""
    @property
    def coverage(self) -> float: ...      # of the last `window` served intervals; nan before any
    @property
    def count(self) -> int: ...
    def state(self) -> dict[str, Any]: ...
    def restore(self, state: dict[str, Any]) -> None: ...
