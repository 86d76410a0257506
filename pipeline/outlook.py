"""Base-fee forecasts as they were served, held against what came.

A champion may come from another market than the one it serves on. Its intervals are used until
enough of its forecasts have met their truth here; from then on they come from those errors.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from analysis.records import Calibration
from chain.blocks import BlockHeader
from core.reasons import Reason, Refusal
from features.feature import FeatureRow
from market.state import JOURNAL_DEPTH
from models.conformal import AdaptiveConformal
from models.forecaster import Forecast, Window
from models.judged_rows import JudgedRows

ForecastSource = Callable[[Window], Awaitable[Forecast | Refusal]]
"""Answers a forecast from a window of rows; control plane, never awaited on the event path."""

WEI_PER_GWEI = 10**9
PATIENCE_SECONDS = 5.0
"""A forecast that takes longer is of no use: the next block needs our answer."""
ENOUGH = 20
"""Forecasts that must have met their truth here before intervals are taken from their errors."""


@dataclass(frozen=True, slots=True)
class _Met:
    """A forecast whose block came, and the intervals as they were before."""

    number: int
    said: Forecast
    intervals: AdaptiveConformal


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
        self._judged = JudgedRows()
        # one more than can be undone: the last one tells the version
        self._met: deque[_Met] = deque(maxlen=JOURNAL_DEPTH + 1)
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
            self._score(said, header)
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

    def _score(self, said: Forecast, header: BlockHeader) -> None:
        # whatever waits was given its interval by them
        assert self._conformal is not None
        truth = header.base_fee / WEI_PER_GWEI
        self._judged.add(header.number, truth, said.value, said.lower, said.upper)
        self._met.append(_Met(header.number, said, self._conformal.copy()))
        self._conformal.update(said.value, said.lower, said.upper, truth)

    async def _ask(self, window: Window) -> Forecast | Refusal:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await self._source(window)
        except TimeoutError:
            return Refusal(Reason.BUSY, f"no forecast within {PATIENCE_SECONDS:g} s")

    def rollback(self, to_number: int) -> None:
        """Forget blocks above a height: what was said in them, and of them, as if never seen.

        Raises
        ------
        ModelError
            If that is deeper than the market's journal.
        """
        self._judged.rollback(to_number)
        self._rows = deque((row for row in self._rows if row.block_number <= to_number), self._rows.maxlen)
        orphaned = []
        while self._met and self._met[-1].number > to_number:
            met = self._met.pop()
            orphaned.append(met.said)
            self._conformal = met.intervals
        waiting = {said.issued_block + said.horizon_blocks: said for said in orphaned} | self._waiting
        self._waiting = {number: said for number, said in waiting.items() if said.issued_block <= to_number}

    def _calibrated(self, forecast: Forecast) -> Forecast:
        if self._conformal is None:
            self._conformal = AdaptiveConformal(forecast.nominal)
        if self._conformal.count < ENOUGH:
            return forecast
        lower, upper = self._conformal.interval(forecast.value)
        return replace(forecast, lower=lower, upper=upper)

    def calibration(self) -> Calibration | None:
        """Return the last forecasts beside their truths, and the coverage of all.

        ``None`` before the first one met its block.
        """
        if not self._met:
            return None
        last, sums = self._met[-1].said, self._judged.sums
        blocks, truth, value, lower, upper = (tuple(column) for column in self._judged.table().T.tolist())
        return Calibration(
            model=f"champion version {last.model_version}, live",
            unit="gwei",
            nominal=(last.nominal,),
            empirical=(sums.inside / sums.count,),
            blocks=tuple(map(int, blocks)),
            truth=truth,
            value=value,
            lower=lower,
            upper=upper,
        )
