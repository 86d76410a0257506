"""A node, a relay that mines what it takes, and one trader who opens gaps: a chain that tests can break.

The relay stands apart from the node, as relays do, and is told when the loop is done with a block.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from eth_utils.crypto import keccak

import pipeline.live
from chain.blocks import Address, next_base_fee
from chain.devnet.anvil import Anvil
from chain.devnet.artifacts import load_artifact
from chain.devnet.backend import AnvilBackend
from chain.devnet.calldata import encode_arguments
from chain.devnet.flow import swap_v2
from chain.devnet.liquidity import PER_ETHER
from chain.devnet.world import World, build_world
from chain.providers import Provider
from core.errors import OmniArbError
from execution.relays.server import Method, RpcServer
from pipeline.devnet.description import DevnetDescription
from pipeline.live import LiveLoop
from pipeline.live_config import KEYSTORE_PASSWORD_VARIABLE, LiveConfig, LiveResult
from pipeline.live_session import LiveSession, open_session
from tests.live_stage import PASSWORD, key_of, live_config
from tests.pyrevm_node import specs_of, tokens_of

SEED = 5
ETHER = 10**18
FEE_RECIPIENT = "0x" + "fe" * 20
AWAY_SECONDS = 1.0
"""Longer than the provider's own attempts, so that the outage is seen above it."""


@dataclass
class Stage:
    """What a test can break and look at."""

    anvil: Anvil
    world: World
    config: LiveConfig
    loop: LiveLoop
    session: list[LiveSession]
    answered: asyncio.Condition
    takes: bool = True
    last_answer: int = 0
    head: int = 0
    ending: bool = False
    crash_at: str = ""
    crashes: int = 0
    swaps: Any = None
    relaunches: list[asyncio.Task[None]] = field(default_factory=list)

    async def step(self) -> None:
        """Open a gap with one block, and wait until the loop has done all it does about it."""
        await asyncio.gather(*self.relaunches)
        await asyncio.to_thread(self._swap)
        async with asyncio.timeout(30), self.answered:
            await self.answered.wait_for(lambda: self.last_answer == self.head)
        await asyncio.gather(*self.relaunches)

    def _swap(self) -> None:
        pool, symbol = next(self.swaps)
        zero_in = pool.tokens[0] == self.world.tokens[symbol].address
        call = swap_v2(self.world.flow_trader, pool.address, zero_in, 30 * PER_ETHER[symbol])
        with AnvilBackend(self.anvil.http_url) as backend:
            self.head += 1
            receipt = backend.send(self.world.accounts["trader-0"].address, call.to, call.data)
            assert receipt.ok
            assert receipt.block_number == self.head

    async def die(self) -> None:
        """Kill the node at once; what it had mined is on disk."""
        await self.anvil.save()
        os.kill(self.anvil.pid, signal.SIGKILL)
        while self.anvil.alive:  # noqa: ASYNC110 (a process, not a task)
            await asyncio.sleep(0.005)
        self.crashes += 1

    async def come_back(self) -> None:
        """Start again, with the fee recipient that a node forgets."""
        await asyncio.sleep(AWAY_SECONDS)
        await self.anvil.launch()
        async with Provider(self.anvil.http_url) as provider:
            await provider.call("anvil_setCoinbase", [FEE_RECIPIENT])

    async def reorganise(self, depth: int) -> None:
        """Replace the newest blocks by as many empty ones; the loop hears of it with the next block."""
        async with Provider(self.anvil.http_url) as provider:
            await provider.call("anvil_reorg", [depth, []])
            await provider.call("anvil_setCoinbase", [FEE_RECIPIENT])

    async def take_bundle(self, params: Any, _signer: Address) -> Any:
        if not self.takes:
            raise OmniArbError("we take nothing")
        raw = bytes.fromhex(params[0]["txs"][0][2:])
        await asyncio.to_thread(self._include, raw, int(params[0]["blockNumber"], 16))
        return {"bundleHash": "0x" + keccak(keccak(raw)).hex()}

    def _include(self, raw: bytes, number: int) -> None:
        with AnvilBackend(self.anvil.http_url) as backend:
            head = backend.head()
            assert head.number + 1 == number
            backend.request("anvil_setNextBlockBaseFeePerGas", hex(next_base_fee(head)))
            backend.request("eth_sendRawTransaction", "0x" + raw.hex())
            self.head = number
            backend.request("evm_mine")

    async def take_answer(self, params: Any, _signer: Address) -> Any:
        async with self.answered:
            self.last_answer = int(params[0]["blockNumber"])
            if self.ending and self.last_answer == self.head:
                self.loop.stop()
            self.answered.notify_all()
        return {"inTime": True}

    async def register(self, _params: Any, _signer: Address) -> Any:
        return {"head": self.head}


@asynccontextmanager
async def staged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    """Build the world and everything around it; the loop is made and not running."""
    monkeypatch.setenv(KEYSTORE_PASSWORD_VARIABLE, PASSWORD)
    async with Anvil.start(state=tmp_path / "chain.json") as anvil:
        world, executor, height = await asyncio.to_thread(build, anvil.http_url)
        place = DevnetDescription(
            http_url=anvil.http_url,
            ws_url=anvil.ws_url,
            relay_url="",
            chain_id=1,
            block_time=12,
            start_block=height,
            fee_recipient=FEE_RECIPIENT,
            executor=executor,
            wrapped_native=world.weth,
            vault=world.vault,
            competitors=(),
            tokens=tuple(tokens_of(world).values()),
            specs=specs_of(world),
        )
        config = live_config(place, tmp_path, seed=SEED, blocks=10_000)
        sessions: list[LiveSession] = []
        stage = Stage(anvil, world, config, LiveLoop(config), sessions, asyncio.Condition(), head=height)
        pools = [world.pool("uniswap_v2", "WETH", symbol) for symbol in ("USDC", "DAI")]
        stage.swaps = cycle([(pools[0], "WETH"), (pools[1], "WETH"), (pools[0], "USDC"), (pools[1], "DAI")])
        hook(stage, monkeypatch)
        methods = {
            "eth_sendBundle": Method(stage.take_bundle),
            "devnet_register": Method(stage.register),
            "devnet_answer": Method(stage.take_answer),
        }
        server = RpcServer(methods)
        async with server.running():
            stage.config = dataclasses.replace(config, relay_urls=(server.url,))
            stage.loop = LiveLoop(stage.config)
            yield stage


def build(url: str) -> tuple[World, Address, int]:
    owner = key_of(SEED).address
    with AnvilBackend(url) as backend:
        world = build_world(backend)
        for account in (owner, FEE_RECIPIENT):
            backend.set_balance(account, 100 * ETHER)
        backend.request("anvil_setCoinbase", FEE_RECIPIENT)
        arguments = encode_arguments("address,address,address,address", world.weth, world.vault, owner, owner)
        executor = backend.deploy(
            world.accounts["deployer"].address, load_artifact("OmniArbExecutor").bytecode + arguments
        )
        return world, executor, backend.head().number


def hook(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Look into the loop's session, and let the node die just before the request that a test names."""
    ask = Provider.call

    async def call(provider: Provider, method: str, params: Sequence[Any]) -> Any:
        if method == stage.crash_at and stage.session and provider is stage.session[0].chain:
            stage.crash_at = ""
            await stage.die()
            stage.relaunches.append(asyncio.create_task(stage.come_back()))
        return await ask(provider, method, params)

    @asynccontextmanager
    async def watched(*arguments: Any) -> AsyncIterator[LiveSession]:
        async with open_session(*arguments) as session:
            stage.session.append(session)
            yield session

    monkeypatch.setattr(Provider, "call", call)
    monkeypatch.setattr(pipeline.live, "open_session", watched)


@asynccontextmanager
async def running(stage: Stage) -> AsyncIterator[asyncio.Task[LiveResult]]:
    """Run the loop; whatever ends it early ends the test."""
    task = asyncio.create_task(stage.loop.run())
    owner = asyncio.current_task()
    assert owner is not None
    task.add_done_callback(lambda done: done.cancelled() or not done.exception() or owner.cancel())
    try:
        while not stage.session and not task.done():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        yield task
    except asyncio.CancelledError:
        task.result()
        raise
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def finish(stage: Stage, task: asyncio.Task[LiveResult]) -> LiveResult:
    stage.ending = True
    await stage.step()
    return await asyncio.wait_for(task, 30)
