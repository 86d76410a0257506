"""A bench for tokens: a world, pools that trade a token of ours, and tokens of every bad manner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import isqrt
from typing import Any

from chain.blocks import Address
from chain.devnet.artifacts import load_artifact
from chain.devnet.backend import AnvilBackend, PyrevmBackend
from chain.devnet.calldata import decode_result, encode_arguments, encode_call
from chain.devnet.flow import mint_v3
from chain.devnet.protocols import FLOW_TRADER, UNISWAP_V2_FACTORY, UNISWAP_V3_FACTORY, must_send
from chain.devnet.world import World, approve, fund
from core.reasons import Reason, Refusal
from execution.token_probe import ProbeOrder, TokenProber
from execution.token_runs import PyrevmRunner
from market.pools.spec import PoolSpec
from market.token_behaviour import TokenBehaviour

ETHER = 10**18
SUPPLY = 1_000 * ETHER
TRAPS = (
    "reverts",
    "returns_false",
    "moves_nothing",
    "burns_gas",
    "floods",
    "same_block",
    "shuts_both_ways",
    "hides_balance",
)


@dataclass
class Bench:
    """A world on which tokens of our own can be put."""

    backend: PyrevmBackend | AnvilBackend
    world: World

    @property
    def owner(self) -> Address:
        return self.world.accounts["deployer"].address

    @property
    def block(self) -> int:
        if isinstance(self.backend, PyrevmBackend):
            return self.backend.number
        return self.backend.head().number

    def tell(self, to: Address, signature: str, *arguments: Any) -> None:
        must_send(self.backend, self.owner, to, encode_call(signature, *arguments))

    def deploy(self, name: str, arguments: bytes = b"") -> Address:
        return self.backend.deploy(self.owner, load_artifact(name).bytecode + arguments)

    def good_token(self) -> Address:
        return self.deploy(
            "TestToken", encode_arguments("string,string,uint8,address", "T", "T", 18, self.owner)
        )

    def pair(self, token: Address, hub: str = "WETH", units: int = SUPPLY) -> PoolSpec:
        """Put a pair of the token and a hub on the chain: a thousand ether's worth on either side."""
        tokens = tuple(sorted((token, self.world.tokens[hub].address)))
        self.tell(UNISWAP_V2_FACTORY, "createPair(address,address)", *tokens)
        found = self.backend.call(UNISWAP_V2_FACTORY, encode_call("getPair(address,address)", *tokens))
        (pair,) = decode_result("address", found)
        if units:
            self.tell(token, "mint(address,uint256)", pair, units)
            fund(self.backend, self.world, pair, hub, 1_000 * ETHER)
            self.tell(pair, "mint(address)", self.owner)
        return PoolSpec("uniswap_v2", pair, pair, tokens, 3_000)

    def pool(self, token: Address) -> PoolSpec:
        """Put a Uniswap V3 pool of the token and WETH on the chain, at a price of one."""
        tokens = tuple(sorted((token, self.world.weth)))
        self.tell(UNISWAP_V3_FACTORY, "createPool(address,address,uint24)", *tokens, 3_000)
        found = self.backend.call(
            UNISWAP_V3_FACTORY, encode_call("getPool(address,address,uint24)", *tokens, 3_000)
        )
        (pool,) = decode_result("address", found)
        self.tell(pool, "initialize(uint160)", isqrt(1 << 192))
        self.tell(token, "mint(address,uint256)", self.owner, SUPPLY)
        fund(self.backend, self.world, self.owner, "WETH", 1_000 * ETHER)
        for each in tokens:
            approve(self.backend, self.owner, each, FLOW_TRADER)
        call = mint_v3(FLOW_TRADER, pool, -6_000, 6_000, 500 * ETHER)
        must_send(self.backend, self.owner, call.to, call.data)
        return PoolSpec("uniswap_v3", pool, pool, tokens, 3_000, tick_spacing=60)

    def order(self, token: Address, pool: PoolSpec, **changes: Any) -> ProbeOrder:
        return replace(ProbeOrder(1, token, pool, self.world.weth), **changes)

    def bad_token(self, name: str, make: Callable[[Bench, Address], PoolSpec] = pair) -> ProbeOrder:
        """Put a token with bad manners, still without them, and its pool on the chain."""
        token = self.deploy(name)
        pool = make(self, token)
        self.tell(token, "setPool(address)", pool.address)
        return self.order(token, pool)

    async def in_process(self, order: ProbeOrder) -> TokenBehaviour | Refusal:
        assert isinstance(self.backend, PyrevmBackend)
        return await TokenProber(PyrevmRunner(self.backend.evm)).probe(order, self.block)


def fee_token(bench: Bench, *fees: int, on_top: bool = False, concentrated: bool = False) -> ProbeOrder:
    order = bench.bad_token("FeeOnTransferToken", Bench.pool if concentrated else Bench.pair)
    bench.tell(order.token, "setFees(uint256,uint256,uint256,bool)", *fees, on_top)
    return order


def honeypot(bench: Bench, trap: str) -> ProbeOrder:
    order = bench.bad_token("HoneypotToken")
    bench.tell(order.token, "setTrap(uint8)", TRAPS.index(trap))
    return order


def clean(bench: Bench) -> ProbeOrder:
    token = bench.good_token()
    return bench.order(token, bench.pair(token))


def clean_concentrated(bench: Bench) -> ProbeOrder:
    token = bench.good_token()
    return bench.order(token, bench.pool(token))


def no_return(bench: Bench) -> ProbeOrder:
    token = bench.deploy("NoReturnToken")
    return bench.order(token, bench.pair(token))


def growing(bench: Bench) -> ProbeOrder:
    order = bench.bad_token("RebasingToken")
    bench.tell(order.token, "rebase(uint256,uint256)", ETHER, 10**9)
    bench.tell(order.pool.address, "sync()")
    return order


def rounding(bench: Bench) -> ProbeOrder:
    order = bench.bad_token("RebasingToken")
    bench.tell(order.token, "rebase(uint256,uint256)", 1_234_567_891_011_121_314, 0)
    bench.tell(order.pool.address, "sync()")
    return order


def pool_only(bench: Bench) -> ProbeOrder:
    order = bench.bad_token("BlacklistToken")
    bench.tell(order.token, "setPoolOnly(bool)", True)
    return order


EVERY_KIND: dict[str, tuple[Callable[[Bench], ProbeOrder], Reason | None]] = {
    "clean": (clean, None),
    "clean on V3": (clean_concentrated, None),
    "returns nothing": (no_return, None),
    "fee": (lambda bench: fee_token(bench, 10_000, 20_000, 30_000), Reason.FEE_ON_TRANSFER),
    "fee on V3": (
        lambda bench: fee_token(bench, 10_000, 20_000, 30_000, concentrated=True),
        Reason.FEE_ON_TRANSFER,
    ),
    "fee on top": (
        lambda bench: fee_token(bench, 0, 20_000, 30_000, on_top=True),
        Reason.FEE_ON_TRANSFER,
    ),
    "fee of the sale that leaves nothing": (lambda bench: fee_token(bench, 0, 990_000, 0), Reason.HONEYPOT),
    "growing": (growing, Reason.REBASING),
    "shares": (rounding, Reason.REBASING),
    "pool only": (pool_only, Reason.TRANSFER_BLOCKED),
    **{
        trap: (lambda bench, trap=trap: honeypot(bench, trap), reason)
        for trap, reason in zip(
            TRAPS,
            [*[Reason.HONEYPOT] * 5, None, *[Reason.CANNOT_BUY] * 2],
            strict=True,
        )
    },
}
