"""The gatekeeper: looks every second for aliases that were moved, and has each decided by the gate.

It works on a thread of the process that started the application. Events and requests are handled in other
processes, and on a machine with few processors this thread steps back behind them.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

import structlog

from core.errors import OmniArbError
from core.reasons import Reason, Refusal
from models.alias_requests import ALIASES, Registrar, open_requests
from models.gate import Gate
from models.ledger import Decision

log = structlog.get_logger(__name__)

WHO = "gatekeeper"
"""Its name in the ledger."""
STOP_TIMEOUT_S = 20.0
"""How long stopping waits for a trial that is under way; ending the process ends it in any case."""
NICENESS = 10

Rest = Callable[[], None]
"""Called in between by whatever takes long; it does not return if the gatekeeper is to stop."""


MakeGate = Callable[[Rest], Gate | Refusal]
"""Makes the gate of a registered model, or says why there is none: who asks is refused for that then."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A registered model whose requests are decided.

    Parameters
    ----------
    registrar
        Who writes decisions down.
    make_gate
        Makes the gate when a request comes; on the gatekeeper's thread.
    """

    registrar: Registrar
    make_gate: MakeGate


class _GivenUp(BaseException):
    """A trial was given up; no error, which a gate would take for a version's fault."""


class Gatekeeper:
    """Decides open requests one after the other. Use it as a context manager.

    Parameters
    ----------
    registrar
        Who writes decisions down.
    make_gate
        Makes the gate when the first request comes; on the gatekeeper's thread.
    others
        Models that are watched besides, one of them at each look, in turn. A gate of theirs is made anew for
        each look that finds a request, since it holds a table of rows.
    tell
        Told every decision, on the gatekeeper's thread.
    poll_s
        Seconds between two looks.
    """

    def __init__(
        self,
        registrar: Registrar,
        make_gate: MakeGate,
        *,
        others: Sequence[Watched] = (),
        tell: Callable[[Decision], None] = lambda _decision: None,
        poll_s: float = 1.0,
    ) -> None:
        self._watched = Watched(registrar, make_gate)
        self._others = itertools.cycle(others)
        self._tell = tell
        self._poll_s = poll_s
        self._gate: Gate | None = None
        self._trouble: dict[str, str] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=WHO, daemon=True)

    def look(self) -> tuple[Decision, ...]:
        """Decide what is open just now; whatever goes wrong is logged, and tried again at the next look."""
        other = next(self._others, None)
        return self._settle(self._watched, self._lasting_gate) + (
            self._settle(other, other.make_gate) if other is not None else ()
        )

    def _settle(self, watched: Watched, make_gate: MakeGate) -> tuple[Decision, ...]:
        registrar = watched.registrar
        aliases = tuple(dict.fromkeys((registrar.champion, *ALIASES)))
        try:
            if not open_requests(registrar.store, registrar.name, aliases):
                return ()
            decisions = registrar.settle_requests(make_gate(self._rest), who=WHO, aliases=aliases)
        except Exception as error:  # nothing is decided then, so nothing that serves changes
            self._complain(registrar.name, error)
            return ()
        self._trouble.pop(registrar.name, None)
        return decisions

    def _lasting_gate(self, rest: Rest) -> Gate | Refusal:
        if self._gate is None:
            made = self._watched.make_gate(rest)
            if isinstance(made, Refusal):
                return made
            self._gate = made
        return self._gate

    def start(self) -> None:
        """Begin to look, on a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """End it. Rows that are being checked are given up, and the request stays open."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(STOP_TIMEOUT_S)

    def __enter__(self) -> Gatekeeper:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        with suppress(_GivenUp):
            while not self._stopping.wait(self._poll_s):
                for decision in self.look():
                    self._announce(decision)

    def _rest(self) -> None:
        if self._stopping.is_set():
            raise _GivenUp

    def _announce(self, decision: Decision) -> None:
        log.info(
            "alias_decided",
            alias=decision.alias,
            version=decision.asked,
            serves=decision.after,
            reason=decision.reason.value if decision.reason else None,
            why=decision.why,
        )
        self._tell(decision)

    def _complain(self, name: str, error: Exception) -> None:
        """Log what keeps it from deciding, once."""
        if isinstance(error, OmniArbError) and error.fields.get("reason") is Reason.BUSY:
            return  # another one decides just now
        said = f"{type(error).__name__}: {error}"
        if said != self._trouble.get(name):
            self._trouble[name] = said
            log.warning("nothing_decided", name=name, error=said)
