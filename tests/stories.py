"""Made-up base-fee stories whose truth is known, for tests of models."""

from __future__ import annotations

import math

import numpy as np

from features.feature import FeatureRow
from features.schema import FeatureSchema

SCHEMA = FeatureSchema(("base_fee_gwei", "next_base_fee_gwei", "signal", "noise"))


def story(
    count: int, seed: int, *, strength: float = 0.05, first: int = 1
) -> tuple[list[FeatureRow], list[float]]:
    """Return rows and base fees; ``signal`` of block t moves the fee of block t + 2.

    The fee of the next block is known exactly, as on chain.
    """
    random = np.random.default_rng(seed)
    signal, noise = random.normal(size=count + 2), random.normal(size=count + 2)
    jump = strength * np.tanh(signal) + 0.01 * noise
    fees = [20.0, 20.0]
    for place in range(count):
        # pulled back to 20 gwei, so that a long story stays in range
        fees.append(20.0 * (fees[-1] / 20.0) ** 0.95 * math.exp(jump[place]))
    rows = [
        FeatureRow(
            first + t,
            12 * t,
            12 * t,
            SCHEMA.names,
            (fees[t], fees[t + 1], float(signal[t]), float(noise[t - 5])),
        )
        for t in range(count)
    ]
    return rows, fees[:count]
