"""What a node means when it refuses a range of logs: less at once, later, or never."""

from __future__ import annotations

import re
from enum import Enum

from core.errors import RpcError
from core.reasons import Reason


class Limit(Enum):
    """What the refusal of a question for logs asks us to do."""

    SMALLER = "ask for fewer blocks"
    SLOWER = "ask later"
    AGAIN = "ask the same again"
    NEVER = "do not ask this"


_METHOD_NOT_FOUND = -32601
_RATE_STATUS = 429
_SMALLER_STATUS = (400, 413, 502, 503, 504)
_RATE_WORDS = ("rate limit", "too many requests", "request limit", "capacity", "throttl", "per second")
_NEVER_WORDS = ("beyond current head", "unknown block", "unauthorized", "invalid api key")

_PAIRS = (
    re.compile(r"\[\s*(0x[0-9a-f]+|\d+)\s*,\s*(0x[0-9a-f]+|\d+)\s*\]"),
    re.compile(r"range (0x[0-9a-f]+|\d+)\s*-\s*(0x[0-9a-f]+|\d+)"),
)
_SPAN = re.compile(
    r"(?:limit(?:ed)?(?: of| to)?(?: a)?|up to(?: a)?|at most|over|max(?:imum)? (?:block )?range[ :=is]*)"
    r"\s*([\d,]+)(k?)\b(?! results| logs| seconds)"
)


def limit_of(error: RpcError) -> Limit:
    """Return what the refusal of a question for logs asks us to do.

    Nodes word the same refusal in a dozen ways and reuse codes for several; what is not known to
    be about something else is taken to be about size, because asking for less is always safe and
    ends at a single block.

    Examples
    --------
    >>> limit_of(RpcError("", code=-32005, message="query returned more than 10000 results"))
    <Limit.SMALLER: 'ask for fewer blocks'>
    >>> limit_of(RpcError("", code=None, message="HTTP 429 Too Many Requests", status=429))
    <Limit.SLOWER: 'ask later'>
    """
    reason = error.fields.get("reason")
    if reason is not None:
        return Limit.NEVER if reason == Reason.NODE_BEHIND else Limit.AGAIN
    code, status = error.fields.get("code"), error.fields.get("status")
    if code is None:
        if status == _RATE_STATUS:
            return Limit.SLOWER
        slow = status in _SMALLER_STATUS or bool(error.fields.get("timed_out"))
        return Limit.SMALLER if slow else Limit.NEVER
    text = _text(error)
    if code == _METHOD_NOT_FOUND or any(word in text for word in _NEVER_WORDS):
        return Limit.NEVER
    return Limit.SLOWER if any(word in text for word in _RATE_WORDS) else Limit.SMALLER


def suggested_blocks(error: RpcError, first: int) -> int | None:
    """Return how many blocks from ``first`` on the refusal says would do, or None if it names none.

    Examples
    --------
    >>> refusal = RpcError("", code=-32602, message="this block range should work: [0x64, 0x6d]")
    >>> suggested_blocks(refusal, 100)
    10
    >>> suggested_blocks(RpcError("", code=-32614, message="eth_getLogs is limited to a 10,000 range"), 5)
    10000
    """
    text = _text(error)
    pairs = [match.groups() for pattern in _PAIRS for match in pattern.finditer(text)]
    data = error.fields.get("data")
    if isinstance(data, dict) and {"from", "to"} <= data.keys():
        pairs.append((str(data["from"]).lower(), str(data["to"]).lower()))
    for lower, upper in pairs:
        start, end = _number(lower), _number(upper)
        if start == first and end is not None and end >= first:
            return end - first + 1
    if match := _SPAN.search(text):
        blocks = int(match[1].replace(",", "") or 0) * (1000 if match[2] else 1)
        return blocks or None
    return None


def _text(error: RpcError) -> str:
    return str(error.fields.get("message", "")).lower()


def _number(text: str) -> int | None:
    try:
        return int(text, 0)
    except ValueError:
        return None
