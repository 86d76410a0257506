"""A tracking store with a study in it, and models small enough to register in a test.

Take them into a conftest by importing the names. MLflow is imported when a fixture first
needs it, because it takes seconds.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.seams import ManualClock
from features.feature import FeatureRow
from features.schema import FeatureSchema
from models.baselines import ExactFormula, Persistence
from models.conformal import AdaptiveConformal
from models.evaluation import Study, make_study
from models.forecaster import Forecaster, Window
from models.snapshot import Snapshot

if TYPE_CHECKING:
    from models.promotion import PromotionOutcome
    from models.tracking import Provenance, TrackingStore

WINDOW = 4
SCHEMA = FeatureSchema(("base_fee_gwei", "next_base_fee_gwei"))
NOW_NS = 1_700_000_000_000_000_000


def provenance() -> Provenance:
    """Return where a test's study comes from."""
    from models.tracking import Provenance

    parameters = {"window": WINDOW, "seed": 7}
    return Provenance("devnet-7", "ab" * 32, SCHEMA.digest, "unknown", parameters)


def window(first_fee: float = 20.0) -> Window:
    """Return a window of rows whose base fee rises by one gwei a block."""
    return tuple(
        FeatureRow(place, 12 * place, 0, SCHEMA.names, (first_fee + place, first_fee + place + 0.25))
        for place in range(WINDOW)
    )


def snapshot(name: str = "persistence") -> Snapshot:
    """Return a snapshot of a baseline under test; any other name is served by persistence."""
    forecaster: Forecaster = ExactFormula() if name == "exact_formula" else Persistence()
    conformal = AdaptiveConformal(0.9)
    for label in np.linspace(19.0, 21.0, 60):
        conformal.update(20.0, *conformal.interval(20.0), float(label))
    return Snapshot(
        forecaster=forecaster,
        conformal=conformal,
        schema=SCHEMA,
        window=WINDOW,
        target="base_fee_gwei",
        horizon_blocks=2,
        state_block=99,
    )


def study(errors: dict[str, float], count: int = 1000) -> Study:
    """Return a study in which each model is off by its constant error, alternating in sign.

    ``persistence`` and ``exact_formula`` are the baselines and need an error each.
    """
    truth = 20 + np.sin(np.arange(count) / 50)
    sign = np.where(np.arange(count) % 2, 1.0, -1.0)

    def rows(names: set[str]) -> dict[str, list[tuple[float, ...]]]:
        guesses = {name: truth + errors[name] * sign for name in names}
        return {
            name: [
                (100 + place, true, value, value - 1.0, value + 1.0)
                for place, (true, value) in enumerate(zip(truth.tolist(), guess.tolist(), strict=True))
            ]
            for name, guess in guesses.items()
        }

    baselines = {"persistence", "exact_formula"}
    return make_study("base_fee_gwei", 2, 0.9, rows(set(errors) - baselines), rows(baselines))


WINS = {"lstm": 0.4, "snarimax": 0.6, "persistence": 0.5, "exact_formula": 0.8}
LOSES = {"lstm": 0.7, "snarimax": 0.9, "persistence": 0.5, "exact_formula": 0.8}


@pytest.fixture(scope="session")
def migrated_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build one tracking database for the session: its first touch takes seconds."""
    from models.tracking import TrackingStore

    home = tmp_path_factory.mktemp("mlruns")
    TrackingStore(home).client().search_experiments()
    return home


@pytest.fixture
def store(migrated_home: Path, tmp_path: Path) -> TrackingStore:
    """Return an empty store of the test's own."""
    from models.tracking import TrackingStore

    home = tmp_path / "mlruns"
    shutil.copytree(migrated_home, home)
    return TrackingStore(home)


@pytest.fixture
def register(store: TrackingStore) -> Callable[..., PromotionOutcome]:
    """Return a function that logs a study with these errors and promotes from it."""

    def run(errors: dict[str, float] = WINS) -> PromotionOutcome:
        return log_and_promote(store, errors)

    return run


@pytest.fixture(scope="session")
def registered(tmp_path_factory: pytest.TempPathFactory, migrated_home: Path) -> TrackingStore:
    """Return a store of the session in which ``WINS`` has been promoted; read from it only."""
    from models.tracking import TrackingStore

    home = tmp_path_factory.mktemp("registered") / "mlruns"
    shutil.copytree(migrated_home, home)
    store = TrackingStore(home)
    log_and_promote(store, WINS)
    return store


def log_and_promote(store: TrackingStore, errors: dict[str, float]) -> PromotionOutcome:
    """Log a study with these errors and promote from it."""
    from models.promotion import promote
    from models.tracking import log_study

    clock = ManualClock(NOW_NS)
    result = study(errors)
    logged = log_study(store, result, provenance(), clock=clock)
    return promote(store, result, logged, snapshot, example=window(), clock=clock)
