"""Drive the chain: a block is mined when everybody has answered the one before, or by the clock.

In lock-step a slow machine mines the same blocks as a fast one, so a seed repeats a run. An
agent outside this process registers and answers over the relay's JSON-RPC.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from chain.blocks import Address, BlockHeader
from core.errors import DevnetError, InputError
from execution.relays.auction import AuctionResult
from execution.relays.builder import Builder
from execution.relays.requests import one_object, read_quantity
from execution.relays.server import Method

ANSWER_TIMEOUT = 20.0
"""Seconds an agent may take for one block."""
REGISTER_TIMEOUT = 120.0
"""Seconds to wait for the agents that a run is to start with."""
MISSES_ALLOWED = 3
"""Blocks in a row without an answer after which an agent counts as gone."""


class Agent(Protocol):
    """Somebody in this process who acts once a block."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    async def act(self, head: BlockHeader) -> None:
        """Do what is to be done on this head; the next block is mined afterwards."""
        ...


@dataclass(slots=True)
class _Remote:
    """An agent outside this process; ``answered`` is the last block it has dealt with."""

    answered: int
    answers: int = 0
    missed: int = 0
    missed_in_a_row: int = 0


class LockStep:
    """Lets agents act, waits for answers, and has the builder mine.

    Parameters
    ----------
    builder
        Mines.
    answer_timeout
        Seconds an outside agent may take for one block.
    interval
        Seconds between blocks by the clock, without waiting for anybody; ``None`` is lock-step.
    """

    def __init__(
        self,
        builder: Builder,
        *,
        answer_timeout: float = ANSWER_TIMEOUT,
        interval: float | None = None,
    ) -> None:
        self._builder = builder
        self._agents: list[Agent] = []
        self._answer_timeout = answer_timeout
        self._interval = interval
        self._remotes: dict[str, _Remote] = {}
        self._gone: dict[str, _Remote] = {}
        self._changed = asyncio.Event()
        self._head = -1

    @property
    def methods(self) -> Mapping[str, Method]:
        """The remote methods, by name, for :class:`~execution.relays.server.RpcServer`."""
        return {
            "devnet_register": Method(self._register),
            "devnet_answer": Method(self._answer),
            "devnet_status": Method(self._status),
        }

    def join(self, agent: Agent) -> None:
        """Let an agent of this process act on every head, after those that joined before."""
        self._agents.append(agent)

    async def wait_registered(self, names: Sequence[str]) -> None:
        """Return when all of these agents have registered.

        Raises
        ------
        DevnetError
            If one does not come.
        """
        try:
            async with asyncio.timeout(REGISTER_TIMEOUT):
                while missing := [name for name in names if name not in self._remotes]:
                    await self._change()
        except TimeoutError:
            raise DevnetError(
                f"{', '.join(missing)} did not register in {REGISTER_TIMEOUT:g} s; start it first",
                missing=missing,
            ) from None

    async def blocks(self, count: int | None) -> AsyncIterator[AuctionResult]:
        """Mine blocks and yield each one's auction.

        Parameters
        ----------
        count
            How many; ``None`` goes on until cancelled.

        Raises
        ------
        DevnetError
            If the chain does something that was not simulated.
        """
        clock = asyncio.get_running_loop()
        due = clock.time()
        mined = 0
        while count is None or mined < count:
            head = await self._builder.head()
            self._head = head.number
            for agent in self._agents:
                await agent.act(head)
            if self._interval is None:
                await self._everybody_answers(head.number)
            else:
                due += self._interval
                await asyncio.sleep(max(due - clock.time(), 0.0))
            yield await self._builder.build()
            mined += 1

    async def _everybody_answers(self, number: int) -> None:
        """Wait for outside agents; forgive the slow, drop those who seem gone."""
        try:
            async with asyncio.timeout(self._answer_timeout):
                while self._waiting_for(number):
                    await self._change()
        except TimeoutError:
            for name in self._waiting_for(number):
                self._note_miss(name)

    def _note_miss(self, name: str) -> None:
        remote = self._remotes[name]
        remote.missed += 1
        remote.missed_in_a_row += 1
        if remote.missed_in_a_row >= MISSES_ALLOWED:
            self._gone[name] = self._remotes.pop(name)

    def _waiting_for(self, number: int) -> list[str]:
        return [name for name, remote in self._remotes.items() if remote.answered < number]

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    async def _register(self, params: Any, _: Address) -> dict[str, int]:
        """Take ``{"name"}``; the first answer is due for the block after the returned head."""
        name = _name(params)
        head = await self._builder.head()
        self._gone.pop(name, None)
        self._remotes[name] = _Remote(answered=head.number)
        self._changed.set()
        return {"head": head.number}

    async def _answer(self, params: Any, _: Address) -> dict[str, bool]:
        """Take ``{"name", "blockNumber"}``; tell whether the answer came in time."""
        name = _name(params)
        number = read_quantity(params[0], "blockNumber")
        remote = self._remotes.get(name)
        if remote is None:
            raise InputError(f"no agent {name} is registered (any more); call devnet_register", agent=name)
        remote.answered = max(remote.answered, number)
        remote.answers += 1
        remote.missed_in_a_row = 0
        self._changed.set()
        return {"inTime": number >= self._head}

    async def _status(self, _params: Any, _: Address) -> dict[str, Any]:
        head = await self._builder.head()
        shown = {
            name: {
                "answered": remote.answered,
                "answers": remote.answers,
                "missed": remote.missed,
                "gone": name in self._gone,
            }
            for name, remote in sorted((self._remotes | self._gone).items())
        }
        mode = "lockstep" if self._interval is None else "realtime"
        return {
            "head": head.number,
            "mode": mode,
            "waitingFor": self._waiting_for(head.number),
            "agents": shown,
        }


def _name(params: Any) -> str:
    name = one_object(params).get("name")
    if not isinstance(name, str) or not 0 < len(name) <= 80:
        raise InputError("name must be text of 1 to 80 characters")
    return name
