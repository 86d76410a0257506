"""Turn errors into one clear line and an exit code; no traceback reaches a person."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from cli.output import printable
from core.errors import InputError, OmniArbError

INTERRUPTED = 130


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Print our own errors, and what the system refuses, as one line on stderr and exit with a code.

    Raises
    ------
    typer.Exit
        With the error's ``exit_code``, or 130 after Ctrl-C.
    """
    try:
        yield
    except OmniArbError as error:
        sys.stderr.write(f"error [{error.code}]: {printable(error.message)}\n")
        raise typer.Exit(error.exit_code) from None
    except BrokenPipeError:
        # whoever read our output has seen enough (`| head`); the command line ends quietly on this one
        raise
    except OSError as error:
        sys.stderr.write(f"error [{InputError.code}]: {printable(_refusal(error))}\n")
        raise typer.Exit(InputError.exit_code) from None
    except KeyboardInterrupt:
        sys.stderr.write("stopped: everything that was started has been shut down\n")
        raise typer.Exit(INTERRUPTED) from None


def _refusal(error: OSError) -> str:
    # an error of the library is only text; one of the system has a number, and names its file if it has one
    said = " ".join(str(error.strerror or error).split()) or type(error).__name__
    if error.filename is not None:
        return f"{error.filename}: {said}; choose a place that can be read and written"
    return f"the system refused: {said}; see that there is room on the disk, and that addresses are right"
