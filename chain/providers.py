"""JSON-RPC over HTTP: raw requests, typed errors, and retries where they are safe.

Only a connection that failed is tried again, and only where the request cannot have taken
effect twice: it was never sent, or it only reads.

The requests go straight to the HTTP client: web3's own provider takes one lock for the whole process
in a thread on every request, and a request cancelled at that moment leaves it locked for ever.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Protocol, Self

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientOSError,
    ClientResponseError,
    ClientSession,
    ClientTimeout,
    ServerDisconnectedError,
)
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_exponential

from core.errors import RpcError
from core.redaction import redact_text
from core.seams import Clock, SystemClock

Request = tuple[str, Sequence[Any]]
"""A method and its parameters."""

_READS = (
    "eth_get",
    "eth_call",
    "eth_block",
    "eth_chain",
    "eth_estimate",
    "eth_fee",
    "eth_gas",
    "eth_simulate",
    "debug_trace",
    "net_",
)


class Node(Protocol):
    """What readers of a chain ask: one :class:`Provider`, or a pool of them."""

    async def call(self, method: str, params: Sequence[Any]) -> Any:
        """Make one request and return its result."""
        ...

    async def batch(self, requests: Sequence[Request]) -> list[Any]:
        """Make several requests of one node and return their results in order."""
        ...

    async def attempt(self, requests: Sequence[Request]) -> list[Any | RpcError]:
        """Make several requests of one node; a request that was refused gives its error."""
        ...


class Provider:
    """One node, asked over HTTP with connections kept open.

    Parameters
    ----------
    url
        ``http://`` or ``https://`` address of the node.
    timeout_seconds
        Longest a request may take.
    attempts
        How often a connection is tried before giving up, with a growing pause in between.
    clock
        Source of the latencies.

    Examples
    --------
    >>> async def head(url: str) -> int:
    ...     async with Provider(url) as provider:
    ...         return int(await provider.call("eth_blockNumber", []), 16)
    """

    def __init__(
        self, url: str, *, timeout_seconds: float = 10.0, attempts: int = 4, clock: Clock | None = None
    ) -> None:
        self.url = url
        self.shown_url = redact_text(url)
        self.latency_ms = 0.0
        """Milliseconds the last answered request took."""
        self._timeout = ClientTimeout(total=timeout_seconds)
        self._attempts = attempts
        self._clock = clock or SystemClock()
        self._session: ClientSession | None = None
        self._ids = itertools.count(1)

    async def __aenter__(self) -> Self:
        self._session = ClientSession(timeout=self._timeout)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections; closing twice does nothing."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def call(self, method: str, params: Sequence[Any]) -> Any:
        """Make one request and return the ``result`` of its answer as JSON gives it.

        Raises
        ------
        RpcError
            With fields ``method``, ``code``, ``message`` and ``data``; ``code`` is None where the
            node did not answer at all. Then ``sent`` tells whether the request may have reached it,
            ``timed_out`` whether it was too slow, and ``status`` is that of HTTP, if there was one.
        """
        answer = await self._asked(method, self._request(method, params), reads(method))
        return self._result(method, answer)

    async def batch(self, requests: Sequence[Request]) -> list[Any]:
        """Make several requests in one HTTP exchange and return their results in order.

        Raises
        ------
        RpcError
            For the first request that failed, or if the node does not answer all of them.
        """
        results = await self.attempt(requests)
        for result in results:
            if isinstance(result, RpcError):
                raise result
        return results

    async def attempt(self, requests: Sequence[Request]) -> list[Any | RpcError]:
        """Make several requests in one HTTP exchange; a request that was refused gives its error.

        Raises
        ------
        RpcError
            If the node does not answer, or does not answer all of them.
        """
        if not requests:
            return []
        body = [self._request(method, params) for method, params in requests]
        label = requests[0][0] if len({m for m, _ in requests}) == 1 else "batch"
        safe = all(reads(method) for method, _ in requests)
        answers = await self._asked(label, body, safe)
        if isinstance(answers, dict):
            self._result(label, answers)
        found = _by_id(answers)
        if any(request["id"] not in found for request in body):
            raise self._failed(label, "the node did not answer every request of the batch; make it smaller")
        return [self._attempted(request["method"], found[request["id"]]) for request in body]

    def _attempted(self, method: str, answer: Any) -> Any | RpcError:
        try:
            return self._result(method, answer)
        except RpcError as error:
            if unreachable(error):
                raise
            return error

    def _request(self, method: str, params: Sequence[Any]) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": list(params)}

    async def _post(self, body: Any) -> Any:
        if self._session is None:
            raise self._failed("connect", "the provider is not open; use it in `async with`", sent=False)
        async with self._session.post(self.url, json=body) as response:
            text = await response.read()
            if not response.ok and not text.lstrip().startswith(b"{"):
                response.raise_for_status()
            answer = json.loads(text)
            # many nodes explain a refusal in the body of an HTTP error
            if not response.ok and "error" not in answer:
                response.raise_for_status()
            return answer

    async def _asked(self, method: str, body: Any, safe: bool) -> Any:
        started = self._clock.monotonic_ns()
        retrying = AsyncRetrying(
            stop=stop_after_attempt(self._attempts),
            wait=wait_exponential(multiplier=0.1, max=1.0),
            retry=retry_if_exception(lambda error: _may_repeat(error, safe)),
            reraise=True,
        )
        try:
            async for attempt in retrying:
                with attempt:
                    answer = await self._post(body)
        except TimeoutError:
            message = f"no answer within {self._timeout.total:g} s"
            raise self._failed(method, message, timed_out=True) from None
        except ClientResponseError as error:
            message = f"HTTP {error.status} {error.message}"
            raise self._failed(method, message, status=error.status) from None
        except ClientError as error:
            sent = not isinstance(error, ClientConnectorError)
            raise self._failed(method, f"cannot reach the node: {error}", sent=sent) from None
        except (ValueError, RecursionError):
            raise self._failed(method, "the answer is no JSON; is this a node's address?") from None
        self.latency_ms = (self._clock.monotonic_ns() - started) / 1e6
        return answer

    def _result(self, method: str, answer: Any) -> Any:
        if not isinstance(answer, dict):
            raise self._failed(method, "the answer is no JSON-RPC object; is this a node's address?")
        error = answer.get("error")
        if error is None:
            if "result" not in answer:
                raise self._failed(method, "the answer has neither result nor error")
            return answer["result"]
        if not isinstance(error, dict):
            error = {"message": str(error)}
        code, message = error.get("code"), str(error.get("message", "no message"))
        raise RpcError(
            f"{method} was refused by {self.shown_url}: {message} (code {code})",
            method=method,
            code=code if code is not None else 0,
            message=message,
            data=error.get("data"),
        )

    def _failed(
        self,
        method: str,
        message: str,
        *,
        sent: bool = True,
        timed_out: bool = False,
        status: int | None = None,
    ) -> RpcError:
        text = redact_text(message)
        return RpcError(
            f"{method} at {self.shown_url}: {text}",
            method=method,
            code=None,
            message=text,
            data=None,
            sent=sent,
            timed_out=timed_out,
            status=status,
        )


def unreachable(error: RpcError) -> bool:
    """Tell whether the node gave no answer, as opposed to answering with an error."""
    return error.fields.get("code") is None


def reads(method: str) -> bool:
    """Tell whether a request changes nothing, so that it may be made twice."""
    return method.startswith(_READS)


def _by_id(answers: Any) -> dict[int, dict[str, Any]]:
    """Return the answers of a batch that name a request."""
    if not isinstance(answers, list):
        return {}
    return {each["id"]: each for each in answers if isinstance(each, dict) and type(each.get("id")) is int}


def _may_repeat(error: BaseException, safe: bool) -> bool:
    if isinstance(error, ClientConnectorError):
        return True  # never sent
    return safe and isinstance(error, ServerDisconnectedError | ClientOSError)
