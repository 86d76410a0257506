"""A moved alias is a request: the gate decides it, and the ledger says who asked and what was found.

What is decided is what the ledger says. An alias that points elsewhere was moved by somebody, in MLflow's
page or by a client; :meth:`Registrar.settle_requests` finds it, puts the version through the gate, and lets
it be or moves the alias back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import structlog
from mlflow.tracking import MlflowClient

from core.errors import InputError, ModelError, OmniArbError
from core.reasons import Reason, Refusal
from core.seams import Clock
from models.champion import Champion, load_version
from models.gate import Gate
from models.ledger import (
    PATIENCE_S,
    REQUEST,
    Decision,
    append,
    deciding,
    decisions_about,
    judging,
    read_ledger,
)
from models.promotion import CHAMPION
from models.registration import alias_version
from models.registry_view import find_version, list_versions
from models.rollback import roll_back
from models.standing import find_standing
from models.tracking_store import TrackingStore
from models.verdict import Verdict

log = structlog.get_logger(__name__)

CHALLENGER, SHADOW = "challenger", "shadow"
ALIASES = (CHAMPION, CHALLENGER, SHADOW)
"""The champion serves, so it must be proven better. The others only have to work on what is computed here."""


@dataclass(frozen=True, slots=True)
class Request:
    """An alias that points elsewhere than was decided.

    Parameters
    ----------
    alias, asked
        The alias, and the version it points to.
    before
        Version that has it by decision; ``None`` if nothing was ever decided.
    """

    alias: str
    asked: str
    before: str | None


def open_requests(store: TrackingStore, name: str, aliases: Sequence[str] = ALIASES) -> tuple[Request, ...]:
    """Return what was asked for and not decided yet. An alias that was taken away asks for nothing.

    Raises
    ------
    InputError
        If the database cannot be used.
    """
    found = ((alias, find_standing(store, name, alias)) for alias in aliases)
    return tuple(
        Request(alias, standing.asked, standing.decided)
        for alias, standing in found
        if standing.waits and standing.asked is not None
    )


def decided_version(store: TrackingStore, name: str, alias: str = CHAMPION) -> str | None:
    """Return the version that has the alias by decision; what the alias says where nothing was decided.

    Raises
    ------
    InputError
        If the database cannot be used.
    """
    return find_standing(store, name, alias).holder


@dataclass(frozen=True, slots=True)
class Registrar:
    """Decides about aliases of one registered model, and is the only one who writes them down.

    A trial takes long and holds no alias: a rollback, or a run's own study, goes ahead of it. What was judged
    is carried out only if nothing was decided about the alias meanwhile.

    Parameters
    ----------
    store, name
        Registry and registered model.
    clock
        Times in the ledger.
    champion
        The alias that serves.
    """

    store: TrackingStore
    name: str
    clock: Clock
    champion: str = CHAMPION

    def settle_requests(
        self, gate: Gate | Refusal, *, who: str, aliases: Sequence[str] = ALIASES
    ) -> tuple[Decision, ...]:
        """Decide every open request; call it as often as you like.

        Parameters
        ----------
        gate
            Who judges, or why nobody can: every request is refused for that then.
        who
            Who decides, for the ledger.
        aliases
            Aliases that are looked at.

        Raises
        ------
        ModelError
            If another process decides just now, or decided about the same alias meanwhile
            (``fields['reason']`` is ``BUSY``), or the store cannot be written.
        InputError
            If there is no such model, or the database, or the files of what serves, cannot be read.
        """
        list_versions(self.store, self.name)
        with self.store.writing(), judging(self.store):
            requests = open_requests(self.store, self.name, aliases)
            return tuple(self._decide(gate, request, who) for request in requests)

    def request(self, gate: Gate, version: str, alias: str, *, who: str) -> Decision:
        """Ask that a version gets an alias, and decide at once; until then nothing moves.

        Raises
        ------
        ModelError
            As :meth:`settle_requests`.
        InputError
            If there is no such version, it has the alias already, or as :meth:`settle_requests`.
        """
        find_version(self.store, self.name, version)
        with self.store.writing(), judging(self.store):
            before = decided_version(self.store, self.name, alias)
            if before == version:
                raise InputError(f"version {version} of {self.name} is {alias} already", version=version)
            return self._decide(gate, Request(alias, version, before), who)

    def rollback(self, alias: str, *, who: str) -> Decision:
        """Give an alias back to the version before, at once; see :func:`models.rollback.roll_back`."""
        return roll_back(self.store, self.name, alias, who=who, clock=self.clock)

    def _decide(self, gate: Gate | Refusal, request: Request, who: str) -> Decision:
        begun = decisions_about(self.store, self.name, request.alias)
        was_away = find_standing(self.store, self.name, request.alias).asked is None
        verdict = self._verdict(gate, request)
        refusal = verdict.refusal
        decision = Decision(
            kind=REQUEST,
            who=who,
            name=self.name,
            alias=request.alias,
            before=request.before,
            asked=request.asked,
            after=request.asked if refusal is None else request.before,
            reason=refusal.reason if refusal else None,
            why=refusal.detail if refusal else _praise(verdict),
            evidence=asdict(verdict.evidence) if verdict.evidence else {},
        )
        with deciding(self.store, PATIENCE_S):
            self._check_still_open(request, begun, was_away=was_away)
            self._carry_out(self.store.client(), request, decision)
        return decision

    def _check_still_open(self, request: Request, begun: int, *, was_away: bool) -> None:
        """Refuse to carry out what was judged against another champion, or twice with the same evidence."""
        standing = find_standing(self.store, self.name, request.alias)
        decided = decisions_about(self.store, self.name, request.alias)
        if decided != begun or request.before not in (standing.decided, standing.holder):
            raise ModelError(
                f"while version {request.asked} of {self.name} was judged, something else was decided about "
                f"{request.alias}; ask again",
                reason=Reason.BUSY,
            )
        now = standing.asked
        if now not in (request.asked, request.before) and not (now is None and was_away):
            raise ModelError(
                f"{request.alias} of {self.name} points to {f'version {now}' if now else 'nothing'} by now; "
                "decide that first (`omniarb models promote`)",
                alias=request.alias,
            )

    def _verdict(self, gate: Gate | Refusal, request: Request) -> Verdict:
        if isinstance(gate, Refusal):
            return Verdict(gate)
        try:
            candidate = load_version(self.store, self.name, request.asked)
        except ModelError as error:
            return Verdict(Refusal(Reason.MODEL_UNUSABLE, error.message))
        except InputError as error:
            if error.fields.get("reason") is not Reason.REGISTRY_UNREACHABLE:
                raise
            return Verdict(Refusal(Reason.REGISTRY_UNREACHABLE, error.message))
        serves = request.alias == self.champion
        incumbent = self._incumbent(request.before) if serves else None
        try:
            if not serves:
                return Verdict(gate.fits(candidate))
            return gate.judge(candidate, incumbent, self._attempt(request, gate.trial.data_hash))
        except Exception as error:  # a gate that fails has proven nothing, so nobody passes
            said = error.message if isinstance(error, OmniArbError) else f"{type(error).__name__}: {error}"
            log.warning("gate_failed", version=request.asked, alias=request.alias, error=repr(error))
            return Verdict(Refusal(Reason.GATE_FAILED, f"the gate could not test it: {said}"))

    def _incumbent(self, version: str | None) -> Champion | None:
        """Load what serves; a version that does not load defends nothing."""
        if version is None:
            return None
        try:
            return load_version(self.store, self.name, version)
        except ModelError:
            return None

    def _attempt(self, request: Request, data_hash: str) -> int:
        """Return how often the place was asked for by this version, or on this data by any, plus one."""
        place = (self.name, request.alias, request.before, REQUEST)
        tested: list[Any] = [
            entry
            for entry in read_ledger(self.store)
            if (entry["name"], entry["alias"], entry["from"], entry.get("kind")) == place
            and entry["evidence"]
            and (entry.get("asked") == request.asked or entry["evidence"].get("data_hash") == data_hash)
        ]
        return len(tested) + 1

    def _carry_out(self, client: MlflowClient, request: Request, decision: Decision) -> None:
        """Move the alias to where it was decided to be, tag the version, and write the ledger.

        A crash between two writes leaves an open request at worst, never a decision nobody took: an alias
        is given before it is written down, and taken back after.
        """
        accepted = decision.reason is None
        if accepted:
            client.set_registered_model_alias(self.name, request.alias, request.asked)
        append(self.store, decision, self.clock)
        if not accepted and alias_version(client, self.name, request.alias) == request.asked:
            if request.before is None:
                client.delete_registered_model_alias(self.name, request.alias)
            else:
                client.set_registered_model_alias(self.name, request.alias, request.before)
        said = f"{request.alias} {'accepted' if accepted else 'refused'}: {decision.why}"
        client.set_model_version_tag(self.name, request.asked, "gate", said[:500])
        client.set_model_version_tag(
            self.name, request.asked, "gate_reason", decision.reason.value if decision.reason else ""
        )


def _praise(verdict: Verdict) -> str:
    evidence = verdict.evidence
    if evidence is None:
        return "it loads, answers its example and reads the features computed here"
    if evidence.skill == 0:
        return f"nothing serves that it could be compared with, and {evidence.baseline} is the best baseline"
    return (
        f"skill {evidence.skill:+.4f} ({evidence.skill_lower:+.4f} to {evidence.skill_upper:+.4f}) against "
        f"{evidence.incumbent} over {evidence.forecasts} forecasts, evidence {evidence.e_value:.3g} of "
        f"{evidence.needed:g}"
    )
