"""The network that the online LSTMs share, and how it and its optimiser are written down."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

WEIGHT_DECAY = 1e-3


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch use ``count`` threads meanwhile.

    Sums of so few numbers are slower on two threads than on one, and their order would depend
    on the machine.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class LstmNetwork(torch.nn.Module):
    """LSTM over the window, then one linear head on its last state and the last row.

    Parameters
    ----------
    features, hidden, outputs
        Columns of a row, width of the LSTM, and numbers that come out.
    generator
        Draws the first weights.
    """

    def __init__(self, features: int, hidden: int, outputs: int, generator: torch.Generator) -> None:
        super().__init__()
        self.lstm = torch.nn.LSTM(features, hidden, batch_first=True)
        self.head = torch.nn.Linear(hidden + features, outputs)
        bound = hidden**-0.5
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                # zero head: starts as the exact formula; zero input weights: a feature that
                # appears late starts without influence and earns it
                if name.startswith("head") or name.endswith("weight_ih_l0"):
                    parameter.zero_()
                else:
                    parameter.uniform_(-bound, bound, generator=generator)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Map ``float32[batch, window, feature]`` to ``float32[batch, output]``."""
        states, _ = self.lstm(rows)
        output: torch.Tensor = self.head(torch.cat((states[:, -1], rows[:, -1]), dim=1))
        return output


def make_optimiser(network: LstmNetwork, rate: float) -> torch.optim.AdamW:
    """Return a fresh optimiser of the network's weights."""
    return torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=WEIGHT_DECAY)


def network_state(network: LstmNetwork, optimiser: torch.optim.AdamW) -> dict[str, Any]:
    """Return weights and what the optimiser remembers of them as arrays."""
    slots = optimiser.state
    return {
        "weights": {name: value.numpy(force=True).copy() for name, value in network.state_dict().items()},
        "optimiser": [
            {key: value.numpy(force=True).copy() for key, value in slots[parameter].items()}
            for parameter in network.parameters()
            if parameter in slots
        ],
    }


def restore_network(network: LstmNetwork, optimiser: torch.optim.AdamW, state: dict[str, Any]) -> None:
    """Write weights and memory of :func:`network_state` into a network and its fresh optimiser.

    Raises
    ------
    KeyError, RuntimeError, TypeError, ValueError
        If they are of another shape.
    """
    weights = {name: torch.from_numpy(np.array(value)) for name, value in state["weights"].items()}
    network.load_state_dict(weights)
    for parameter, slot in zip(network.parameters(), state["optimiser"], strict=bool(state["optimiser"])):
        optimiser.state[parameter] = {
            # the count of steps stays on the host, moments lie beside their weights
            key: torch.from_numpy(np.array(value)).to("cpu" if key == "step" else parameter.device)
            for key, value in slot.items()
        }
