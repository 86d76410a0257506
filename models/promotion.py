"""From a study to the model that serves: register, move the alias, and write down why.

What serves is what the ledger says has the alias ``champion``. Every move of it made here is appended
to the ledger, with the numbers that decided it.
"""

from __future__ import annotations

from collections.abc import Callable

from core.errors import ModelError
from core.reasons import Reason
from core.seams import Clock, SystemClock
from models.evaluation import Study, choose_winner
from models.forecaster import Window
from models.ledger import LEDGER, PromotionOutcome, deciding, read_ledger, write_ledger
from models.registration import (
    DIGEST_TAG,
    Registration,
    alias_version,
    check_answer,
    snapshot_digest,
    write_model,
)
from models.snapshot import Snapshot
from models.standing import find_standing
from models.tracking import LoggedStudy
from models.tracking_store import TrackingStore

__all__ = [
    "CHAMPION",
    "DIGEST_TAG",
    "LEDGER",
    "PromotionOutcome",
    "alias_version",
    "best_model",
    "check_answer",
    "promote",
    "read_ledger",
    "snapshot_digest",
    "write_model",
]

CHAMPION = "champion"
PATIENCE_S = 120.0
"""How long a study waits for others who move aliases just now. No trial does."""


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
        If the study holds no model, a model cannot answer the example, the store cannot be
        written, or another process goes on deciding for minutes.
    InputError
        If the store cannot be opened.
    """
    winner = choose_winner(study)
    candidate = winner or best_model(study)
    client = store.client()
    register = Registration(client, study, logged, name, example)
    with store.writing():
        version = _register(register, winner, candidate, snapshot_of)
        outcome = PromotionOutcome(
            name=name,
            version=version,
            alias=alias,
            model=winner or study.best_baseline,
            skill=study.score(winner).skill if winner else 0.0,
            baseline=study.best_baseline,
            candidate=candidate,
            candidate_skill=study.score(candidate).skill,
            reason=None if winner else Reason.SKILL_NOT_POSITIVE,
        )
        # alias and ledger move together: whoever looks in between would take it for a request
        with deciding(store, PATIENCE_S):
            before = find_standing(store, name, alias).holder
            client.set_registered_model_alias(name, alias, version)
            write_ledger(store, outcome, before, study, logged, clock or SystemClock())
    return outcome


def _register(
    register: Registration, winner: str | None, candidate: str, snapshot_of: Callable[[str], Snapshot]
) -> str:
    """Register the winner, or the best loser and then the baseline; return the version that serves."""
    score, baseline = register.study.score(candidate), register.study.best_baseline
    skill = f"skill {score.skill:+.4f} against {baseline}"
    if winner is not None:
        return register(winner, snapshot_of(winner), f"promoted: {skill} over {score.count} forecasts")
    register(
        candidate,
        snapshot_of(candidate),
        f"not promoted: {skill} is not above 0",
        Reason.SKILL_NOT_POSITIVE,
    )
    why = f"promoted: no model beats this baseline; the best, {candidate}, does not"
    return register(baseline, snapshot_of(baseline), why)


def best_model(study: Study) -> str:
    """Return the model with the smallest error, whether it beats the baselines or not.

    Raises
    ------
    ModelError
        If the study holds baselines only.
    """
    for score in study.scores:
        if not score.baseline:
            return score.name
    raise ModelError("the study holds baselines only; study at least one model before promoting")
