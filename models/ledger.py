"""The ledger of promotions: MLflow overwrites an alias and keeps no history of it, so we do.

One line of JSON per move of the alias, in ``promotions.jsonl`` beside the database.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from core.reasons import Reason
from core.seams import Clock
from models.evaluation import Study
from models.tracking import LoggedStudy
from models.tracking_store import TrackingStore

LEDGER = "promotions.jsonl"


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


def write_ledger(
    store: TrackingStore,
    outcome: PromotionOutcome,
    before: str | None,
    study: Study,
    logged: LoggedStudy,
    clock: Clock,
) -> None:
    """Append a promotion with the numbers that decided it.

    Parameters
    ----------
    store
        Its home holds the ledger.
    outcome
        What serves now.
    before
        Version that the alias pointed to until then, if any.
    study, logged
        Scores, and the runs they were logged as.
    clock
        Time of the entry.
    """
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
