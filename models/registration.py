"""A version of a registered model: complete, tried on an example, tagged with why it serves or does not."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.pyfunc import save_model
from mlflow.tracking import MlflowClient
from mlflow.types import Schema, TensorSpec

from core.errors import ModelError
from core.reasons import Reason
from models.evaluation import Study
from models.forecaster import Window
from models.snapshot import Snapshot, save_snapshot
from models.tracking import LoggedStudy

DIGEST_TAG = "snapshot_sha256"
SERVED_FILE = Path(__file__).with_name("served.py")


def alias_version(client: MlflowClient, name: str, alias: str) -> str | None:
    """Return the version behind an alias, ``None`` if the model or the alias is not there."""
    try:
        return str(client.get_model_version_by_alias(name, alias).version)
    except MlflowException as error:
        # a missing model is "does not exist", a missing alias is "invalid parameter"
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


@dataclass(frozen=True, slots=True)
class Registration:
    """Makes versions of one registered model out of one study.

    Parameters
    ----------
    client
        Bound to the store that the study was logged in.
    study, logged
        Scores, and the runs they were logged as.
    name
        Registered model.
    example
        A real window, stored with each version; whoever loads it tries it first.
    """

    client: MlflowClient
    study: Study
    logged: LoggedStudy
    name: str
    example: Window

    def __call__(self, model: str, snapshot: Snapshot, why: str, reason: Reason | None = None) -> str:
        """Register the model as the next version, with why it serves or does not; return the version.

        A model that is registered already, bit for bit and with the same outcome, keeps its
        version: a repeated run then serves what the first one served, under the same number.
        """
        tags = self._tags(model, snapshot, why, reason)
        return register_version(
            self.client, self.name, snapshot, self.example, run_id=self.logged.runs[model], tags=tags
        )

    def _tags(self, model: str, snapshot: Snapshot, why: str, reason: Reason | None) -> dict[str, str]:
        score = self.study.score(model)
        return {
            "model": model,
            "baseline": self.study.best_baseline,
            "skill": f"{score.skill:.6f}",
            "mae": f"{score.mae:.6g}",
            "coverage": f"{score.coverage:.4f}",
            "nominal": f"{self.study.nominal:g}",
            "state_block": str(snapshot.state_block),
            "why": why,
            "reason": reason.value if reason else "",
        }


def register_version(
    client: MlflowClient,
    name: str,
    snapshot: Snapshot,
    example: Window,
    *,
    run_id: str,
    tags: Mapping[str, str],
) -> str:
    """Register a snapshot as the next version of a model, and return the version.

    One that is registered already, bit for bit and with the same ``model`` and ``why`` among its tags, keeps
    its version.

    Parameters
    ----------
    client, name
        Registry and registered model, made where there is none.
    snapshot, example
        The model, and a real window that it is tried on.
    run_id
        Run of MLflow it comes from.
    tags
        What the version's page says; ``model`` and ``why`` among them.

    Raises
    ------
    ModelError
        If the model does not answer the example.
    MlflowException
        If the registry refuses; see :meth:`models.tracking_store.TrackingStore.writing`.
    """
    check_answer(snapshot, example)
    tags = {**tags, DIGEST_TAG: snapshot_digest(snapshot)}
    known = _known_version(client, name, tags)
    if known is not None:
        return known
    run = client.get_run(run_id)
    tags["code_version"] = run.data.tags.get("code_version", "unknown")
    entry = client.create_logged_model(
        run.info.experiment_id, name=tags["model"], source_run_id=run_id, model_type="forecaster"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        write_model(snapshot, path, example, run_id=run_id, model_id=entry.model_id)
        client.log_model_artifacts(entry.model_id, str(path))
    client.finalize_logged_model(entry.model_id, "READY")
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    version = client.create_model_version(
        name, entry.artifact_location, run_id=run_id, tags=tags, model_id=entry.model_id
    )
    return str(version.version)


def _known_version(client: MlflowClient, name: str, tags: Mapping[str, str]) -> str | None:
    same = client.search_model_versions(f"name='{name}' and tags.{DIGEST_TAG}='{tags[DIGEST_TAG]}'")
    numbers = [
        int(version.version)
        for version in same
        if all(version.tags.get(tag) == tags[tag] for tag in ("model", "why"))
    ]
    return str(min(numbers)) if numbers else None


def snapshot_digest(snapshot: Snapshot) -> str:
    """Return the SHA-256 of a snapshot's file; equal models have equal files."""
    with tempfile.TemporaryDirectory() as folder:
        return save_snapshot(snapshot, Path(folder) / "snapshot.zip")


def write_model(snapshot: Snapshot, path: Path, example: Window, *, run_id: str, model_id: str) -> None:
    """Write a complete MLflow model folder that rebuilds ``snapshot``.

    Parameters
    ----------
    snapshot
        The model.
    path
        Folder to write; must not exist yet.
    example
        A real window; stored as ``float64[1, window, feature]``.
    run_id, model_id
        MLflow's run and logged model that it belongs to.

    Raises
    ------
    ModelError
        If the example lacks a feature of the schema.
    """
    tensor = snapshot.schema.matrix(example)[np.newaxis]
    shape = (-1, snapshot.window, len(snapshot.schema.names))
    signature = ModelSignature(
        inputs=Schema([TensorSpec(np.dtype(np.float64), shape)]),
        outputs=Schema([TensorSpec(np.dtype(np.float64), (-1, 3))]),
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "snapshot.zip"
        digest = save_snapshot(snapshot, file)
        save_model(
            path,
            mlflow_model=Model(run_id=run_id, model_id=model_id),
            python_model=str(SERVED_FILE),
            artifacts={"snapshot": str(file)},
            signature=signature,
            input_example=tensor,
            # named by hand: inference would start a process and read the whole environment
            pip_requirements=["omniarb"],
            metadata={
                "features": list(snapshot.schema.names),
                "outputs": ["value", "lower", "upper"],
                "target": snapshot.target,
                "horizon_blocks": snapshot.horizon_blocks,
                **({"corrects": snapshot.corrects} if snapshot.corrects else {}),
                DIGEST_TAG: digest,
            },
        )


def check_answer(snapshot: Snapshot, window: Window) -> None:
    """Ask for one forecast.

    Raises
    ------
    ModelError
        If there is none, or its value is not a finite number within its bounds.
    """
    value, lower, upper = snapshot.answer(window)
    if not (math.isfinite(value) and lower <= value <= upper):
        raise ModelError(f"the model answers {value} with the interval {lower} to {upper}; train it again")
