"""From a study to the model that serves: register, move the alias, and write down why.

The alias ``champion`` of the registered model is the only thing the serving application
looks at. MLflow overwrites an alias and keeps no history of it, so every move made here
is appended to ``promotions.jsonl`` beside the database, with the numbers that decided it.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.pyfunc import save_model
from mlflow.tracking import MlflowClient
from mlflow.types import Schema, TensorSpec

from core.errors import ModelError
from core.reasons import Reason
from core.seams import Clock, SystemClock
from models.evaluation import Study, choose_winner
from models.forecaster import Window
from models.snapshot import Snapshot, save_snapshot
from models.tracking import LoggedStudy, TrackingStore

CHAMPION = "champion"
LEDGER = "promotions.jsonl"
DIGEST_TAG = "snapshot_sha256"
SERVED_FILE = Path(__file__).with_name("served.py")


@dataclass(frozen=True, slots=True)
class PromotionOutcome:
    """Which version serves now, and why.

    Parameters
    ----------
    name, version, alias
        Registered model, its version, and the alias that points to it.
    model
        What serves: a model of the study or its best baseline.
    skill
        Skill of what serves against ``baseline``; 0 if it is the baseline itself.
    baseline
        Best baseline of the study.
    candidate, candidate_skill
        Best model of the study and its skill, whether it was promoted or not.
    reason
        ``None`` if the candidate serves, ``SKILL_NOT_POSITIVE`` if the baseline does.
    """

    name: str
    version: str
    alias: str
    model: str
    skill: float
    baseline: str
    candidate: str
    candidate_skill: float
    reason: Reason | None


def promote(
    store: TrackingStore,
    study: Study,
    logged: LoggedStudy,
    snapshot_of: Callable[[str], Snapshot],
    *,
    name: str = "base-fee-h2",
    alias: str = CHAMPION,
    example: Window,
    clock: Clock | None = None,
) -> PromotionOutcome:
    """Register the study's best model and give ``alias`` to whatever deserves it.

    A model deserves it by a positive skill against the best baseline. Otherwise it is
    registered all the same, with a tag that says why it does not serve, and the baseline is
    registered behind it and gets the alias: an honest formula beats a clever loser.

    Parameters
    ----------
    store
        Where the study was logged.
    study
        Scores.
    logged
        Run ids, as :func:`models.tracking.log_study` returned them.
    snapshot_of
        Gives the snapshot of a model or baseline by name.
    name, alias
        Registered model and alias.
    example
        A real window. It is stored with the version; whoever loads it tries it first.
    clock
        Time written to the ledger.

    Returns
    -------
    PromotionOutcome
        What serves now.

    Raises
    ------
    ModelError
        If the study holds no model, or a model cannot answer the example.
    """
    clock = clock or SystemClock()
    client = store.client()
    baseline, winner = study.best_baseline, choose_winner(study)
    candidate = winner or _best_model(study)
    reason = None if winner else Reason.SKILL_NOT_POSITIVE
    before = alias_version(client, name, alias)
    register = _Registration(client, study, logged, name, example)
    version = register(candidate, snapshot_of(candidate), reason)
    if winner is None:
        version = register(baseline, snapshot_of(baseline), None, stands_in_for=candidate)
    client.set_registered_model_alias(name, alias, version)
    outcome = PromotionOutcome(
        name=name,
        version=version,
        alias=alias,
        model=winner or baseline,
        skill=study.score(winner).skill if winner else 0.0,
        baseline=baseline,
        candidate=candidate,
        candidate_skill=study.score(candidate).skill,
        reason=reason,
    )
    _write_ledger(store, outcome, before, study, logged, clock)
    return outcome


def _best_model(study: Study) -> str:
    for score in study.scores:
        if not score.baseline:
            return score.name
    raise ModelError("the study holds baselines only; study at least one model before promoting")


@dataclass(frozen=True, slots=True)
class _Registration:
    """Makes versions of one registered model out of one study."""

    client: MlflowClient
    study: Study
    logged: LoggedStudy
    name: str
    example: Window

    def __call__(
        self, model: str, snapshot: Snapshot, refused: Reason | None, *, stands_in_for: str = ""
    ) -> str:
        """Register the model as the next version and return the version.

        A model that is registered already, bit for bit and with the same outcome, keeps its
        version: a repeated run then serves what the first one served, under the same number.
        """
        check_answer(snapshot, self.example)
        tags = self._tags(model, snapshot, refused, stands_in_for)
        tags[DIGEST_TAG] = snapshot_digest(snapshot)
        known = self._known_version(tags)
        if known is not None:
            return known
        run_id = self.logged.runs[model]
        code_version = self.client.get_run(run_id).data.tags.get("code_version", "unknown")
        tags["code_version"] = code_version
        entry = self.client.create_logged_model(
            self.logged.experiment_id, name=model, source_run_id=run_id, model_type="forecaster"
        )
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model"
            write_model(snapshot, path, self.example, run_id=run_id, model_id=entry.model_id)
            self.client.log_model_artifacts(entry.model_id, str(path))
        self.client.finalize_logged_model(entry.model_id, "READY")
        try:
            self.client.create_registered_model(self.name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        version = self.client.create_model_version(
            self.name, entry.artifact_location, run_id=run_id, tags=tags, model_id=entry.model_id
        )
        return str(version.version)

    def _known_version(self, tags: Mapping[str, str]) -> str | None:
        same = self.client.search_model_versions(
            f"name='{self.name}' and tags.{DIGEST_TAG}='{tags[DIGEST_TAG]}'"
        )
        numbers = [
            int(version.version)
            for version in same
            if all(version.tags.get(tag) == tags[tag] for tag in ("model", "why"))
        ]
        return str(min(numbers)) if numbers else None

    def _tags(
        self, model: str, snapshot: Snapshot, refused: Reason | None, stands_in_for: str
    ) -> dict[str, str]:
        score, baseline = self.study.score(model), self.study.best_baseline
        if refused:
            why = f"not promoted: skill {score.skill:+.4f} against {baseline} is not above 0"
        elif stands_in_for:
            why = f"promoted: no model beats this baseline; the best, {stands_in_for}, does not"
        else:
            why = f"promoted: skill {score.skill:+.4f} against {baseline} over {score.count} forecasts"
        return {
            "model": model,
            "baseline": baseline,
            "skill": f"{score.skill:.6f}",
            "mae": f"{score.mae:.6g}",
            "coverage": f"{score.coverage:.4f}",
            "nominal": f"{self.study.nominal:g}",
            "state_block": str(snapshot.state_block),
            "why": why,
            "reason": refused.value if refused else "",
        }


def snapshot_digest(snapshot: Snapshot) -> str:
    """Return the SHA-256 of a snapshot's file; equal models have equal files."""
    with tempfile.TemporaryDirectory() as folder:
        return save_snapshot(snapshot, Path(folder) / "snapshot.zip")


def write_model(snapshot: Snapshot, path: Path, example: Window, *, run_id: str, model_id: str) -> None:
    """Write a complete MLflow model folder that rebuilds ``snapshot``.

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


def alias_version(client: MlflowClient, name: str, alias: str) -> str | None:
    """Return the version behind an alias, ``None`` if the model or the alias is not there."""
    try:
        return str(client.get_model_version_by_alias(name, alias).version)
    except MlflowException as error:
        # a missing model is "does not exist", a missing alias is "invalid parameter"
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def _write_ledger(
    store: TrackingStore,
    outcome: PromotionOutcome,
    before: str | None,
    study: Study,
    logged: LoggedStudy,
    clock: Clock,
) -> None:
    entry = {
        "when": datetime.fromtimestamp(clock.now_ns() / 1e9, UTC).isoformat(),
        "name": outcome.name,
        "alias": outcome.alias,
        "from": before,
        "to": outcome.version,
        "evidence": {
            "study_run": logged.parent,
            "run": logged.runs[outcome.model],
            "outcome": asdict(outcome) | {"candidate_skill": _finite(outcome.candidate_skill)},
            "scores": {
                score.name: {"mae": _finite(score.mae), "skill": _finite(score.skill)}
                for score in study.scores
            },
        },
    }
    line = json.dumps(entry, separators=(",", ":")) + "\n"
    # one write to a file opened for appending: lines of two processes never mix
    handle = os.open(store.home / LEDGER, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(handle, line.encode())
        os.fsync(handle)
    finally:
        os.close(handle)


def _finite(number: float) -> float | None:
    """Return the number, ``None`` where JSON has no word for it."""
    return number if math.isfinite(number) else None


def read_ledger(store: TrackingStore) -> list[Mapping[str, Any]]:
    """Return every promotion made from this home, oldest first."""
    path = store.home / LEDGER
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
