"""The ledger of promotions: MLflow overwrites an alias and keeps no history of it, so we do.

One line of JSON per decision about an alias, in ``promotions.jsonl`` beside the database. Lines are only
ever added. One that cannot be read (a crash, an editor) is skipped and counted, and loses no other.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from core.errors import ModelError
from core.reasons import Reason
from core.seams import Clock
from models.evaluation import Study
from models.tracking import LoggedStudy
from models.tracking_store import TrackingStore

LEDGER = "promotions.jsonl"
_DECIDING, _JUDGING = "promotions.lock", "trials.lock"
_LOOK_AGAIN_S = 0.1
PATIENCE_S = 20.0
"""How long to wait for another one who moves an alias just now, which takes seconds. No trial does."""
_KEYS = ("when", "name", "alias", "from", "to")

STUDY, REQUEST, ROLLBACK = "study", "request", "rollback"
"""Kinds of entries: a run's own promotion, a request that the gate decided, a way back."""


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


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision about an alias.

    Parameters
    ----------
    kind
        :data:`STUDY`, :data:`REQUEST` or :data:`ROLLBACK`.
    who
        Person or part of the program that decided or asked.
    name, alias
        Registered model and alias.
    before, asked, after
        Version that had the alias, the one that asked for it, and the one that has it now.
    reason
        Why the one that asked was refused; ``None`` if it was not.
    why
        One sentence for a person.
    evidence
        The numbers that decided it.
    """

    kind: str
    who: str
    name: str
    alias: str
    before: str | None
    asked: str
    after: str | None
    reason: Reason | None
    why: str
    evidence: Mapping[str, Any]


def append(store: TrackingStore, decision: Decision, clock: Clock) -> None:
    """Add a decision.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    entry = {
        "when": datetime.fromtimestamp(clock.now_ns() / 1e9, UTC).isoformat(),
        "kind": decision.kind,
        "who": decision.who,
        "name": decision.name,
        "alias": decision.alias,
        "from": decision.before,
        "asked": decision.asked,
        "to": decision.after,
        "reason": decision.reason.value if decision.reason else None,
        "why": decision.why,
        "evidence": _finite(decision.evidence),
    }
    line = json.dumps(entry, separators=(",", ":"), allow_nan=False) + "\n"
    # one write to a file opened for appending: lines of two processes never mix
    handle = os.open(store.home / LEDGER, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        size = os.fstat(handle).st_size
        # a line that a crash tore must not take this one with it
        torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
        os.write(handle, ("\n" * torn + line).encode())
        os.fsync(handle)
    finally:
        os.close(handle)


def write_ledger(
    store: TrackingStore,
    outcome: PromotionOutcome,
    before: str | None,
    study: Study,
    logged: LoggedStudy,
    clock: Clock,
) -> None:
    """Append a study's promotion with the numbers that decided it.

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
    best = f"{outcome.candidate}: skill {outcome.candidate_skill:+.4f} against {outcome.baseline}"
    decision = Decision(
        kind=STUDY,
        who="study",
        name=outcome.name,
        alias=outcome.alias,
        before=before,
        asked=outcome.version,
        after=outcome.version,
        reason=outcome.reason,
        why=best if outcome.reason is None else f"{best} is not above 0, so {outcome.model} serves",
        evidence={
            "study_run": logged.parent,
            "run": logged.runs[outcome.model],
            "outcome": asdict(outcome),
            "scores": {score.name: {"mae": score.mae, "skill": score.skill} for score in study.scores},
        },
    )
    append(store, decision, clock)


def _finite(value: Any) -> Any:
    """Return a tree in which numbers that JSON has no word for are ``None``."""
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def read_ledger(store: TrackingStore) -> list[Mapping[str, Any]]:
    """Return every decision made from this home, oldest first; lines that cannot be read are left out."""
    return [entry for entry in _entries(store) if entry is not None]


def damaged_lines(store: TrackingStore) -> list[int]:
    """Return the numbers, from 1, of the lines that cannot be read."""
    return [number for number, entry in enumerate(_entries(store), start=1) if entry is None]


def _entries(store: TrackingStore) -> Iterator[Mapping[str, Any] | None]:
    path = store.home / LEDGER
    if not path.exists():
        return
    for line in path.read_bytes().splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            yield None
            continue
        yield entry if isinstance(entry, dict) and all(key in entry for key in _KEYS) else None


def settled(store: TrackingStore, name: str, alias: str) -> list[str]:
    """Return the versions that had the alias by decision, oldest first; the last one has it now.

    A rollback takes away what it went back from, so two in a row go back two steps.
    """
    return held_versions(read_ledger(store), name, alias)


def held_versions(entries: Iterable[Mapping[str, Any]], name: str, alias: str) -> list[str]:
    """Return the same as :func:`settled` from entries that have been read, oldest first."""
    versions: list[str] = []
    for entry in entries:
        if (entry["name"], entry["alias"]) != (name, alias) or entry["to"] is None:
            continue
        version = str(entry["to"])
        if entry.get("kind") == ROLLBACK and version in versions:
            del versions[len(versions) - versions[::-1].index(version) :]
        elif versions[-1:] != [version]:
            versions.append(version)
    return versions


def decisions_about(store: TrackingStore, name: str, alias: str) -> int:
    """Return how many decisions about an alias were written down; none comes between equal numbers."""
    return sum((entry["name"], entry["alias"]) == (name, alias) for entry in read_ledger(store))


@contextmanager
def deciding(store: TrackingStore, patience_s: float = 0.0) -> Iterator[None]:
    """Be the only one who moves aliases of this home and writes that down; nobody takes long over it.

    Parameters
    ----------
    store
        Its home holds the lock.
    patience_s
        Seconds to wait for another one who decides.

    Raises
    ------
    ModelError
        If another one still decides then.
    OSError
        If the home cannot be written.
    """
    with _locked(store.home / _DECIDING, patience_s):
        yield


@contextmanager
def judging(store: TrackingStore) -> Iterator[None]:
    """Be the only one who puts versions of this home through a gate; aliases may move meanwhile.

    Raises
    ------
    ModelError
        If another one does so.
    OSError
        If the home cannot be written.
    """
    with _locked(store.home / _JUDGING, 0.0):
        yield


@contextmanager
def _locked(path: Path, patience_s: float) -> Iterator[None]:
    deadline = time.monotonic() + patience_s
    # closing the file gives the lock back, also where the process dies
    with path.open("a") as file:
        while not _taken(file):
            if time.monotonic() >= deadline:
                raise ModelError(
                    f"another process decides about the models in {path.parent}; try again when it is done",
                    reason=Reason.BUSY,
                )
            time.sleep(_LOOK_AGAIN_S)
        yield


def _taken(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
