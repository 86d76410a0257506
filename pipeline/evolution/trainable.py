"""A trial as Ray Tune runs it: in a process of its own, one chunk of the stream at a time."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ray import tune

from models.targets.table import TargetTable
from models.trial_settings import Setting
from models.trials import Trial

STATE = "trial.pkl"
SETTING = "setting"


class OnlineTrial(tune.Trainable):
    """Runs a :class:`Trial`; what another trial has learned is taken over exactly."""

    def setup(
        self, config: dict[str, Any], tables: Mapping[str, TargetTable] | None = None, seed: int = 0
    ) -> None:
        """Begin with a setting and the targets, which Ray keeps once for all trials."""
        self._tables = tables or {}
        self._seed = seed
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Begin anew with another setting in the same process."""
        setting = Setting(**new_config[SETTING])
        self._trial = Trial(self._tables[setting.target], setting, self._seed)
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
