"""What is known about each of several nodes: whether it answers, how fast, and how far behind it is.

Pure bookkeeping on a clock that the caller gives; :mod:`chain.provider_pool` does the asking.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

from core.errors import RpcError
from core.reasons import Reason, Refusal

_SMOOTHING = 0.2
"""Weight of the newest latency in the moving average."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
"""Seconds between two probes of a benched node; the pause doubles from one to the other."""
_HTTP_TOO_MANY = 429
_BUSY_WORDS = ("rate limit", "too many requests", "request limit", "capacity", "throttl", "per second")
_LACKING_WORDS = (
    "header not found",
    "block not found",
    "unknown block",
    "could not find block",
    "missing trie node",
    "state not available",
    "historical state",
    "block is out of range",
    "blockoutofrange",
    "beyond current head",
)


@dataclass(frozen=True, slots=True)
class NodeSnapshot:
    """One node's health at a moment.

    Parameters
    ----------
    url
        Address without passwords and keys.
    benched
        Why it is not asked now, or None.
    failures
        Failures in a row.
    latency_ms
        Moving average over its probes, in milliseconds; 0 before the first.
    head
        Newest block number it has shown, or None.
    answered, failed
        Requests since the start.
    reasons
        How often it was left for another node, or benched, by reason.
    """

    url: str
    benched: Refusal | None
    failures: int
    latency_ms: float
    head: int | None
    answered: int
    failed: int
    reasons: dict[Reason, int]


@dataclass(slots=True)
class NodeHealth:
    """Health of one node, kept up to date by what happens to its requests and probes."""

    url: str
    benched: Refusal | None = None
    probe_at_ns: int = 0
    failures: int = 0
    latency_ms: float = 0.0
    head: int | None = None
    answered: int = 0
    failed: int = 0
    reasons: Counter[Reason] = field(default_factory=Counter)
    _pause: float = _FIRST_PAUSE

    def succeeded(self) -> None:
        """Note an answer."""
        self.answered += 1
        self.failures = 0

    def failed_with(self, refusal: Refusal, now_ns: int, *, bench: bool) -> None:
        """Note that a request moved on to another node; where the fault is the node's, stop asking it."""
        self.failed += 1
        self.failures += 1
        self.reasons[refusal.reason] += 1
        if bench and self.benched is None:  # requests that fail together are one event
            self._pause = _FIRST_PAUSE
            self._bench(refusal, now_ns)

    def probe_failed(self, refusal: Refusal, now_ns: int) -> None:
        """Note that a probe found the node unwell; every time in a row doubles the pause to the next."""
        if self.benched is None:
            self.reasons[refusal.reason] += 1
            self._pause = _FIRST_PAUSE
        else:
            self._pause = min(self._pause * 2, _LONGEST_PAUSE)
        self._bench(refusal, now_ns)

    def probed(self, latency_ms: float, head: int) -> None:
        """Note a probe that found the node well: it is asked again."""
        known = self.latency_ms or latency_ms
        self.latency_ms = known + _SMOOTHING * (latency_ms - known)
        self.head = head
        self.benched, self.failures = None, 0

    def _bench(self, refusal: Refusal, now_ns: int) -> None:
        self.benched = refusal
        self.probe_at_ns = now_ns + int(self._pause * 1e9)

    def snapshot(self) -> NodeSnapshot:
        """Return the health as a value."""
        return NodeSnapshot(
            self.url,
            self.benched,
            self.failures,
            self.latency_ms,
            self.head,
            self.answered,
            self.failed,
            dict(self.reasons),
        )


class HeadWatch:
    """Tells which nodes are behind: those that lack a block which another node had some time ago.

    Counting blocks would need a number for each chain; that a node has not caught up within a
    stretch of time means the same on all of them.

    Parameters
    ----------
    patience_seconds
        How long a node may lack what another has.

    Examples
    --------
    >>> watch = HeadWatch(3.0)
    >>> watch.saw("a", 100, now_ns=0)
    >>> watch.saw("a", 101, now_ns=4_000_000_000)
    >>> watch.due(now_ns=5_000_000_000)
    100
    """

    def __init__(self, patience_seconds: float) -> None:
        self._patience_ns = int(patience_seconds * 1e9)
        self._shown: dict[str, deque[tuple[int, int]]] = {}

    def saw(self, node: str, number: int, now_ns: int) -> None:
        """Note the newest block that a node shows now; what it showed above that is not due any more."""
        shown = self._shown.setdefault(node, deque())
        while shown and shown[-1][1] > number:
            shown.pop()
        if not shown or shown[-1][1] < number:
            shown.append((now_ns, number))

    def forget(self, node: str) -> None:
        """Note that a node shows nothing now."""
        self._shown.pop(node, None)

    def due(self, now_ns: int) -> int:
        """Return the block that every node should have by now; -1 if none is known."""
        newest = -1
        for shown in self._shown.values():
            while len(shown) > 1 and now_ns - shown[1][0] >= self._patience_ns:
                shown.popleft()
            if shown and now_ns - shown[0][0] >= self._patience_ns:
                newest = max(newest, shown[0][1])
        return newest


def verdict(error: RpcError) -> tuple[Refusal, bool] | None:
    """Tell whether an error speaks against the node: why, and whether to bench it.

    Returns
    -------
    tuple[Refusal, bool] | None
        None where the request itself is at fault, so that another node would say the same.

    Examples
    --------
    >>> verdict(RpcError("", code=3, message="execution reverted")) is None
    True
    >>> refusal, bench = verdict(RpcError("", code=-32000, message="header not found"))
    >>> print(refusal.reason, bench)
    node_lacks_block False
    """
    message = str(error.fields.get("message", ""))
    text, status = message.lower(), error.fields.get("status")
    if status == _HTTP_TOO_MANY or any(word in text for word in _BUSY_WORDS):
        return Refusal(Reason.NODE_BUSY, message), True
    if error.fields.get("code") is None:
        if error.fields.get("timed_out"):
            return Refusal(Reason.NODE_TIMED_OUT, message), True
        if status in (400, 413):
            return None
        return Refusal(Reason.NODE_UNREACHABLE, message), True
    if any(word in text for word in _LACKING_WORDS):
        return Refusal(Reason.NODE_LACKS_BLOCK, message), False
    return None
