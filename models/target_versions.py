"""Versions of a target's registered model: the baseline that serves first, and the models that ask."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from core.seams import Clock
from models.alias_requests import decided_version
from models.forecaster import Window
from models.ledger import PATIENCE_S, STUDY, Decision, append, deciding
from models.registration import register_version
from models.snapshot import Snapshot
from models.targets.registry import TARGETS
from models.tracking_store import TrackingStore


@dataclass(frozen=True, slots=True)
class TargetScore:
    """How a model did before it was registered.

    Parameters
    ----------
    skill, baseline
        Skill, and the baseline it was taken against.
    loss, mean_loss
        ``mae`` or ``brier``, and its mean.
    judged
        Forecasts that were judged.
    coverage, nominal
        Of its intervals; NaN for a probability, which has none.
    """

    skill: float
    baseline: str
    loss: str
    mean_loss: float
    judged: int
    coverage: float = math.nan
    nominal: float = math.nan

    def tags(self) -> dict[str, str]:
        """Return the score as tags of a version; what is unknown is left out."""
        numbers = {
            "skill": f"{self.skill:.6f}",
            self.loss: f"{self.mean_loss:.6g}",
            "coverage": f"{self.coverage:.4f}",
            "nominal": f"{self.nominal:g}",
        }
        return {"baseline": self.baseline, **{key: said for key, said in numbers.items() if said != "nan"}}


def registered_name(target: str) -> str:
    """Return the registered model of a target.

    Examples
    --------
    >>> registered_name("usdc_gap_1")
    'usdc-gap-1'
    """
    return target.replace("_", "-")


def target_of(name: str) -> str:
    """Return the target of a registered model; nothing if it is another kind of model.

    Examples
    --------
    >>> target_of("usdc-gap-1"), target_of("base-fee-h2")
    ('usdc_gap_1', '')
    """
    target = name.replace("-", "_")
    return target if target in TARGETS and registered_name(target) == name else ""


def register_model(
    store: TrackingStore, snapshot: Snapshot, example: Window, score: TargetScore, *, run_id: str
) -> str:
    """Register a model of a target, and return its version; the same model again keeps its version.

    Raises
    ------
    InputError
        If the store cannot be opened.
    ModelError
        If the model does not answer the example, or the store cannot be written.
    """
    why = f"trained: skill {score.skill:+.4f} against {score.baseline} over {score.judged} forecasts"
    tags = {**score.tags(), "why": why, "reason": ""}
    return _register(store, snapshot, example, tags, run_id=run_id)


def register_baseline(
    store: TrackingStore, snapshot: Snapshot, example: Window, *, alias: str, run_id: str, clock: Clock
) -> str | None:
    """Give the alias that serves to the target's baseline if nobody has it; return its version if it got it.

    A model then has somebody to beat from the first, and there is always a version to go back to.

    Raises
    ------
    InputError
        If the store cannot be opened.
    ModelError
        If another process goes on deciding, or the store cannot be written.
    """
    name = registered_name(snapshot.target)
    if decided_version(store, name, alias) is not None:
        return None
    why = f"{snapshot.corrects} is the best baseline on the learning rows"
    score = {"baseline": snapshot.corrects, "skill": "0.000000"}
    version = _register(store, snapshot, example, {**score, "why": why, "reason": ""}, run_id=run_id)
    decision = Decision(
        kind=STUDY,
        who="study",
        name=name,
        alias=alias,
        before=None,
        asked=version,
        after=version,
        reason=None,
        why=f"promoted: nothing served yet, and {why}",
        evidence={"run": run_id, "baseline": snapshot.corrects},
    )
    with store.writing(), deciding(store, PATIENCE_S):
        # registering takes seconds, in which somebody else may have given the alias away
        if decided_version(store, name, alias) is not None:
            return None
        store.client().set_registered_model_alias(name, alias, version)
        append(store, decision, clock)
    return version


def _register(
    store: TrackingStore, snapshot: Snapshot, example: Window, tags: Mapping[str, str], *, run_id: str
) -> str:
    both = {"model": snapshot.forecaster.name, "state_block": str(snapshot.state_block), **tags}
    client = store.client()
    with store.writing():
        return register_version(
            client, registered_name(snapshot.target), snapshot, example, run_id=run_id, tags=both
        )
