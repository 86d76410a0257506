"""Turn errors into one clear line and an exit code; no traceback reaches a person."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from core.errors import OmniArbError

INTERRUPTED = 130


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Print an :class:`OmniArbError` as one line on stderr and exit with its code.

    Raises
    ------
    typer.Exit
        With the error's ``exit_code``, or 130 after Ctrl-C.
    """
    try:
        yield
    except OmniArbError as error:
        sys.stderr.write(f"error [{error.code}]: {error.message}\n")
        for problem in error.fields.get("problems", ()):
            sys.stderr.write(f"  - {problem}\n")
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        sys.stderr.write("stopped: everything that was started has been shut down\n")
        raise typer.Exit(INTERRUPTED) from None
