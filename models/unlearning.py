"""Labels of orphaned blocks are unlearned exactly: the model goes back and learns what remains once more."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import ModelError
from market.state import JOURNAL_DEPTH
from models.forecaster import Forecaster, Window

STRIDE = 32
"""Labels between two copies of the model's state."""


@dataclass(slots=True)
class _Checkpoint:
    """A state, and what was learned after it."""

    state: dict[str, Any]
    learned: list[tuple[Window, float]]


class Unlearning:
    """A forecaster that forgets what a reorganisation has made untrue.

    It is the model inside in every respect but one: labels can be taken back, by :meth:`unlearn` or by
    learning about a block at or below one that it has learned about already, which takes back everything
    from that block on first. Every so often it keeps a copy of the model's state; going back means
    to restore the last copy before the orphans and to learn the labels between again. A copy made by
    :meth:`state` is the model's alone: whoever rebuilds it can go back no further than to there.

    Parameters
    ----------
    model
        Nobody else may teach it.
    depth
        Labels it can take back.
    """

    def __init__(self, model: Forecaster, depth: int = JOURNAL_DEPTH) -> None:
        self.model = model
        self.depth = depth
        self._checkpoints: deque[_Checkpoint] = deque([_Checkpoint(model.state(), [])])
        self._forgotten: int | None = None

    @property
    def name(self) -> str:
        """Name of the model inside."""
        return self.model.name

    def predict_one(self, window: Window) -> float:
        """Return the model's forecast, in the label's unit. Raises ``ModelError`` as the model does."""
        return self.model.predict_one(window)

    def learn_one(self, window: Window, label: float) -> None:
        """Learn a label; if it is not about a later block than the last one, unlearn first.

        Raises
        ------
        ModelError
            As the model does; if the block lies deeper than what can be taken back.
        """
        if not window:
            raise ModelError("a window holds at least one row")
        self.unlearn(window[-1].block_number)
        self.model.learn_one(window, label)
        self._checkpoints[-1].learned.append((window, label))
        if len(self._checkpoints[-1].learned) >= STRIDE:
            self._checkpoints.append(_Checkpoint(self.model.state(), []))
        self._drop_oldest()

    def unlearn(self, number: int) -> None:
        """Take back every label whose window ends at this height or above.

        Raises
        ------
        ModelError
            If that lies deeper than what can be taken back; nothing has changed then.
        """
        last = self._last()
        if last is None or last < number:
            return
        if self._forgotten is not None and number <= self._forgotten:
            raise ModelError(
                f"cannot unlearn back to block {number}: the model remembers back to block "
                f"{self._forgotten + 1}; load an older snapshot",
                to_number=number,
                oldest=self._forgotten + 1,
            )
        while len(self._checkpoints) > 1 and not self._before(self._checkpoints[-1], number):
            self._checkpoints.pop()
        kept = self._checkpoints[-1]
        kept.learned = [one for one in kept.learned if one[0][-1].block_number < number]
        self.model.restore(kept.state)
        for window, label in kept.learned:
            self.model.learn_one(window, label)

    def _drop_oldest(self) -> None:
        held = sum(len(one.learned) for one in self._checkpoints)
        while held - len(self._checkpoints[0].learned) >= self.depth:
            dropped = self._checkpoints.popleft().learned
            held -= len(dropped)
            self._forgotten = dropped[-1][0][-1].block_number

    def fit(self, windows: Sequence[Window], labels: Sequence[float]) -> None:
        """Train the model on history, if it can; history is never taken back."""
        fit = getattr(self.model, "fit", None)
        if fit is not None:
            fit(windows, labels)
            self._start()

    def _last(self) -> int | None:
        for one in reversed(self._checkpoints):
            if one.learned:
                return one.learned[-1][0][-1].block_number
        return self._forgotten

    def _before(self, checkpoint: _Checkpoint, number: int) -> bool:
        return bool(checkpoint.learned) and checkpoint.learned[0][0][-1].block_number < number

    def _start(self) -> None:
        self._checkpoints = deque([_Checkpoint(self.model.state(), [])])
        self._forgotten = None

    def state(self) -> dict[str, Any]:
        """Return the model's state."""
        return self.model.state()

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a model's state. Raises ``ModelError`` as the model does."""
        self.model.restore(state)
        self._start()
