"""Turn errors into one clear line and an exit code; no traceback reaches a person."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from core.errors import InputError, OmniArbError

INTERRUPTED = 130


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Print our own errors, and files that cannot be used, as one line on stderr and exit with a code.

    Raises
    ------
    typer.Exit
        With the error's ``exit_code``, or 130 after Ctrl-C.
    """
    try:
        yield
    except OmniArbError as error:
        sys.stderr.write(f"error [{error.code}]: {error.message}\n")
        raise typer.Exit(error.exit_code) from None
    except OSError as error:
        if error.filename is None:
            raise
        place = f"{error.filename}: {error.strerror}"
        sys.stderr.write(f"error [{InputError.code}]: {place}; choose a place that can be read and written\n")
        raise typer.Exit(InputError.exit_code) from None
    except KeyboardInterrupt:
        sys.stderr.write("stopped: everything that was started has been shut down\n")
        raise typer.Exit(INTERRUPTED) from None
