"""The gatekeeper of a run: who asks for an alias meanwhile is judged on the history that the run replayed.

Models of targets are judged on the rows of recorded history that were kept back for it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cli.history import open_history
from cli.models_trial import gate_of, open_target, trial_of
from cli.screen import Screen
from core.errors import OmniArbError
from core.reasons import Reason, Refusal
from core.seams import SystemClock
from core.settings import Settings
from models.alias_requests import Registrar
from models.gate import Gate
from models.ledger import Decision
from models.target_versions import registered_name
from models.targets.registry import TARGETS
from models.tracking_store import TrackingStore
from pipeline.batch_rows import skew_check
from pipeline.replay import Replay
from serving.gatekeeper import Gatekeeper, MakeGate, Rest, Watched


def gatekeeper_of_run(screen: Screen, settings: Settings, replayed: Replay, folder: Path) -> Gatekeeper:
    """Return a gatekeeper that is not started yet.

    Parameters
    ----------
    screen
        Told what is decided.
    settings
        They name the registry and the model.
    replayed, folder
        What the run has replayed, and its folder.
    """
    models = settings.models
    store = TrackingStore(settings.storage.mlflow_home)
    registrar = Registrar(store, models.registered_name, SystemClock(), champion=models.alias)

    def make_gate(rest: Rest) -> Gate:
        check = skew_check(lambda: open_history(settings, folder), rest)
        return Gate(trial_of(replayed, check))

    others = [
        Watched(replace(registrar, name=registered_name(target)), target_gate_maker(settings, target))
        for target in TARGETS
        if registered_name(target) != models.registered_name
    ]
    return Gatekeeper(
        registrar, make_gate, others=others, tell=lambda decision: screen.figure(_sentence(decision))
    )


def target_gate_maker(settings: Settings, target: str) -> MakeGate:
    """Return who makes the gate of a target, or says why it cannot be judged here."""

    def make_gate(_rest: Rest) -> Gate | Refusal:
        try:
            return gate_of(open_target(settings, target))
        except OmniArbError as error:  # there is no recorded history, or it cannot be read
            return Refusal(Reason.GATE_FAILED, error.message)

    return make_gate


def _sentence(decision: Decision) -> str:
    asked = f"version {decision.asked} of {decision.name}"
    said = f"the gate {'accepted' if decision.reason is None else 'refused'} {asked}"
    code = f"{decision.reason.value}: " if decision.reason else ""
    return f"{said} as {decision.alias}: {code}{decision.why}"
