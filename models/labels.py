"""Labels arrive late: forecasts wait here until the block they speak about exists."""

from __future__ import annotations

from dataclasses import dataclass

from models.forecaster import Forecast, Window


@dataclass(frozen=True, slots=True)
class Issued:
    """What was served on one block: the window and every model's forecast, in a fixed order."""

    window: Window
    forecasts: tuple[Forecast, ...]

    @property
    def issued_block(self) -> int:
        """Height the forecasts were issued on."""
        return self.window[-1].block_number


class DelayedLabels:
    """Queue of forecasts whose label is not known yet."""

    def __init__(self, horizon: int) -> None: ...
    def __len__(self) -> int: ...
    def add(self, issued: Issued) -> None: ...
    def release(self, block_number: int) -> Issued | None:
        """Return the forecast about ``block_number`` (issued ``horizon`` before), None if there is none."""
    def rollback(self, to_number: int) -> int:
        """Forget what was issued above ``to_number``; return how many were dropped."""
