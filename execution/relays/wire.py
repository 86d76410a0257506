"""What is asked of JSON from strangers before it is parsed."""

from __future__ import annotations

MAX_BRACKETS = 1_000
"""Of a message. A parser's stack is as deep as brackets nest, and some libraries lift Python's own limit."""


def nests_too_deeply(body: bytes) -> bool:
    """Return whether a message has more brackets than any that is meant well.

    Examples
    --------
    >>> nests_too_deeply(b'{"result": [1, 2]}'), nests_too_deeply(b"[" * 100_000)
    (False, True)
    """
    return body.count(b"[") + body.count(b"{") > MAX_BRACKETS
