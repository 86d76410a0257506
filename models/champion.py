"""Load the model that has an alias, and make sure that it answers before anybody relies on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mlflow.artifacts import download_artifacts
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.models.model import MLMODEL_FILE_NAME
from mlflow.pyfunc import load_model

from core.errors import InputError, ModelError
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
    standing = find_standing(store, name, alias)
    if standing.holder is None:
        refusal = standing.refusal
        why = (
            refusal.detail
            if refusal is not None and standing.ruled
            else ("train and promote one with `omniarb run`, or set the alias in MLflow")
        )
        raise ModelError(
            f"no model serves as {name}@{alias}; {why}", reason=Reason.NO_CHAMPION, name=name, alias=alias
        )
    return standing.holder


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
        If it does not load, is not a forecaster of this project, or fails on its example: it never will work.
    InputError
        If there is no such version, the database cannot be used, or the version's files cannot be read
        (``fields['reason']`` is ``REGISTRY_UNREACHABLE`` then): it may work the next time.
    """
    tags, folder = _fetch(store, name, version)
    try:
        served: Any = load_model(str(folder), suppress_warnings=True)
        loaded = served.unwrap_python_model()
        example = Model.load(str(folder)).load_input_example(str(folder))
    except Exception as error:  # a version is somebody's code: whatever it raises, it does not load
        if _bytes_are_missing(error, folder):
            raise _unreachable(name, version, error) from error
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


def _fetch(store: TrackingStore, name: str, version: str) -> tuple[Mapping[str, str], Path]:
    """Return a version's tags, and the folder its files are in."""
    client = store.client()
    with store.reading():
        try:
            tags = client.get_model_version(name, version).tags
            uri = client.get_model_version_download_uri(name, version)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            raise InputError(
                f"there is no version {version} of {name}; it was never registered, or was deleted in MLflow",
                name=name,
                version=version,
            ) from None
    try:
        return tags, Path(download_artifacts(artifact_uri=uri, tracking_uri=store.uri))
    except (OSError, MlflowException) as error:
        raise _unreachable(name, version, error) from error


def _bytes_are_missing(error: BaseException | None, folder: Path) -> bool:
    """Return whether loading failed because the disk did, and not because of what was read from it."""
    if not (folder / MLMODEL_FILE_NAME).is_file():
        return True
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error is not None


def _unreachable(name: str, version: str, error: Exception) -> InputError:
    first_line = str(error).partition("\n")[0]
    return InputError(
        f"the files of version {version} of {name} cannot be read ({type(error).__name__}: {first_line}); "
        "bring them back, or delete the version in MLflow if they are lost",
        reason=Reason.REGISTRY_UNREACHABLE,
        name=name,
        version=version,
    )


def _broken(name: str, version: str, problem: str) -> ModelError:
    first_line = problem.splitlines()[0]
    return ModelError(
        f"version {version} of {name} {first_line}; point the alias at another version",
        name=name,
        version=version,
    )
