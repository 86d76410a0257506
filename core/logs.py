"""Logs: one structured line per event, as JSON for machines or coloured for a person.

Every line passes the redaction, so a key or a password cannot reach a log by accident.
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


def set_up_logs(
    level: str = "info", *, form: Literal["json", "console"] = "json", stream: TextIO | None = None
) -> None:
    """Configure structlog for this process.

    Parameters
    ----------
    level
        ``debug``, ``info``, ``warning`` or ``error``.
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
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redact_event,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.PrintLoggerFactory(target),
        cache_logger_on_first_use=False,
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
