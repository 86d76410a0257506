"""Output: a document for machines, and text that no stranger can use against a terminal."""

from __future__ import annotations

import json
import sys

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


def printable(text: str) -> str:
    r"""Return a text with a question mark for all that is no character to read, such as ESC and newline.

    Examples
    --------
    >>> printable("reverted:\n\x1b[31mé")
    'reverted:??[31mé'
    """
    return "".join(character if character.isprintable() else "?" for character in text)
