"""A trial as Ray Tune runs it: in a process of its own, one chunk of the stream at a time."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from ray import tune

STATE = "trial.pkl"
SETTING = "setting"


class Steps(Protocol):
    """A trial, one chunk at a time; it goes on exactly from its state."""

    setting: Any

    def step(self) -> dict[str, float]:
        """Judge one more chunk and return how it went."""
        ...

    def state(self) -> dict[str, Any]:
        """Return everything needed to go on."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state, under the setting in force."""
        ...


class OnlineTrial(tune.Trainable):
    """Runs a trial; what another one has learned is taken over exactly."""

    def setup(
        self, config: dict[str, Any], begin: Callable[[Mapping[str, Any]], Steps] | None = None
    ) -> None:
        """Begin a trial; what trials are begun with, Ray keeps once for all of them."""
        assert begin is not None
        self._begin = begin
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Begin anew with another setting in the same process."""
        self._trial = self._begin(new_config[SETTING])
        return True

    def step(self) -> dict[str, Any]:
        """Judge one more chunk; say under which setting."""
        return {**self._trial.step(), SETTING: asdict(self._trial.setting)}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Write the trial's whole state; only this search reads it back."""
        Path(checkpoint_dir, STATE).write_bytes(pickle.dumps(self._trial.state()))

    def load_checkpoint(self, checkpoint: dict[str, Any] | str | None) -> None:
        """Go on from a state, under the setting in force."""
        self._trial.restore(read_state(Path(str(checkpoint))))


def read_state(folder: Path) -> dict[str, Any]:
    """Return the state of a trial that :class:`OnlineTrial` wrote."""
    state: dict[str, Any] = pickle.loads((folder / STATE).read_bytes())
    return state
