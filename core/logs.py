"""Logs: one structured line per event, as JSON for machines or coloured for a person.

Every line passes the redaction, so a key or a password cannot reach a log by accident. What
libraries log through the standard module is shown in the same form, cleaned the same way; Ray and
MLflow write warnings with handlers of their own, which see no key of ours.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Literal, TextIO

import structlog

from core.errors import ConfigError
from core.redaction import redact

LEVELS = ("debug", "info", "warning", "error")
_HANDLER = "omniarb"


def set_up_logs(
    level: str = "info", *, form: Literal["json", "console"] = "json", stream: TextIO | None = None
) -> None:
    """Configure structlog and the standard module's root logger for this process.

    Every process calls it once, when it starts: the command line, each replica, the execution
    actor. Calling it again replaces what was configured before.

    Parameters
    ----------
    level
        ``debug``, ``info``, ``warning`` or ``error``. Libraries are heard from ``warning`` up.
    form
        ``json`` (one object a line) or ``console``.
    stream
        Where lines go; standard error by default, so that results stay alone on standard output.

    Raises
    ------
    ConfigError
        If the level is unknown.
    """
    if level.lower() not in LEVELS:
        raise ConfigError(f"log level {level!r} is unknown; use one of {', '.join(LEVELS)}")
    target = stream or sys.stderr
    renderer: Any = (
        structlog.processors.JSONRenderer(default=_as_json)
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=target.isatty())
    )
    threshold = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, *_steps(), renderer],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(target),
        cache_logger_on_first_use=False,
    )
    _set_up_root(max(threshold, logging.WARNING), renderer, target)


def _set_up_root(threshold: int, renderer: Any, target: TextIO) -> None:
    root = logging.getLogger()
    for earlier in [each for each in root.handlers if each.get_name() == _HANDLER]:
        root.removeHandler(earlier)
    handler = logging.StreamHandler(target)
    handler.set_name(_HANDLER)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *_steps()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root.addHandler(handler)
    root.setLevel(threshold)


def _steps() -> tuple[Any, ...]:
    """Return what makes an event a line; redaction comes last, so that nothing is added behind its back."""
    return (
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact_event,
    )


def redact_event(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Clean every field of a log event of keys and passwords (a structlog processor).

    Examples
    --------
    >>> redact_event(None, "info", {"event": "connect", "url": "ws://me:pw@node"})
    {'event': 'connect', 'url': 'ws://<hidden>@node'}
    """
    return {name: redact(name, value) for name, value in event.items()}


def _as_json(value: object) -> str:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    return str(value)
