"""Addresses of WebSockets, checked before they are used."""

from __future__ import annotations

from websockets.exceptions import InvalidURI
from websockets.uri import parse_uri

from core.errors import FeedError
from core.redaction import redact_text


def require_websocket(url: str) -> str:
    """Return the address if it is one of a WebSocket.

    Parameters
    ----------
    url
        What stands in the configuration.

    Raises
    ------
    FeedError
        If it is no ``ws://`` or ``wss://`` address, or names a host or port that cannot exist.

    Examples
    --------
    >>> require_websocket("ws://127.0.0.1:8546")
    'ws://127.0.0.1:8546'
    """
    try:
        # names that the resolver cannot encode break the connection with a bare ValueError
        parse_uri(url).host.encode("idna")
    except (InvalidURI, ValueError) as error:
        raise FeedError(f"{redact_text(url)} is no WebSocket address") from error
    return url
