"""Output: a document for machines, and text that no stranger can use against a terminal."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from core.errors import InputError


def print_json(document: object) -> None:
    """Print one JSON document on stdout, at once: a reader that has gone is noticed here, not at exit.

    Raises
    ------
    InputError
        If there is no stdout.
    """
    if sys.stdout is None:  # the shell's `>&-`
        raise InputError("stdout is closed, so the document has nowhere to go; send it to a file or a pipe")
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
    sys.stdout.flush()


def try_to_write(page: Path) -> None:
    """Open a page as it will be opened at the end: a place that refuses is told now, not after minutes.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    there = page.exists()
    with page.open("a"):
        pass
    if not there:
        page.unlink()


def printable(text: str) -> str:
    r"""Return a text with a question mark for all that is no character to read, such as ESC and newline.

    Examples
    --------
    >>> printable("reverted:\n\x1b[31mé")
    'reverted:??[31mé'
    """
    return "".join(character if character.isprintable() else "?" for character in text)
