"""What the registry holds, read-only: versions, what each was trained on, and why it serves or does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from core.errors import InputError
from models.ledger import read_ledger
from models.registration import DIGEST_TAG
from models.standing import find_standing
from models.tracking_store import TrackingStore


@dataclass(frozen=True, slots=True)
class VersionView:
    """One registered version.

    Parameters
    ----------
    name, version, model
        Registered model, version, and which kind of model it is.
    aliases
        Aliases that point to it now, in order.
    created
        When it was registered, ISO 8601, UTC.
    run_id, snapshot
        MLflow's run it comes from, and the hash of its snapshot file.
    state_block
        Last block it has learned from.
    baseline, skill, mae, brier, coverage, nominal
        Scores of the study it comes from, as its tags tell them; NaN if they do not. A number has a mean
        error and coverage, a probability a Brier score.
    why, reason
        What the study decided, and the reason code if it refused.
    gate, gate_reason
        What the gate decided last, and its reason code; empty if it never asked.
    """

    name: str
    version: str
    model: str
    aliases: tuple[str, ...]
    created: str
    run_id: str
    snapshot: str
    state_block: int
    baseline: str
    skill: float
    mae: float
    brier: float
    coverage: float
    nominal: float
    why: str
    reason: str
    gate: str
    gate_reason: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that is known about why a version serves or does not.

    Parameters
    ----------
    view
        The version.
    serves_as
        Aliases it has by decision.
    verdict
        One sentence.
    trained_on
        Data, features, code and parameters of its run.
    decisions
        Ledger entries it asked or was replaced in, oldest first.
    """

    view: VersionView
    serves_as: tuple[str, ...]
    verdict: str
    trained_on: Mapping[str, str]
    decisions: tuple[Mapping[str, Any], ...]


def list_versions(store: TrackingStore, name: str) -> tuple[VersionView, ...]:
    """Return every version of a registered model, newest first.

    Raises
    ------
    InputError
        If there is no registry or no such model, or the database cannot be used.
    """
    client = _client(store)
    with store.reading():
        aliases = _aliases(client, name)
        found = client.search_model_versions(f"name='{name}'") if aliases is not None else []
    if aliases is None or not found:
        raise InputError(
            f"there is no registered model {name} in {store.home}; make one with `omniarb train`", name=name
        )
    views = [_view(version, aliases) for version in found]
    return tuple(sorted(views, key=lambda view: -int(view.version)))


def find_version(store: TrackingStore, name: str, version: str) -> VersionView:
    """Return one version.

    Raises
    ------
    InputError
        As :func:`list_versions`, or if there is no such version; the message lists those that are.
    """
    views = list_versions(store, name)
    for view in views:
        if view.version == version:
            return view
    known = [view.version for view in reversed(views)]
    raise InputError(f"{name} has no version {version}; it has {', '.join(known)}", version=version)


def find_by_run(store: TrackingStore, name: str, run: str) -> VersionView:
    """Return the version that a run of MLflow (its id, or the id's beginning) was registered as.

    Raises
    ------
    InputError
        As :func:`list_versions`, or if no version comes from such a run.
    """
    found = [view for view in list_versions(store, name) if run and view.run_id.startswith(run)]
    if len(found) != 1:
        what = "no version" if not found else f"versions {', '.join(view.version for view in found)}"
        raise InputError(f"{what} of {name} from a run {run}; `omniarb models list` shows them", run=run)
    return found[0]


def explain(store: TrackingStore, view: VersionView) -> Explanation:
    """Return what a version was trained on, and every decision about it.

    Raises
    ------
    InputError
        If the database cannot be used.
    """
    client = _client(store)
    with store.reading():
        run = client.get_run(view.run_id) if view.run_id else None
    entries = [entry for entry in read_ledger(store) if entry["name"] == view.name]
    mine = [
        entry
        for entry in entries
        if view.version in {str(entry.get(key)) for key in ("from", "asked", "to") if entry.get(key)}
    ]
    held = sorted({str(entry["alias"]) for entry in entries})
    serves_as = tuple(
        alias for alias in held if find_standing(store, view.name, alias).decided == view.version
    )
    return Explanation(view, serves_as, _verdict(view, serves_as, mine), _trained_on(run), tuple(mine))


def _verdict(view: VersionView, serves_as: tuple[str, ...], decisions: list[Mapping[str, Any]]) -> str:
    unsettled = [alias for alias in view.aliases if alias not in serves_as]
    if unsettled:
        return (
            f"asks to be {', '.join(unsettled)}: the alias was moved to it and nothing was decided yet; "
            "`omniarb models promote` decides"
        )
    # what happened to it last: it was refused, replaced or taken
    last = decisions[-1] if decisions else None
    if serves_as:
        taken = [entry for entry in decisions if str(entry["to"]) == view.version]
        return f"is {', '.join(serves_as)}: {taken[-1].get('why') or view.why}"
    if last is None:
        return f"has never been asked for: {view.why}"
    if str(last["to"]) != view.version and str(last.get("asked")) == view.version:
        return f"was refused: {last.get('reason')}: {last.get('why')}"
    return f"was replaced by version {last['to']}: {last.get('why') or 'the entry gives no reason'}"


def _trained_on(run: Run | None) -> dict[str, str]:
    if run is None:
        return {}
    tags = {
        key: run.data.tags[key] for key in ("data_set", "data_hash", "code_version") if key in run.data.tags
    }
    return tags | dict(sorted(run.data.params.items()))


def _client(store: TrackingStore) -> MlflowClient:
    if not store.exists:
        raise InputError(
            f"there is no registry in {store.home} yet; make one with `omniarb train` or `omniarb run`",
            path=str(store.home),
        )
    return store.client()


def _aliases(client: MlflowClient, name: str) -> dict[str, str] | None:
    try:
        return {alias: str(version) for alias, version in client.get_registered_model(name).aliases.items()}
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise


def _view(version: ModelVersion, aliases: Mapping[str, str]) -> VersionView:
    tags = version.tags
    number = str(version.version)
    return VersionView(
        name=str(version.name),
        version=number,
        model=tags.get("model", ""),
        aliases=tuple(sorted(alias for alias, target in aliases.items() if target == number)),
        created=datetime.fromtimestamp(version.creation_timestamp / 1000, UTC).isoformat(timespec="seconds"),
        run_id=version.run_id or "",
        snapshot=tags.get(DIGEST_TAG, ""),
        state_block=int(_number(tags, "state_block", -1)),
        baseline=tags.get("baseline", ""),
        skill=_number(tags, "skill"),
        mae=_number(tags, "mae"),
        brier=_number(tags, "brier"),
        coverage=_number(tags, "coverage"),
        nominal=_number(tags, "nominal"),
        why=tags.get("why", ""),
        reason=tags.get("reason", ""),
        gate=tags.get("gate", ""),
        gate_reason=tags.get("gate_reason", ""),
    )


def _number(tags: Mapping[str, str], key: str, missing: float = float("nan")) -> float:
    """Return a tag's number; a tag is text that anybody can change in the registry's page."""
    try:
        return float(tags.get(key, missing))
    except ValueError:
        return missing
