"""Several nodes that stand in for one another: ask the healthiest, move on within seconds when it fails.

A pool is asked like a single :class:`~chain.providers.Provider`. A batch is always answered by
one node, so that its answers belong together.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from chain.pool_member import PoolMember
from chain.provider_health import HeadWatch, NodeSnapshot, verdict
from chain.providers import Provider, Request, reads, unreachable
from core.errors import InputError, RpcError
from core.reasons import Reason, Refusal
from core.seams import Clock, SystemClock

_HEADER_METHODS = ("eth_getBlockByHash", "eth_getBlockByNumber")
_MUCH_FASTER = 3.0
_NOTICEABLE_MS = 50.0
_FAILOVERS_KEPT = 256
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Failover:
    """One time that a request moved on to another node.

    Parameters
    ----------
    at_ns
        Wall-clock nanoseconds.
    left
        The node that failed, without passwords and keys.
    refusal
        Why.
    """

    at_ns: int
    left: str
    refusal: Refusal


class _Lacking(Exception):
    """An answer that says a block does not exist; another node may know it."""

    def __init__(self, answer: Any) -> None:
        super().__init__("the node does not know a block it was asked for")
        self.answer = answer


class ProviderPool:
    """Several nodes of one chain, asked as if they were one.

    Use it in ``async with``; it opens and closes its providers. A node that does not answer, is
    too slow, limits our rate, lacks a block, falls behind or is of another chain is left for the
    next one, and asked again when a probe in the background finds it well.

    Parameters
    ----------
    providers
        One for each node, the preferred one first. Give them ``attempts=2``, for a connection that
        the node closed while idle: the pool asks another node instead of the same one many times.
    chain_id
        Chain that they must be of.
    clock
        Source of latencies and of the times in the record of failovers.
    attempt_seconds
        Longest that a request waits for a node while there is another one to ask; the last one has
        the provider's own time.
    probe_seconds
        Pause between two looks at all nodes.
    lag_seconds
        How long a node may lack a block that another one has.

    Raises
    ------
    InputError
        If there is no provider.

    Examples
    --------
    >>> async def head(urls: list[str]) -> int:
    ...     async with ProviderPool([Provider(url, attempts=2) for url in urls], chain_id=1) as pool:
    ...         return int(await pool.call("eth_blockNumber", []), 16)
    """

    def __init__(
        self,
        providers: Sequence[Provider],
        *,
        chain_id: int,
        clock: Clock | None = None,
        attempt_seconds: float = 1.5,
        probe_seconds: float = 1.0,
        lag_seconds: float = 2.5,
    ) -> None:
        if not providers:
            raise InputError("a pool needs at least one node")
        self._chain_id = chain_id
        self._clock = clock or SystemClock()
        self._attempt_seconds = attempt_seconds
        self._probe_seconds = probe_seconds
        heads = HeadWatch(lag_seconds)
        self._nodes = [
            PoolMember(provider, chain_id, heads, self._clock, attempt_seconds) for provider in providers
        ]
        self._current = self._nodes[0]
        self._stack = AsyncExitStack()
        self._prober: asyncio.Task[None] | None = None
        self.failovers: deque[Failover] = deque(maxlen=_FAILOVERS_KEPT)
        """The last times that a request moved on, oldest first."""

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            for node in self._nodes:
                await stack.enter_async_context(node.provider)
            await _probe_all(self._nodes)
            self._stack = stack.pop_all()
        self._prober = asyncio.create_task(self._keep_probing())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        prober, self._prober = self._prober, None
        if prober is not None:
            prober.cancel()
            await asyncio.wait([prober])
        await self._stack.aclose()

    @property
    def latency_ms(self) -> float:
        """Moving average of the node that is asked now, in milliseconds."""
        return self._current.health.latency_ms

    def snapshot(self) -> list[NodeSnapshot]:
        """Return the health of every node, in the order they were given."""
        return [node.health.snapshot() for node in self._nodes]

    async def call(self, method: str, params: Sequence[Any]) -> Any:
        """Make one request and return its result.

        Raises
        ------
        RpcError
            As a provider does; where no node answered, ``code`` is None and the message names all.
        """
        requests = [(method, params)]

        async def ask(provider: Provider) -> Any:
            result = await provider.call(method, params)
            _check(requests, [result], result)
            return result

        return await self._asked(requests, ask)

    async def batch(self, requests: Sequence[Request]) -> list[Any]:
        """Make several requests of one node and return their results in order.

        Raises
        ------
        RpcError
            For the first request that failed, or if no node answered all of them.
        """
        results = await self.attempt(requests)
        for result in results:
            if isinstance(result, RpcError):
                raise result
        return results

    async def attempt(self, requests: Sequence[Request]) -> list[Any | RpcError]:
        """Make several requests of one node; a request that was refused gives its error.

        Raises
        ------
        RpcError
            If no node answered all of them.
        """

        async def ask(provider: Provider) -> list[Any | RpcError]:
            results = await provider.attempt(requests)
            _check(requests, results, results)
            return results

        return await self._asked(requests, ask)

    async def _asked(self, requests: Sequence[Request], ask: Callable[[Provider], Awaitable[_T]]) -> _T:
        """Ask one node after the other until one answers; what writes goes on only if it was never sent."""
        safe = all(reads(method) for method, _ in requests)
        lacking: _Lacking | None = None
        problems: list[RpcError] = []
        order = self._order()
        for place, node in enumerate(order):
            if not node.serving and not await node.probe():
                continue
            patient = place == len(order) - 1 or not safe
            try:
                answer = await node.ask(ask, None if patient else self._attempt_seconds)
            except _Lacking as error:
                lacking = lacking or error
                self._leave(node, Refusal(Reason.NODE_LACKS_BLOCK, str(error)), bench=False)
            except RpcError as error:
                judged = verdict(error)
                if judged is None or (not safe and error.fields.get("sent", True)):
                    self._note(node, judged)
                    raise
                self._leave(node, *judged)
                problems.append(error)
            else:
                node.health.succeeded()
                self._current = node
                return answer
        if lacking is not None:
            return cast("_T", lacking.answer)
        raise self._none_answered(requests, problems)

    def _order(self) -> list[PoolMember]:
        """Return the nodes in the order to ask them: the current one, unless another is far faster."""
        serving = sorted(
            (node for node in self._nodes if node.serving), key=lambda node: node.health.latency_ms
        )
        if self._current in serving:
            best, current = serving[0].health.latency_ms, self._current.health.latency_ms
            # whoever changes nodes for a few milliseconds sees two views of the newest block in turns
            if current <= best * _MUCH_FASTER + _NOTICEABLE_MS:
                serving.remove(self._current)
                serving.insert(0, self._current)
        benched = [node for node in self._nodes if not node.serving and not node.of_wrong_chain]
        return [*serving, *sorted(benched, key=lambda node: node.health.failures)]

    def _leave(self, node: PoolMember, refusal: Refusal, bench: bool) -> None:
        self.failovers.append(Failover(self._clock.now_ns(), node.health.url, refusal))
        node.health.failed_with(refusal, self._clock.monotonic_ns(), bench=bench)

    def _note(self, node: PoolMember, judged: tuple[Refusal, bool] | None) -> None:
        """Note a fault of the node although the request does not move on."""
        if judged is not None:
            node.health.failed_with(judged[0], self._clock.monotonic_ns(), bench=judged[1])

    def _none_answered(self, requests: Sequence[Request], problems: Sequence[RpcError]) -> RpcError:
        for error in problems:
            if not unreachable(error):
                return error
        states = "; ".join(f"{node.health.url}: {node.health.benched}" for node in self._nodes)
        text = f"no node of chain {self._chain_id} answers ({states})"
        return RpcError(
            f"{requests[0][0] if requests else 'batch'}: {text}",
            method=requests[0][0] if requests else "batch",
            code=None,
            message=text,
            data=None,
            sent=any(error.fields.get("sent", True) for error in problems),
            timed_out=any(error.fields.get("timed_out") for error in problems),
        )

    async def _keep_probing(self) -> None:
        while True:
            await asyncio.sleep(self._probe_seconds)
            now = self._clock.monotonic_ns()
            await _probe_all([node for node in self._nodes if node.serving or node.health.probe_at_ns <= now])


async def _probe_all(nodes: Sequence[PoolMember]) -> None:
    await asyncio.gather(*[node.probe() for node in nodes])


def _check(requests: Sequence[Request], results: Sequence[Any | RpcError], answer: Any) -> None:
    """Refuse an answer that another node may give better.

    Raises
    ------
    RpcError
        If the node was too busy for one of the requests.
    _Lacking
        If it does not know a block that it was asked about.
    """
    for (method, params), result in zip(requests, results, strict=True):
        if isinstance(result, RpcError):
            judged = verdict(result)
            if judged is not None and judged[0].reason is Reason.NODE_LACKS_BLOCK:
                raise _Lacking(answer)
            if judged is not None:
                raise result
        elif result is None and method in _HEADER_METHODS and params[0] != "pending":
            raise _Lacking(answer)
