"""Load the model that has an alias, and make sure that it answers before anybody relies on it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mlflow.artifacts import download_artifacts
from mlflow.models import Model
from mlflow.pyfunc import load_model

from core.errors import ModelError
from core.reasons import Reason
from models.forecaster import Forecaster
from models.promotion import CHAMPION
from models.registration import check_answer
from models.snapshot import Snapshot
from models.standing import find_standing
from models.tracking_store import TrackingStore


@dataclass(frozen=True, slots=True)
class Champion:
    """A registered version, loaded and unwrapped.

    Parameters
    ----------
    name, version
        Registered model and version.
    baseline
        Best baseline when it was registered (from its tags).
    nominal
        Coverage its intervals aim at.
    snapshot
        The model itself.
    """

    name: str
    version: str
    baseline: str
    nominal: float
    snapshot: Snapshot

    @property
    def forecaster(self) -> Forecaster:
        """The forecaster without any wrapping."""
        return self.snapshot.forecaster


def find_champion(store: TrackingStore, name: str, alias: str = CHAMPION) -> str:
    """Return the version that has the alias: by decision, or, where nothing was decided, as it points.

    Raises
    ------
    ModelError
        If there is no such database, model or alias; ``fields['reason']`` is ``NO_CHAMPION``.
    InputError
        If the database cannot be used.
    """
    version = find_standing(store, name, alias).holder
    if version is None:
        raise ModelError(
            f"no model serves as {name}@{alias}; train and promote one with `omniarb run`, "
            "or set the alias in MLflow",
            reason=Reason.NO_CHAMPION,
            name=name,
            alias=alias,
        )
    return version


def load_champion(store: TrackingStore, name: str, alias: str = CHAMPION) -> Champion:
    """Load the version that has the alias and try it on its own example.

    Raises
    ------
    ModelError
        ``NO_CHAMPION`` as in :func:`find_champion`, or as in :func:`load_version`.
    InputError
        If the database cannot be used.
    """
    return load_version(store, name, find_champion(store, name, alias))


def load_version(store: TrackingStore, name: str, version: str) -> Champion:
    """Load one version and try it on its own example.

    Raises
    ------
    ModelError
        If it cannot be loaded, is not a forecaster of this project, or fails on its example.
    InputError
        If the database cannot be used, or has no such version.
    """
    client = store.client()
    with store.reading():
        tags = client.get_model_version(name, version).tags
        uri = client.get_model_version_download_uri(name, version)
    try:
        folder = Path(download_artifacts(artifact_uri=uri, tracking_uri=store.uri))
        served: Any = load_model(str(folder), suppress_warnings=True)
        loaded = served.unwrap_python_model()
        example = Model.load(str(folder)).load_input_example(str(folder))
    except Exception as error:  # a version is somebody's code: whatever it raises, it does not load
        raise _broken(name, version, f"does not load ({type(error).__name__}: {error})") from error
    snapshot = getattr(loaded, "snapshot", None)
    if not isinstance(snapshot, Snapshot) or example is None:
        raise _broken(name, version, "was not written by this project's promotion")
    try:
        check_answer(snapshot, snapshot.schema.rows(np.asarray(example, dtype=np.float64)[0]))
    except Exception as error:
        raise _broken(name, version, f"fails on its own example ({type(error).__name__}: {error})") from error
    return Champion(
        name=name,
        version=version,
        baseline=tags.get("baseline", ""),
        nominal=float(tags.get("nominal", "nan")),
        snapshot=snapshot,
    )


def _broken(name: str, version: str, problem: str) -> ModelError:
    first_line = problem.splitlines()[0]
    return ModelError(
        f"version {version} of {name} {first_line}; point the alias at another version",
        name=name,
        version=version,
    )
