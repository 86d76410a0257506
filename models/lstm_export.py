"""The LSTM's forward pass without torch, compiled, for the event path."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.compiled import compiled
from models.scaling import CLIP

Array = NDArray[np.float64]
Singles = NDArray[np.float32]


@compiled
def _tanh(x: float) -> float:
    """Return tanh within 1e-12: Lambert's continued fraction at x / 8, then the angle doubled three times.

    Plain arithmetic, unlike the library's, is done for several numbers at once.
    """
    y = min(max(x, -20.0), 20.0) * 0.125
    s = y * y
    top = y * (2027025.0 + s * (270270.0 + s * (6930.0 + s * 36.0)))
    bottom = 2027025.0 + s * (945945.0 + s * (51975.0 + s * (630.0 + s)))
    t = top / bottom
    t = 2.0 * t / (1.0 + t * t)
    t = 2.0 * t / (1.0 + t * t)
    return 2.0 * t / (1.0 + t * t)


@compiled
def _forward(rows: Array, mean: Array, scale: Array, weights: Singles, bias: Singles, head: Array) -> Array:
    """Return the outputs, ``float64[output]``, of a window ``float64[row, feature]`` of raw features."""
    count, width = rows.shape
    hidden = len(bias) // 4
    gates = np.empty(4 * hidden, dtype=np.float32)
    cell = np.zeros(hidden)
    # what the gates see: the scaled row, the state, and zeros up to an even number
    seen = np.zeros(len(weights), dtype=np.float32)
    for place in range(count):
        for column in range(width):
            value = (rows[place, column] - mean[column]) * scale[column]
            seen[column] = min(max(value, -CLIP), CLIP)
        gates[:] = bias
        for column in range(0, len(weights), 2):
            first, second = seen[column], seen[column + 1]
            for gate in range(4 * hidden):
                gates[gate] += weights[column, gate] * first + weights[column + 1, gate] * second
        for gate in range(4 * hidden):
            gates[gate] = _tanh(np.float64(gates[gate]))
        for unit in range(hidden):
            # a sigmoid is half a tanh: the halves are already in the weights
            enter, keep = 0.5 + 0.5 * gates[unit], 0.5 + 0.5 * gates[hidden + unit]
            cell[unit] = keep * cell[unit] + enter * gates[2 * hidden + unit]
            seen[width + unit] = (0.5 + 0.5 * gates[3 * hidden + unit]) * _tanh(cell[unit])
    result = head[:, hidden + width].copy()
    for output in range(len(head)):
        for unit in range(hidden):
            result[output] += head[output, unit] * seen[width + unit]
        for column in range(width):
            result[output] += head[output, hidden + column] * seen[column]
    return result


@dataclass(frozen=True, slots=True, eq=False)
class LstmKernel:
    """Weights of a trained LSTM and its scaler, laid out for the compiled forward pass.

    Parameters
    ----------
    mean, scale
        ``float64[feature]``: a feature is read as ``(value - mean) * scale``, within ±4.
    weights, bias
        ``float32[feature + hidden (+ 1 to be even), 4 * hidden]`` and ``float32[4 * hidden]``: gates
        enter, keep, value, show; those of the sigmoid gates are halved.
    head
        ``float64[output, hidden + feature + 1]``; the last column is the constant.
    """

    mean: Array
    scale: Array
    weights: Singles
    bias: Singles
    head: Array

    def outputs(self, rows: Array) -> Array:
        """Return ``float64[output]`` for a window of raw features, ``float64[row, feature]``."""
        return _forward(rows, self.mean, self.scale, self.weights, self.bias, self.head)


def export_lstm(weights: dict[str, Singles], mean: Array, scale: Array) -> LstmKernel:
    """Return the compiled form of an LSTM.

    Parameters
    ----------
    weights
        By torch's names: ``lstm.weight_ih_l0``, ``lstm.weight_hh_l0``, both biases, ``head.weight``,
        ``head.bias``.
    mean, scale
        The scaler's, ``float64[feature]``.
    """
    from_row, from_state = weights["lstm.weight_ih_l0"], weights["lstm.weight_hh_l0"]
    # sigmoid(x) = 1/2 + tanh(x / 2) / 2, so that one function serves all gates
    half = np.repeat(np.array([0.5, 0.5, 1.0, 0.5], dtype=np.float32), from_state.shape[1])
    padding = np.zeros(((from_row.shape[1] + from_state.shape[1]) % 2, len(half)), dtype=np.float32)
    return LstmKernel(
        mean=mean,
        scale=scale,
        # row after row in memory: the loop over gates reads neighbours, several at once
        weights=np.ascontiguousarray(np.concatenate((from_row.T * half, from_state.T * half, padding))),
        bias=(weights["lstm.bias_ih_l0"] + weights["lstm.bias_hh_l0"]) * half,
        head=np.column_stack((weights["head.weight"], weights["head.bias"])).astype(np.float64, order="C"),
    )
