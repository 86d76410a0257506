"""One node of a pool: asked with a time limit, and looked at now and then."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from chain.provider_health import HeadWatch, NodeHealth, verdict
from chain.providers import Provider, Request
from core.errors import RpcError
from core.reasons import Reason, Refusal
from core.seams import Clock

_T = TypeVar("_T")
_PROBE: tuple[Request, ...] = (("eth_chainId", []), ("eth_blockNumber", []))


class PoolMember:
    """A provider and its health.

    Parameters
    ----------
    provider
        The node.
    chain_id
        Chain that it must be of.
    heads
        What all nodes of the pool have shown.
    clock
        Source of latencies.
    probe_seconds
        Longest that a probe may take.
    """

    def __init__(
        self, provider: Provider, chain_id: int, heads: HeadWatch, clock: Clock, probe_seconds: float
    ) -> None:
        self.provider = provider
        self.health = NodeHealth(provider.shown_url)
        self._chain_id = chain_id
        self._heads = heads
        self._clock = clock
        self._probe_seconds = probe_seconds

    @property
    def serving(self) -> bool:
        """Whether it is asked."""
        return self.health.benched is None

    @property
    def of_wrong_chain(self) -> bool:
        """Whether it must not be asked, even if there is no other."""
        return self.health.benched is not None and self.health.benched.reason is Reason.NODE_WRONG_CHAIN

    async def ask(self, question: Callable[[Provider], Awaitable[_T]], seconds: float | None) -> _T:
        """Return what the provider answers within this time; None leaves it to the provider.

        Raises
        ------
        RpcError
            As the provider does; ``timed_out`` is set where the time is over.
        """
        try:
            async with asyncio.timeout(seconds):
                return await question(self.provider)
        except TimeoutError:
            text = f"no answer within {seconds:g} s"
            raise RpcError(
                f"{self.health.url}: {text}",
                method="",
                code=None,
                message=text,
                data=None,
                sent=True,
                timed_out=True,
            ) from None

    async def probe(self) -> bool:
        """Look at the node's chain, newest block and speed; bench it or take it back, and tell which."""
        started = self._clock.monotonic_ns()
        try:
            chain_id, number = await self.ask(lambda provider: provider.batch(_PROBE), self._probe_seconds)
            refusal = self._judge(int(chain_id, 16), int(number, 16))
        except RpcError as error:
            self._heads.forget(self.provider.url)
            judged = verdict(error)
            refusal = judged[0] if judged else Refusal(Reason.NODE_REFUSED, error.message)
        except (TypeError, ValueError):
            self._heads.forget(self.provider.url)
            refusal = Refusal(Reason.NODE_REFUSED, "its chain id or block number is no hex")
        now = self._clock.monotonic_ns()
        if refusal is not None:
            self.health.probe_failed(refusal, now)
            return False
        self.health.probed((now - started) / 1e6, int(number, 16))
        return True

    def _judge(self, chain_id: int, head: int) -> Refusal | None:
        if chain_id != self._chain_id:
            self._heads.forget(self.provider.url)
            detail = f"the node is of chain {chain_id}, not {self._chain_id}"
            return Refusal(Reason.NODE_WRONG_CHAIN, detail)
        now = self._clock.monotonic_ns()
        self._heads.saw(self.provider.url, head, now)
        due = self._heads.due(now)
        if head < due:
            self.health.head = head
            return Refusal(Reason.NODE_BEHIND, f"the node is at block {head}, another one had {due}")
        return None
