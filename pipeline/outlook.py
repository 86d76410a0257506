"""Base-fee forecasts as they were served, held against what came."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable

from analysis.records import Calibration
from chain.blocks import BlockHeader
from core.reasons import Refusal
from features.feature import FeatureRow
from models.forecaster import Forecast, Window

ForecastSource = Callable[[Window], Awaitable[Forecast | Refusal]]
"""Answers a forecast from a window of rows; control plane, never awaited on the event path."""

WEI_PER_GWEI = 10**9


class Outlook:
    """Keeps the window of rows, asks for a forecast once a block, and scores it when its block comes.

    Parameters
    ----------
    source
        Who forecasts.
    window
        Rows that go with every question.
    """

    def __init__(self, source: ForecastSource, window: int) -> None:
        self._source = source
        self._rows: deque[FeatureRow] = deque(maxlen=window)
        self._waiting: dict[int, Forecast] = {}
        self._scored: list[tuple[int, float, Forecast]] = []
        self.latest: Forecast | Refusal | None = None

    async def look(self, row: FeatureRow, header: BlockHeader) -> None:
        """Score what was said about this block and ask about a later one."""
        said = self._waiting.pop(header.number, None)
        if said is not None:
            self._scored.append((header.number, header.base_fee / WEI_PER_GWEI, said))
        self._rows.append(row)
        if self._rows.maxlen is not None and len(self._rows) < self._rows.maxlen:
            return
        self.latest = await self._source(tuple(self._rows))
        if isinstance(self.latest, Forecast):
            self._waiting[self.latest.issued_block + self.latest.horizon_blocks] = self.latest

    def calibration(self) -> Calibration | None:
        """Return forecasts beside their truths; ``None`` before the first one met its block."""
        if not self._scored:
            return None
        blocks, truths, said = zip(*self._scored, strict=True)
        inside = sum(
            forecast.lower <= truth <= forecast.upper for truth, forecast in zip(truths, said, strict=True)
        )
        return Calibration(
            model=f"champion version {said[-1].model_version}",
            unit="gwei",
            nominal=(said[-1].nominal,),
            empirical=(inside / len(said),),
            blocks=blocks,
            truth=truths,
            value=tuple(forecast.value for forecast in said),
            lower=tuple(forecast.lower for forecast in said),
            upper=tuple(forecast.upper for forecast in said),
        )
