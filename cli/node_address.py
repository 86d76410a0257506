"""The address of a node as a command line names it."""

from __future__ import annotations

from pydantic import TypeAdapter, ValidationError

from core.errors import InputError
from core.settings import HttpUrl


def http_url(text: str) -> str:
    """Return an HTTP address as it was given.

    Raises
    ------
    InputError
        If it is none.
    """
    try:
        return TypeAdapter(HttpUrl).validate_python(text)
    except ValidationError:
        # what was given may hold a key, so it is not repeated
        raise InputError("--rpc is no HTTP address; it starts with http:// or https://") from None
