"""The gatekeeper: looks every second for aliases that were moved, and has each decided by the gate.

It works on a thread of the process that started the application. Events and requests are handled in other
processes, and on a machine with few processors this thread steps back behind them.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

import structlog

from core.errors import OmniArbError
from core.reasons import Reason
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
    tell
        Told every decision, on the gatekeeper's thread.
    poll_s
        Seconds between two looks.
    """

    def __init__(
        self,
        registrar: Registrar,
        make_gate: Callable[[Rest], Gate],
        *,
        tell: Callable[[Decision], None] = lambda _decision: None,
        poll_s: float = 1.0,
    ) -> None:
        self._registrar = registrar
        self._make_gate = make_gate
        self._aliases = tuple(dict.fromkeys((registrar.champion, *ALIASES)))
        self._tell = tell
        self._poll_s = poll_s
        self._gate: Gate | None = None
        self._trouble = ""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=WHO, daemon=True)

    def look(self) -> tuple[Decision, ...]:
        """Decide what is open just now; whatever goes wrong is logged, and tried again at the next look."""
        registrar = self._registrar
        try:
            if not open_requests(registrar.store, registrar.name, self._aliases):
                return ()
            if self._gate is None:
                self._gate = self._make_gate(self._rest)
            decisions = registrar.settle_requests(self._gate, who=WHO, aliases=self._aliases)
        except Exception as error:  # nothing is decided then, so nothing that serves changes
            self._complain(error)
            return ()
        self._trouble = ""
        return decisions

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

    def _complain(self, error: Exception) -> None:
        """Log what keeps it from deciding, once."""
        if isinstance(error, OmniArbError) and error.fields.get("reason") is Reason.BUSY:
            return  # another one decides just now
        said = f"{type(error).__name__}: {error}"
        if said != self._trouble:
            self._trouble = said
            log.warning("nothing_decided", error=said)
