"""A stage: a world of real protocols, an executor on it, and someone who opens a price gap."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from chain.blocks import Address
from chain.devnet.artifacts import load_artifact
from chain.devnet.backend import AnvilBackend, PyrevmBackend, Receipt
from chain.devnet.calldata import decode_result, encode_arguments, encode_call
from chain.devnet.flow import Call, swap_v2, swap_v3, swap_vault
from chain.devnet.liquidity import PER_ETHER, DeployedPool
from chain.devnet.world import World, balance_of, fund
from core.errors import DevnetError
from execution.command import Funding
from execution.encode import decode_revert, encode_execute
from market.pools.spec import PoolSpec
from scoring.opportunity import Certificate, Hop, Opportunity

ETHER = 10**18


@dataclass
class Stage:
    backend: PyrevmBackend | AnvilBackend
    world: World
    executor: Address
    owner: Address
    operator: Address
    stranger: Address

    @property
    def number(self) -> int:
        """Height of the chain."""
        if isinstance(self.backend, PyrevmBackend):
            return self.backend.number
        return int(self.backend.request("eth_blockNumber"), 16)

    @property
    def abi(self) -> list[dict[str, Any]]:
        return load_artifact("OmniArbExecutor").abi

    @property
    def weth(self) -> Address:
        return self.world.weth

    def pool(self, name: str) -> DeployedPool:
        """Find a pool by ``venue/symbol`` (beside WETH), ``venue/symbol-symbol``, or either with ``/fee``."""
        venue, symbols, *fee = name.split("/")
        first, _, second = symbols.partition("-")
        return self.world.pool(venue, first, second or "WETH", int(fee[0]) if fee else None)

    def opportunity(self, pools: tuple[str, ...], amount_in: int, last_amount_in: int = 0) -> Opportunity:
        """Make a route whose amounts are not known, but for the first and the last input."""
        hops, token = [], self.weth
        for position, name in enumerate(pools, start=1):
            pool = self.pool(name)
            other = next(address for address in pool.tokens if address != token)
            hops.append(Hop(pool.pool_id, token, other, last_amount_in if position == len(pools) else 0, 0))
            token = other
        return Opportunity("cycle", self.weth, tuple(hops), amount_in, 0, 0, Certificate(0, 0, 0), 0, 0)

    @property
    def specs(self) -> dict[str, PoolSpec]:
        return {
            pool.pool_id: PoolSpec(pool.family, pool.pool_id, pool.address, pool.tokens, pool.fee)
            for pool in self.world.pools
        }

    def calldata(
        self,
        *pools: str,
        funding: Funding = Funding.FIRST_POOL,
        amount_in: int = ETHER,
        min_profit: int = 0,
        bid: int = 0,
        target_block: int | None = None,
        last_amount_in: int | None = None,
    ) -> bytes:
        """Encode a route for the next block; the input of a last pool that funds it is tried out."""
        if last_amount_in is None:
            last_amount_in = self.gives(pools[:-1], amount_in) if funding is Funding.LAST_POOL else 0
        return encode_execute(
            self.opportunity(pools, amount_in, last_amount_in),
            self.specs,
            funding=funding,
            min_profit=min_profit,
            bid=bid,
            target_block=self.number + 1 if target_block is None else target_block,
        )

    def gives(self, pools: tuple[str, ...], amount_in: int) -> int:
        """Return what hops that start in WETH would give a trader, without changing anything."""
        token, amount = self.weth, amount_in
        with self.undone():
            for name in pools:
                other = next(address for address in self.pool(name).tokens if address != token)
                before = balance_of(self.backend, other, self.trader)
                self._swap(name, token, amount)
                token, amount = other, balance_of(self.backend, other, self.trader) - before
        return amount

    @property
    def trader(self) -> Address:
        return self.world.accounts["trader-0"].address

    def sell(self, name: str, symbol: str, amount: int) -> Receipt:
        """Let a trader sell a token to a pool, so that the token is cheap there."""
        return self._swap(name, self.world.tokens[symbol].address, amount)

    def _swap(self, name: str, token: Address, amount: int) -> Receipt:
        pool, trader = self.pool(name), self.trader
        zero_for_one = token == pool.tokens[0]
        call: Call
        if pool.family == "uniswap_v2":
            call = swap_v2(self.world.flow_trader, pool.address, zero_for_one, amount)
        elif pool.family == "uniswap_v3":
            call = swap_v3(self.world.flow_trader, pool.address, zero_for_one, amount)
        else:
            other = next(address for address in pool.tokens if address != token)
            call = swap_vault(self.world.vault, pool.pool_id, trader, token, other, amount)
        receipt = self.backend.send(trader, call.to, call.data)
        assert receipt.ok
        return receipt

    def give(self, symbol: str, amount: int, to: Address | None = None) -> None:
        """Let a trader send tokens, to the executor if nobody is named."""
        data = encode_call("transfer(address,uint256)", to or self.executor, amount)
        assert self.backend.send(
            self.world.accounts["trader-2"].address, self.world.tokens[symbol].address, data
        ).ok

    def send(self, sender: Address, data: bytes, to: Address | None = None) -> Receipt:
        return self.backend.send(sender, to or self.executor, data)

    def reason(self, sender: Address, data: bytes, to: Address | None = None) -> str:
        """Send a transaction that has to revert, and return why it did."""
        with self.undone():
            assert not self.send(sender, data, to).ok  # and now the call is in the same block
            try:
                self.backend.call(to or self.executor, data, sender)
            except DevnetError as error:
                return decode_revert(bytes.fromhex(error.fields["output"][2:]), self.abi)
        raise AssertionError("it did not revert")

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Undo whatever happens inside, blocks included."""
        backend = self.backend
        if isinstance(backend, AnvilBackend):
            block = backend.snapshot()
            yield
            backend.revert(block)
            return
        mark, number, timestamp = backend.evm.snapshot(), backend.number, backend.timestamp
        try:
            yield
        finally:
            backend.evm.revert(mark)
            backend.number, backend.timestamp = number, timestamp

    def held(self, symbol: str = "WETH", by: Address | None = None) -> int:
        return balance_of(self.backend, self.world.tokens[symbol].address, by or self.executor)

    def read(self, types: str, signature: str, *arguments: Any, to: Address | None = None) -> tuple[Any, ...]:
        data = encode_call(signature, *arguments)
        return decode_result(types, self.backend.call(to or self.executor, data))


def add_pair(stage: Stage, first: str, second: str, worth: int) -> None:
    """Put a Uniswap V2 pair on the stage that holds two tokens, each worth this much ether."""
    backend, world = stage.backend, stage.world
    factory, tokens = (
        world.v2_factories["uniswap_v2"],
        [world.tokens[name].address for name in (first, second)],
    )
    assert backend.send(stage.owner, factory, encode_call("createPair(address,address)", *tokens)).ok
    answer = backend.call(factory, encode_call("getPair(address,address)", *tokens))
    (pair,) = decode_result("address", answer)
    for symbol in (first, second):
        fund(backend, world, pair, symbol, worth * PER_ETHER[symbol])
    assert backend.send(stage.owner, pair, encode_call("mint(address)", stage.owner)).ok
    added = DeployedPool("uniswap_v2", pair, pair, tuple(sorted(tokens)), 3_000, venue="uniswap_v2")
    stage.world = replace(world, pools=(*world.pools, added))


def make_stage(backend: PyrevmBackend | AnvilBackend, world: World) -> Stage:
    """Deploy an executor on a world."""
    owner, operator = world.accounts["deployer"].address, world.accounts["searcher"].address
    types = "address,address,address,address"
    arguments = encode_arguments(types, world.weth, world.vault, owner, operator)
    executor = backend.deploy(operator, load_artifact("OmniArbExecutor").bytecode + arguments)
    return Stage(backend, world, executor, owner, operator, world.accounts["trader-1"].address)
