"""Base-fee forecasts as they were served, held against what came.

A champion may come from another market than the one it serves on. Its intervals are used until
enough of its forecasts have met their truth here; from then on they come from those errors.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import replace

from analysis.records import Calibration
from chain.blocks import BlockHeader
from core.reasons import Reason, Refusal
from features.feature import FeatureRow
from market.state import JOURNAL_DEPTH
from models.conformal import AdaptiveConformal
from models.forecaster import Forecast, Window

ForecastSource = Callable[[Window], Awaitable[Forecast | Refusal]]
"""Answers a forecast from a window of rows; control plane, never awaited on the event path."""

WEI_PER_GWEI = 10**9
PATIENCE_SECONDS = 5.0
"""A forecast that takes longer is of no use: the next block needs our answer."""
ENOUGH = 20
"""Forecasts that must have met their truth here before intervals are taken from their errors."""


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
        self._window = window
        # more than a window: what orphaned blocks pushed out is needed again
        self._rows: deque[FeatureRow] = deque(maxlen=window + JOURNAL_DEPTH)
        self._waiting: dict[int, Forecast] = {}
        self._scored: list[tuple[int, float, Forecast]] = []
        self._conformal: AdaptiveConformal | None = None
        self.latest: Forecast | Refusal | None = None

    async def look(self, row: FeatureRow | None, header: BlockHeader) -> None:
        """Score what was said about this block and ask about a later one.

        Without a row, because it was refused, nobody is asked and the last answer stays; nor is anybody
        asked until there is a window of consecutive blocks again.
        """
        said = self._waiting.get(header.number)
        # what was said about a block that never came is never scored
        self._waiting = {number: one for number, one in self._waiting.items() if number > header.number}
        if said is not None:
            truth = header.base_fee / WEI_PER_GWEI
            self._scored.append((header.number, truth, said))
            if self._conformal is not None:
                self._conformal.update(said.value, said.lower, said.upper, truth)
        if row is None:
            return
        self._rows.append(row)
        window = tuple(self._rows)[-self._window :]
        if len(window) < self._window or row.block_number - window[0].block_number >= self._window:
            return
        answer = await self._ask(window)
        if isinstance(answer, Forecast):
            answer = self._calibrated(answer)
            self._waiting[answer.issued_block + answer.horizon_blocks] = answer
        self.latest = answer

    async def _ask(self, window: Window) -> Forecast | Refusal:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await self._source(window)
        except TimeoutError:
            return Refusal(Reason.BUSY, f"no forecast within {PATIENCE_SECONDS:g} s")

    def rollback(self, to_number: int) -> None:
        """Forget blocks above a height: what was said in them, and of them, as if never seen."""
        self._rows = deque((row for row in self._rows if row.block_number <= to_number), self._rows.maxlen)
        orphaned = [said for number, _, said in self._scored if number > to_number]
        self._scored = [scored for scored in self._scored if scored[0] <= to_number]
        waiting = {said.issued_block + said.horizon_blocks: said for said in orphaned} | self._waiting
        self._waiting = {number: said for number, said in waiting.items() if said.issued_block <= to_number}
        if self._conformal is not None:
            self._conformal = AdaptiveConformal(self._conformal.nominal)
            for _, truth, said in self._scored:
                self._conformal.update(said.value, said.lower, said.upper, truth)

    def _calibrated(self, forecast: Forecast) -> Forecast:
        if self._conformal is None:
            self._conformal = AdaptiveConformal(forecast.nominal)
        if self._conformal.count < ENOUGH:
            return forecast
        lower, upper = self._conformal.interval(forecast.value)
        return replace(forecast, lower=lower, upper=upper)

    def calibration(self) -> Calibration | None:
        """Return forecasts beside their truths; ``None`` before the first one met its block."""
        if not self._scored:
            return None
        blocks, truths, said = zip(*self._scored, strict=True)
        inside = sum(
            forecast.lower <= truth <= forecast.upper for truth, forecast in zip(truths, said, strict=True)
        )
        return Calibration(
            model=f"champion version {said[-1].model_version}, live",
            unit="gwei",
            nominal=(said[-1].nominal,),
            empirical=(inside / len(said),),
            blocks=blocks,
            truth=truths,
            value=tuple(forecast.value for forecast in said),
            lower=tuple(forecast.lower for forecast in said),
            upper=tuple(forecast.upper for forecast in said),
        )
