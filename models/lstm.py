"""An online LSTM that learns what the exact formula does not know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from core.errors import ModelError
from core.seams import Randomness
from features.schema import FeatureSchema
from models import residual
from models.forecaster import Window
from models.lstm_network import (
    LstmNetwork,
    make_optimiser,
    network_state,
    restore_network,
    torch_threads,
)
from models.scaling import OnlineScaler

BATCH = 128
EPOCHS = 6
FIT_RATE = 2e-3
FIT_DECAY = 0.7
"""Factor on the learning rate after each epoch."""

FIRST_RATE = 1e-3
LAST_RATE = 1e-4
RATE_STEPS = 100.0
"""Online learning rate falls from first to last as ``1 / (1 + steps / RATE_STEPS)``."""

REPLAYED = 8
REMEMBERED = 512
CLIP_NORM = 1.0


class ResidualLSTM:
    """Forecasts a base fee as the exact formula times a learned correction.

    It trains on the absolute error, one step per label: the new window and a few remembered
    ones. It never strays further from the formula than labels have been seen to. On one
    machine the same seed and the same calls give the same numbers.

    Parameters
    ----------
    schema
        Features it reads.
    randomness
        Seeds weights and replay.
    window
        Rows it reads; of a longer window the last ones, a shorter one is refused.
    hidden
        Width of the LSTM.
    """

    name = "residual_lstm"

    def __init__(
        self, schema: FeatureSchema, randomness: Randomness, *, window: int = 16, hidden: int = 32
    ) -> None:
        self.schema = schema
        self.window = window
        self.hidden = hidden
        width = len(schema.names)
        generator = torch.Generator().manual_seed(randomness.derive("lstm.weights") >> 1)
        self._network = LstmNetwork(width, hidden, 1, generator)
        self._optimiser = make_optimiser(self._network, FIRST_RATE)
        self._scaler = OnlineScaler(width)
        self._random = randomness.stream("lstm.replay")
        self._memory = np.zeros((REMEMBERED, window, width), dtype=np.float32)
        self._targets = np.zeros(REMEMBERED, dtype=np.float32)
        self._steps = 0
        self._limit = 0.0

    def predict_one(self, window: Window) -> float:
        """Return the forecast in gwei; changes nothing.

        Raises
        ------
        ModelError
            If the window is too short or lacks a feature.
        """
        rows = torch.from_numpy(self._scaler.transform(self._rows(window)).astype(np.float32))
        with torch_threads(1), torch.no_grad():
            output = float(self._network(rows[None])[0, 0])
        return residual.forecast(window, output, self._limit)

    def learn_one(self, window: Window, label: float) -> None:
        """Take one gradient step on this window and some remembered ones."""
        target = residual.target(window, label)
        if target is None:
            return
        rows = self._rows(window)
        self._scaler.update(rows[-1])
        known = min(self._steps, REMEMBERED)
        self._remember(rows, target)
        chosen = [(self._steps - 1) % REMEMBERED]
        if known:
            chosen.extend(self._random.integers(0, known, REPLAYED).tolist())
        for group in self._optimiser.param_groups:
            group["lr"] = max(LAST_RATE, FIRST_RATE / (1 + self._steps / RATE_STEPS))
        self._descend(self._memory[chosen], self._targets[chosen])

    def fit(self, windows: Sequence[Window], labels: Sequence[float]) -> None:
        """Train in batches on history that lies before anything to be forecast.

        Online learning goes on from there with its small last learning rate.
        """
        known = [
            (self._rows(window), target)
            for window, label in zip(windows, labels, strict=True)
            if (target := residual.target(window, label)) is not None
        ]
        if not known:
            return
        for rows, target in known:
            self._scaler.update(rows[-1])
            self._remember(rows, target)
        stacked = np.stack([rows for rows, _ in known]).astype(np.float32)
        targets = np.array([target for _, target in known], dtype=np.float32)
        self._optimiser = make_optimiser(self._network, FIT_RATE)
        for _ in range(EPOCHS):
            order = self._random.permutation(len(known))
            for start in range(0, len(known), BATCH):
                chosen = order[start : start + BATCH]
                self._descend(stacked[chosen], targets[chosen])
            for group in self._optimiser.param_groups:
                group["lr"] *= FIT_DECAY
        self._optimiser = make_optimiser(self._network, LAST_RATE)

    def _rows(self, window: Window) -> NDArray[np.float64]:
        if len(window) < self.window:
            raise ModelError(
                f"the model reads {self.window} rows, got {len(window)}", needed=self.window, got=len(window)
            )
        return self.schema.matrix(window[-self.window :])

    def _remember(self, rows: NDArray[np.float64], target: float) -> None:
        place = self._steps % REMEMBERED
        self._memory[place], self._targets[place] = rows, target
        self._steps += 1
        self._limit = max(self._limit, abs(target))

    def _descend(self, rows: NDArray[np.float32], targets: NDArray[np.float32]) -> None:
        scaled = torch.from_numpy(self._scaler.transform(rows.astype(np.float64)).astype(np.float32))
        self._optimiser.zero_grad()
        with torch_threads(1):
            loss = (self._network(scaled)[:, 0] - torch.from_numpy(targets)).abs().mean()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self._network.parameters(), CLIP_NORM)
            self._optimiser.step()

    def state(self) -> dict[str, Any]:
        """Return weights, optimiser, scaler, memory and random state as plain values and arrays."""
        return {
            "names": list(self.schema.names),
            "window": self.window,
            "hidden": self.hidden,
            **network_state(self._network, self._optimiser),
            "scaler": self._scaler.state(),
            "memory": self._memory[: self._steps].copy(),
            "targets": self._targets[: self._steps].copy(),
            "random": self._random.bit_generator.state,
            "steps": self._steps,
            "limit": self._limit,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state`; the next steps are identical.

        Raises
        ------
        ModelError
            If the state belongs to another shape of model.
        """
        try:
            self._check_shape(state)
            self._optimiser = make_optimiser(self._network, LAST_RATE)
            restore_network(self._network, self._optimiser, state)
            self._scaler.restore(state["scaler"])
            self._memory[: len(state["memory"])] = state["memory"]
            self._targets[: len(state["targets"])] = state["targets"]
            self._random.bit_generator.state = state["random"]
            self._steps, self._limit = int(state["steps"]), float(state["limit"])
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            raise ModelError(f"this is not the state of a {self.name}: {error}") from error

    def _check_shape(self, state: dict[str, Any]) -> None:
        ours = (list(self.schema.names), self.window, self.hidden)
        theirs = (list(state["names"]), state["window"], state["hidden"])
        if ours != theirs:
            raise ModelError(
                f"the saved model reads {theirs[1]} rows of {len(theirs[0])} features and {theirs[2]} units, "
                f"this one {ours[1]} of {len(ours[0])} and {ours[2]} units; build it alike"
            )
