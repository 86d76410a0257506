"""Versions and trials for the gate, without a registry."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from features.feature import FeatureRow
from features.schema import FeatureSchema
from models.baselines import Persistence
from models.champion import Champion
from models.conformal import AdaptiveConformal
from models.forecaster import Window
from models.shadow_replay import Trial
from models.snapshot import Snapshot

NAMES = ("base_fee_gwei", "next_base_fee_gwei", "hint")
HORIZON = 2
FIRST_BLOCK = 100


class Hint(Persistence):
    """Says what the column ``hint`` says, off by a constant."""

    name = "hint"

    def __init__(self, off: float = 0.0) -> None:
        self.off = off

    def predict_one(self, window: Window) -> float:
        return window[-1]["hint"] + self.off


def trial(count: int = 600, noise: float = 0.0, seed: int = 3, level: float = 20.0) -> Trial:
    """Return a random walk of base fees; the hint is the fee two blocks ahead, with noise.

    The exact formula knows the next fee, so it is the hardest baseline.
    """
    random = np.random.default_rng(seed)
    fees = level + np.cumsum(random.normal(0, 0.1, count + HORIZON))
    hints = fees[HORIZON:] + random.normal(0, 1, count) * noise
    rows = [
        FeatureRow(FIRST_BLOCK + at, 12 * at, 0, NAMES, (fees[at], fees[at + 1], hints[at]))
        for at in range(count)
    ]
    return Trial(rows, fees[:count].tolist(), "random walk", "ab" * 32)


def version(number: str, forecaster: Persistence, *, state_block: int = 99, window: int = 4) -> Champion:
    """Return a loaded version around a forecaster."""
    snapshot = Snapshot(
        forecaster=forecaster,
        conformal=AdaptiveConformal(0.9),
        schema=FeatureSchema(NAMES),
        window=window,
        target="base_fee_gwei",
        horizon_blocks=HORIZON,
        state_block=state_block,
    )
    return Champion("base-fee-h2", number, "exact_formula", 0.9, snapshot)


def changed(champion: Champion, **fields: object) -> Champion:
    """Return the version with other fields in its snapshot."""
    return replace(champion, snapshot=replace(champion.snapshot, **fields))  # type: ignore[arg-type]
