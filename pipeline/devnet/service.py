"""The whole local chain in one object: node, world, relay, builder, order flow and competitors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Self

import httpx

from chain.blocks import Address
from chain.devnet.accounts import dev_account
from chain.devnet.anvil import BLOCK_TIME, CHAIN_ID, Anvil
from chain.devnet.artifacts import load_artifact
from chain.devnet.backend import AnvilBackend
from chain.devnet.calldata import encode_arguments
from chain.devnet.world import World, build_world
from chain.providers import Provider
from chain.signers import FlashbotsIdentity, Wallet
from core.seams import Clock, Randomness
from core.secrets import PrivateKey
from execution.relays.auction import AuctionResult
from execution.relays.builder import Builder
from execution.relays.client import RelayClient
from execution.relays.local import LocalRelay
from execution.relays.server import RpcServer
from market.pools.spec import PoolSpec
from market.tokens import Token
from pipeline.devnet.competitors import COARSE, PAIRS_ONLY, Competitor, Strength
from pipeline.devnet.description import DevnetDescription
from pipeline.devnet.flow import OrderFlow
from pipeline.devnet.lockstep import ANSWER_TIMEOUT, LockStep
from pipeline.devnet.market import SharedMarket

BLOCK_GAS = 2_000_000
"""Gas limit of a block. This small world asks for about half of it, so the base fee moves both ways."""
OPERATOR_ETHER = 100 * 10**18
"""Wei given to our operator for gas."""
COMPETITORS: tuple[tuple[str, Strength], ...] = (("competitor-0", PAIRS_ONLY), ("competitor-1", COARSE))


class DevnetService:
    """A running local chain; made by :meth:`start`.

    Parameters
    ----------
    description
        What clients must know.
    builder
        Mines, and remembers every auction.
    lockstep
        Decides when.
    flow, competitors
        The other people, with what they sent and what was refused.

    Examples
    --------
    >>> async def ten_blocks(owner: Address, operator: Address, clock: Clock) -> bytes:
    ...     async with DevnetService.start(7, owner=owner, operator=operator, clock=clock) as devnet:
    ...         await devnet.run(10)
    ...         return devnet.results[-1].block_hash
    """

    def __init__(
        self,
        description: DevnetDescription,
        builder: Builder,
        lockstep: LockStep,
        flow: OrderFlow,
        competitors: Sequence[Competitor],
    ) -> None:
        self.description = description
        self.flow = flow
        self.competitors = tuple(competitors)
        self._builder = builder
        self._lockstep = lockstep

    @classmethod
    @asynccontextmanager
    async def start(
        cls,
        seed: int,
        *,
        owner: Address,
        operator: Address,
        clock: Clock,
        interval: float | None = None,
        answer_timeout: float = ANSWER_TIMEOUT,
        port: int = 0,
        relay_port: int = 0,
    ) -> AsyncIterator[Self]:
        """Run a local chain for the length of an ``async with`` block.

        Parameters
        ----------
        seed
            Decides keys, order flow and competitors.
        owner, operator
            Addresses that own and operate our executor contract; the operator gets ether for gas.
        clock
            Stamps blocks for the agents.
        interval
            Seconds between blocks by the clock; ``None`` is lock-step.
        answer_timeout
            Seconds an outside agent may take for one block, in lock-step.
        port, relay_port
            Of the node and of the relay; 0 takes free ones.

        Raises
        ------
        ContractError
            If a contract artifact is missing.
        DevnetError
            If the node does not start or the world cannot be built.
        InputError
            If the relay's port is taken.
        """
        async with AsyncExitStack() as stack:
            anvil = await stack.enter_async_context(Anvil.start(port))
            provider = await stack.enter_async_context(Provider(anvil.http_url))
            http = await stack.enter_async_context(httpx.AsyncClient())
            world, executors = await asyncio.to_thread(_build, anvil.http_url, seed, owner, operator)
            recipient = world.accounts["builder"].address
            builder = Builder(provider, chain_id=CHAIN_ID, fee_recipient=recipient, block_time=BLOCK_TIME)
            lockstep = LockStep(builder, answer_timeout=answer_timeout, interval=interval)
            server = RpcServer({**LocalRelay(builder).methods, **lockstep.methods}, relay_port)
            await stack.enter_async_context(server.running())
            await provider.call("evm_setBlockGasLimit", [hex(BLOCK_GAS)])
            start_block = (await builder.build()).block_number
            description = _describe(anvil, server.url, world, executors[0], start_block)
            tokens = {token.address: token for token in description.tokens}
            market = await SharedMarket.load(provider, description.specs, tokens, clock)
            randomness = Randomness(seed)
            flow = OrderFlow(world, market, builder, provider, randomness, CHAIN_ID)
            table = _Table(world, market, provider, http, server.url, randomness)
            competitors = [
                table.seat(name, strength, executor)
                for (name, strength), executor in zip(COMPETITORS, executors[1:], strict=True)
            ]
            for competitor in competitors:
                lockstep.join(competitor)
            lockstep.join(flow)
            yield cls(description, builder, lockstep, flow, competitors)

    @property
    def results(self) -> tuple[AuctionResult, ...]:
        """Every auction held, oldest first; the first one is the empty block everybody starts from."""
        return self._builder.results

    async def run(
        self,
        blocks: int | None,
        *,
        wait_for: Sequence[str] = (),
        on_block: Callable[[AuctionResult], None] = lambda _: None,
    ) -> None:
        """Mine blocks.

        Parameters
        ----------
        blocks
            How many; ``None`` goes on until cancelled.
        wait_for
            Names of outside agents without which the first block is not mined.
        on_block
            Told of every auction.

        Raises
        ------
        DevnetError
            If an agent never comes, or the chain does something that was not simulated.
        """
        await self._lockstep.wait_registered(wait_for)
        async for result in self._lockstep.blocks(blocks):
            on_block(result)


def _build(url: str, seed: int, owner: Address, operator: Address) -> tuple[World, list[Address]]:
    """Build the world and deploy executors: ours, then one for each competitor by its own key."""
    with AnvilBackend(url) as backend:
        world = build_world(backend, f"omniarb-{seed}")
        backend.set_balance(operator, OPERATOR_ETHER)
        code = load_artifact("OmniArbExecutor").bytecode
        holders = [(world.accounts["deployer"].address, owner, operator)]
        for name, _ in COMPETITORS:
            address = world.accounts[name].address
            holders.append((address, address, address))
        executors = [
            backend.deploy(
                deployer,
                code
                + encode_arguments("address,address,address,address", world.weth, world.vault, first, second),
            )
            for deployer, first, second in holders
        ]
        return world, executors


@dataclass(frozen=True, slots=True)
class _Table:
    """What all competitors share."""

    world: World
    market: SharedMarket
    provider: Provider
    http: httpx.AsyncClient
    relay_url: str
    randomness: Randomness

    def seat(self, name: str, strength: Strength, executor: Address) -> Competitor:
        """Return a competitor with an account, an identity and an executor of its own."""
        return Competitor(
            name,
            wallet=Wallet.from_key(self.world.accounts[name].key),
            executor=executor,
            strength=strength,
            market=self.market,
            wrapped_native=self.world.weth,
            relay=RelayClient(self.relay_url, _identity(self.world, name), self.http, "local"),
            provider=self.provider,
            randomness=self.randomness,
            chain_id=CHAIN_ID,
        )


def _describe(
    anvil: Anvil, relay_url: str, world: World, executor: Address, start_block: int
) -> DevnetDescription:
    return DevnetDescription(
        http_url=anvil.http_url,
        ws_url=anvil.ws_url,
        relay_url=relay_url,
        chain_id=CHAIN_ID,
        block_time=BLOCK_TIME,
        start_block=start_block,
        fee_recipient=world.accounts["builder"].address,
        executor=executor,
        wrapped_native=world.weth,
        vault=world.vault,
        competitors=tuple(_identity(world, name).address for name, _ in COMPETITORS),
        tokens=tuple(Token(t.address, t.symbol, t.decimals) for t in world.tokens.values()),
        specs=tuple(PoolSpec(**asdict(pool)) for pool in world.pools),
    )


def _identity(world: World, name: str) -> FlashbotsIdentity:
    return FlashbotsIdentity(PrivateKey(dev_account(world.seed, f"{name} identity").key))
