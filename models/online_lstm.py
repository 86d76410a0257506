"""What the online LSTMs share: one gradient step a label, rehearsal, a rate that falls and rises again."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from core.errors import ModelError
from core.reasons import Refusal
from core.seams import Randomness
from features.schema import FeatureSchema
from models.drift import DriftRate
from models.forecaster import Window
from models.inputs import ResidualUnit, check_names, check_numbers, read_rows
from models.lstm_export import LstmKernel, export_lstm
from models.lstm_network import (
    LstmNetwork,
    make_optimiser,
    network_state,
    restore_network,
    torch_threads,
)
from models.replay_buffer import ReplayBuffer
from models.scaling import OnlineScaler

FIRST_RATE = 1e-3
LAST_RATE = 1e-4
REPLAYED = 8
REMEMBERED = 512
CLIP_NORM = 1.0

BATCH = 64
EPOCHS = (6, 20)
"""Passes over history, long and short; between them as many as give ``FIT_STEPS``."""
FIT_STEPS = 400
FIT_RATE = 2e-3


class OnlineLSTM(ABC):
    """An LSTM over a window that learns by what its baseline gets wrong, label by label.

    For each label it takes one step on the new window and a few rehearsed ones; gradients flow through the
    window and no further. The rate of learning falls while errors are calm and starts high again when they
    have risen. Forecasts come from the compiled network, not from torch; on one machine the same seed and the
    same calls give the same numbers.

    Parameters
    ----------
    schema
        Features it reads; rows also carry ``baseline``.
    randomness
        Seeds weights and replay.
    window
        Rows it reads; of a longer window the last ones, a shorter one is refused.
    hidden
        Width of the LSTM.
    rate
        First online learning rate; the last one keeps its usual distance.
    device
        Where torch learns, ``cpu`` or ``cuda``.
    """

    name: ClassVar[str]
    outputs: ClassVar[int]

    def __init__(
        self,
        schema: FeatureSchema,
        randomness: Randomness,
        *,
        window: int = 16,
        hidden: int = 32,
        rate: float = FIRST_RATE,
        device: str = "cpu",
    ) -> None:
        self.schema = schema
        self.window = window
        self.hidden = hidden
        self._rate = DriftRate(FIRST_RATE, LAST_RATE)
        self.rate = rate
        width = len(schema.names)
        generator = torch.Generator().manual_seed(randomness.derive(f"{self.name}.weights") >> 1)
        self._network = LstmNetwork(width, hidden, self.outputs, generator).to(device)
        self._optimiser = make_optimiser(self._network, rate)
        self._device = device
        self._scaler = OnlineScaler(width)
        self._unit = ResidualUnit()
        self._random = randomness.stream(f"{self.name}.replay")
        self._buffer = ReplayBuffer(REMEMBERED, (window, width), self._random)
        self._kernel = self._export()

    @property
    def rate(self) -> float:
        """First online learning rate; a new one leaves what was learned, and how calm errors are."""
        return self._rate.first

    @rate.setter
    def rate(self, rate: float) -> None:
        if not (math.isfinite(rate) and rate > 0):
            raise ModelError(f"a learning rate is a positive number, got {rate}", rate=rate)
        self._rate.first, self._rate.last = rate, rate * LAST_RATE / FIRST_RATE

    @property
    def drift(self) -> Refusal | None:
        """Why it last began to learn fast again; ``None`` if it never had to."""
        return self._rate.reason

    @abstractmethod
    def predict_one(self, window: Window) -> float:
        """Return the forecast, in the label's unit; changes nothing."""

    @abstractmethod
    def _residual(self, window: Window, label: float) -> float:
        """Return the label less the baseline. Raises ``ModelError`` if one of them cannot be used."""

    @abstractmethod
    def _error(self, rows: NDArray[np.float64], residual: float) -> float:
        """Return how wrong the forecast was, in units of the usual error."""

    @abstractmethod
    def _loss(self, outputs: torch.Tensor, residuals: NDArray[np.float64]) -> torch.Tensor:
        """Return the mean loss of outputs, ``float32[batch, output]``."""

    def learn_one(self, window: Window, label: float) -> None:
        """Take one gradient step on this window and some remembered ones.

        Raises
        ------
        ModelError
            As :meth:`predict_one`, and if the label cannot be learned from; nothing has changed then.
        """
        rows = read_rows(self.schema, window, self.window)
        residual = self._residual(window, label)
        if self._unit.size > 0:
            self._rate.update(self._error(rows, residual))
        self._scaler.update(rows[-1])
        self._unit.update(residual)
        old_rows, old_residuals = self._buffer.draw(REPLAYED)
        self._buffer.add(rows, residual)
        for group in self._optimiser.param_groups:
            group["lr"] = self._rate.rate
        self._descend(np.concatenate((rows[None], old_rows)), np.append(residual, old_residuals))
        self._kernel = self._export()

    def fit(self, windows: Sequence[Window], labels: Sequence[float]) -> None:
        """Train in batches on history that lies before anything to be forecast.

        Online learning goes on from there with its small last learning rate.
        """
        if not windows:
            return
        stacked = np.stack([read_rows(self.schema, window, self.window) for window in windows])
        pairs = zip(windows, labels, strict=True)
        residuals = np.array([self._residual(window, label) for window, label in pairs])
        for rows, residual in zip(stacked, residuals.tolist(), strict=True):
            self._scaler.update(rows[-1])
            self._unit.update(residual)
            self._buffer.add(rows, residual)
        self._optimiser = make_optimiser(self._network, FIT_RATE)
        batches = -(-len(stacked) // BATCH)
        epochs = min(max(FIT_STEPS // batches, EPOCHS[0]), EPOCHS[1])
        for epoch in range(epochs):
            order = self._random.permutation(len(stacked))
            for group in self._optimiser.param_groups:
                group["lr"] = FIT_RATE * (LAST_RATE / FIT_RATE) ** (epoch / epochs)
            for start in range(0, len(order), BATCH):
                chosen = order[start : start + BATCH]
                self._descend(stacked[chosen], residuals[chosen])
        self._optimiser = make_optimiser(self._network, LAST_RATE)
        self._rate.settle()
        self._kernel = self._export()

    def _descend(self, rows: NDArray[np.float64], residuals: NDArray[np.float64]) -> None:
        if self._unit.size == 0:
            return
        scaled = torch.from_numpy(self._scaler.transform(rows).astype(np.float32)).to(self._device)
        self._optimiser.zero_grad()
        with torch_threads(1):
            loss = self._loss(self._network(scaled), residuals)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self._network.parameters(), CLIP_NORM)
            self._optimiser.step()

    def _export(self) -> LstmKernel:
        weights = {name: value.numpy(force=True) for name, value in self._network.state_dict().items()}
        return export_lstm(weights, *self._scaler.parameters())

    def state(self) -> dict[str, Any]:
        """Return weights, optimiser, scaler, unit, rate and replay buffer as plain values and arrays."""
        return {
            "names": list(self.schema.names),
            "window": self.window,
            "hidden": self.hidden,
            **network_state(self._network, self._optimiser),
            "scaler": self._scaler.state(),
            "unit": self._unit.state(),
            "first_rate": self.rate,
            "rate": self._rate.state(),
            "buffer": self._buffer.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state`; the next steps are identical.

        Raises
        ------
        ModelError
            If the state belongs to another shape of model, or is damaged.
        """
        try:
            check_names(state["names"], self.schema)
            if (state["window"], state["hidden"]) != (self.window, self.hidden):
                raise ModelError(
                    f"the saved model reads {state['window']} rows with {state['hidden']} units, "
                    f"this one {self.window} with {self.hidden}; build it alike"
                )
            check_numbers(
                *state["weights"].values(), *(v for slot in state["optimiser"] for v in slot.values())
            )
            self._optimiser = make_optimiser(self._network, LAST_RATE)
            restore_network(self._network, self._optimiser, state)
            self._scaler.restore(state["scaler"])
            self._rate.restore(state["rate"])
            self.rate = float(state["first_rate"])
            self._buffer.restore(state["buffer"])
            self._unit.restore(state["unit"])
        except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise ModelError(f"this is not the state of a {self.name}: {error}") from error
        self._kernel = self._export()
