"""Uniswap's routers as they are published, at their Ethereum addresses, over a world with two V4 pools.

The Universal Router is that of version 2.1.0; what stands at its address on Ethereum may be an earlier build.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from chain.devnet.backend import PyrevmBackend
from chain.devnet.calldata import encode_arguments, encode_call
from chain.devnet.protocols import construct_at, must_send
from chain.devnet.rules import BLOCK_TIME
from chain.devnet.world import World, approve, build_world, fund
from chain.pending_transactions import PendingTransaction
from core.reasons import Refusal
from market.pending.decode import decode_pending
from market.pending.effects import predict
from market.pending.intents import NATIVE
from market.pending.known_routers import known_routers
from market.pending.targets import RouterKind, Targets
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from market.pools.uniswap_v4 import pool_id_of
from market.pools.v3_math import sqrt_ratio_at_tick
from market.tokens import Token
from pipeline.bootstrap import load_market
from tests.conformance.stages.packages import creation_code
from tests.market.pending.routes import DAI, ETHEREUM, MANAGER, ROUTERS, TRADER, UNIVERSAL, USDC
from tests.pyrevm_node import PyrevmNode, specs_of, tokens_of

V2_ROUTER = "0x7a250d5630b4cf539739df2c5dacb4c659f2488d"
SWAP_ROUTER_02 = ROUTERS[RouterKind.SWAP_ROUTER_02].address
KEY = "(address,address,uint24,int24,address)"
"""Types of a V4 pool's key: currencies, fee in ppm, tick spacing, hooks."""
ETHER_DOLLARS = (NATIVE, USDC, 500, 10, NATIVE)
DAI_DOLLARS = (DAI, USDC, 3_000, 60, NATIVE)
_START_TICKS = {ETHER_DOLLARS: -200_311, DAI_DOLLARS: -276_324}
"""Ether at 2000 dollars and DAI at one; dollars have six decimals, the others 18."""
_V4_CORE = "@uniswap/v4-core/out"
_UNIVERSAL_PARAMETERS = "(address,address,address,address,bytes32,bytes32,address,address,address,address)"
_PLENTY = 10**26


@dataclass(frozen=True, slots=True)
class RouterStage:
    """A chain with routers, pools of three versions, and a trader who has approved the routers."""

    backend: PyrevmBackend
    specs: tuple[PoolSpec, ...]
    tokens: Mapping[str, Token]

    async def pools(self) -> Mapping[str, Pool]:
        """Return the pools as the contracts tell."""
        return (await load_market(PyrevmNode(self.backend), self.specs, self.tokens)).pools

    def predicted(
        self, transaction: PendingTransaction, pools: Mapping[str, Pool]
    ) -> Mapping[str, Pool] | Refusal:
        """Return the pools that the transaction should change in the next block, or why it should fail."""
        steps = decode_pending(transaction, Targets.of(known_routers(ETHEREUM), self.specs))
        if isinstance(steps, Refusal):
            return steps
        prediction = predict(steps, pools, self.backend.timestamp + BLOCK_TIME)
        return prediction if isinstance(prediction, Refusal) else prediction.pools

    def mine(self, transaction: PendingTransaction) -> bool:
        """Mine a block with the transaction; tell whether it went through."""
        sender, to, data, value = transaction.sender, transaction.to, transaction.input, transaction.value
        return self.backend.send(sender, to, data, value).ok


def build_stage() -> RouterStage:
    backend = PyrevmBackend()
    world = build_world(backend)
    owner = world.accounts["deployer"].address
    for account in (owner, TRADER):
        backend.set_balance(account, _PLENTY)
    _place_routers(backend, world, owner)
    for symbol, token in world.tokens.items():
        fund(backend, world, TRADER, symbol, _PLENTY)
        for router in (V2_ROUTER, SWAP_ROUTER_02):
            approve(backend, TRADER, token.address, router)
    tokens = tokens_of(world) | {NATIVE: Token(NATIVE, "ETH", 18)}
    return RouterStage(backend, (*specs_of(world), *_v4_pools(backend, world, owner)), tokens)


def _place_routers(backend: PyrevmBackend, world: World, owner: str) -> None:
    """Place the PoolManager and the routers; contracts that no swap asks are left out."""
    v2_factory, v3_factory, absent = world.v2_factories["uniswap_v2"], world.v3_factory, NATIVE
    hashes = (ETHEREUM.factory(name).init_code_hash for name in ("uniswap_v2", "uniswap_v3"))
    universal = (absent, world.weth, v2_factory, v3_factory, *hashes, MANAGER, absent, absent, absent)
    for address, artifact, terms in (
        (MANAGER, f"{_V4_CORE}/PoolManager.sol/PoolManager.json", encode_arguments("address", owner)),
        (
            V2_ROUTER,
            "@uniswap/v2-periphery/build/UniswapV2Router02.json",
            encode_arguments("address,address", v2_factory, world.weth),
        ),
        (
            SWAP_ROUTER_02,
            "@uniswap/swap-router-contracts/artifacts/contracts/SwapRouter02.sol/SwapRouter02.json",
            encode_arguments("address,address,address,address", v2_factory, v3_factory, absent, world.weth),
        ),
        (
            UNIVERSAL.address,
            "@uniswap/universal-router/artifacts/contracts/UniversalRouter.sol/UniversalRouter.json",
            encode_arguments(_UNIVERSAL_PARAMETERS, universal),
        ),
    ):
        construct_at(backend, owner, address, creation_code(artifact) + terms)


def _v4_pools(backend: PyrevmBackend, world: World, owner: str) -> tuple[PoolSpec, ...]:
    """Create the V4 pools, each with liquidity everywhere and ten times as much near the price."""
    helper = f"{_V4_CORE}/PoolModifyLiquidityTestNoChecks.sol/PoolModifyLiquidityTestNoChecks.json"
    positions = backend.deploy(owner, creation_code(helper) + encode_arguments("address", MANAGER))
    for symbol in ("DAI", "USDC"):
        fund(backend, world, owner, symbol, _PLENTY)
        approve(backend, owner, world.tokens[symbol].address, positions)
    specs = []
    for key, tick in _START_TICKS.items():
        currencies, fee, spacing, hooks = key[:2], *key[2:]
        # a little off the tick, as prices are
        start = encode_call(f"initialize({KEY},uint160)", key, sqrt_ratio_at_tick(tick) + 7)
        must_send(backend, owner, MANAGER, start)
        end, middle = 887_220 // spacing * spacing - spacing, tick // spacing * spacing
        for lower, upper, liquidity in (
            (-end, end, 10**16),
            (middle - 20 * spacing, middle + 30 * spacing, 10**17),
        ):
            position = (lower, upper, liquidity, bytes(32))
            signature = f"modifyLiquidity({KEY},(int24,int24,int256,bytes32),bytes)"
            value = 10**21 if NATIVE in currencies else 0
            must_send(backend, owner, positions, encode_call(signature, key, position, b""), value)
        spec = PoolSpec("uniswap_v4", "", MANAGER, currencies, fee, tick_spacing=spacing, hooks=hooks)
        specs.append(replace(spec, pool_id=pool_id_of(spec)))
    return tuple(specs)
