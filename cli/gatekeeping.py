"""The gatekeeper of a run: who asks for an alias meanwhile is judged on the history that the run replayed."""

from __future__ import annotations

from pathlib import Path

from cli.history import open_history
from cli.models_trial import trial_of
from cli.screen import Screen
from core.seams import SystemClock
from core.settings import Settings
from models.alias_requests import Registrar
from models.gate import Gate
from models.ledger import Decision
from models.tracking_store import TrackingStore
from pipeline.batch_rows import skew_check
from pipeline.replay import Replay
from serving.gatekeeper import Gatekeeper, Rest


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

    return Gatekeeper(registrar, make_gate, tell=lambda decision: screen.figure(_sentence(decision)))


def _sentence(decision: Decision) -> str:
    said = f"the gate {'accepted' if decision.reason is None else 'refused'} version {decision.asked}"
    code = f"{decision.reason.value}: " if decision.reason else ""
    return f"{said} as {decision.alias}: {code}{decision.why}"
