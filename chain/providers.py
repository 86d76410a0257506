"""JSON-RPC over HTTP: raw requests, typed errors, and retries where they are safe.

Only a connection that failed is tried again, and only where the request cannot have taken
effect twice: it was never sent, or it only reads.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

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
from web3 import AsyncHTTPProvider
from web3.types import RPCEndpoint

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
    "net_",
)
_Answer = TypeVar("_Answer")


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
        self._web3: AsyncHTTPProvider | None = None

    async def __aenter__(self) -> Self:
        self._web3 = AsyncHTTPProvider(
            self.url, request_kwargs={"timeout": self._timeout}, exception_retry_configuration=None
        )
        # the library's own session opens a connection for every request; this one keeps them
        await self._web3.cache_async_session(ClientSession(timeout=self._timeout))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections; closing twice does nothing."""
        web3, self._web3 = self._web3, None
        if web3 is not None:
            await web3.disconnect()

    async def call(self, method: str, params: Sequence[Any]) -> Any:
        """Make one request and return the ``result`` of its answer as JSON gives it.

        Raises
        ------
        RpcError
            With fields ``method``, ``code``, ``message`` and ``data``; ``code`` is None where the
            node did not answer at all.
        """
        web3 = self._open()
        answer = await self._asked(
            method, lambda: web3.make_request(RPCEndpoint(method), list(params)), _reads(method)
        )
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
        web3 = self._open()
        named = [(RPCEndpoint(method), list(params)) for method, params in requests]
        label = requests[0][0] if len({m for m, _ in requests}) == 1 else "batch"
        safe = all(_reads(method) for method, _ in requests)
        answers = await self._asked(label, lambda: web3.make_batch_request(named), safe)
        if isinstance(answers, dict):
            self._result(label, answers)
        if not isinstance(answers, list) or len(answers) != len(requests):
            raise self._failed(label, "the node did not answer every request of the batch; make it smaller")
        return [
            self._attempted(method, answer) for (method, _), answer in zip(requests, answers, strict=True)
        ]

    def _attempted(self, method: str, answer: Any) -> Any | RpcError:
        try:
            return self._result(method, answer)
        except RpcError as error:
            if unreachable(error):
                raise
            return error

    def _open(self) -> AsyncHTTPProvider:
        if self._web3 is None:
            raise self._failed("connect", "the provider is not open; use it in `async with`")
        return self._web3

    async def _asked(self, method: str, ask: Callable[[], Awaitable[_Answer]], safe: bool) -> _Answer:
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
                    answer = await ask()
        except TimeoutError:
            raise self._failed(method, f"no answer within {self._timeout.total:g} s") from None
        except ClientResponseError as error:
            raise self._failed(method, f"HTTP {error.status} {error.message}") from None
        except ClientError as error:
            raise self._failed(method, f"cannot reach the node: {error}") from None
        except ValueError:
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

    def _failed(self, method: str, message: str) -> RpcError:
        text = redact_text(message)
        return RpcError(
            f"{method} at {self.shown_url}: {text}", method=method, code=None, message=text, data=None
        )


def unreachable(error: RpcError) -> bool:
    """Tell whether the node gave no answer, as opposed to answering with an error."""
    return error.fields.get("code") is None


def _reads(method: str) -> bool:
    return method.startswith(_READS)


def _may_repeat(error: BaseException, safe: bool) -> bool:
    if isinstance(error, ClientConnectorError):
        return True  # never sent
    return safe and isinstance(error, ServerDisconnectedError | ClientOSError)
