"""Labels arrive late: forecasts wait here until the block they speak about exists."""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import ModelError
from models.forecaster import Forecast, Window


@dataclass(frozen=True, slots=True)
class Issued:
    """What was served on one block.

    Parameters
    ----------
    window
        Rows the forecasts were made from.
    forecasts
        One per model, in a fixed order, as served.
    judged
        Whether they count in the study; forecasts of a warm-up do not.
    """

    window: Window
    forecasts: tuple[Forecast, ...]
    judged: bool = True

    @property
    def issued_block(self) -> int:
        """Height of the block they were issued on."""
        return self.window[-1].block_number


class DelayedLabels:
    """Forecasts whose label is not known yet, by the height they speak about.

    Parameters
    ----------
    horizon
        Blocks between issue and label, at least 1.

    Raises
    ------
    ModelError
        If the horizon is not positive.
    """

    def __init__(self, horizon: int) -> None:
        if horizon < 1:
            raise ModelError(f"a horizon is at least 1 block, got {horizon}", horizon=horizon)
        self.horizon = horizon
        self._waiting: dict[int, Issued] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def waiting(self) -> tuple[Issued, ...]:
        """What was issued and has no label yet, oldest first."""
        return tuple(self._waiting[about] for about in sorted(self._waiting))

    def add(self, issued: Issued) -> None:
        """Keep what was issued until its label is known.

        Raises
        ------
        ModelError
            If that block's forecasts wait already.
        """
        about = issued.issued_block + self.horizon
        if about in self._waiting:
            raise ModelError(
                f"forecasts were already issued on block {issued.issued_block}; roll back first",
                issued_block=issued.issued_block,
            )
        self._waiting[about] = issued

    def release(self, block_number: int) -> Issued | None:
        """Return and forget what was issued about this block.

        What was issued about older blocks is forgotten too: their labels will not come.
        """
        found = self._waiting.pop(block_number, None)
        self._waiting = {about: issued for about, issued in self._waiting.items() if about > block_number}
        return found

    def rollback(self, to_number: int) -> int:
        """Forget what was issued on blocks above ``to_number``; return how many."""
        kept = {about: issued for about, issued in self._waiting.items() if issued.issued_block <= to_number}
        dropped = len(self._waiting) - len(kept)
        self._waiting = kept
        return dropped
