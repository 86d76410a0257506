"""Pending transactions of real routers: heard, predicted, judged, mined; the chain has the last word."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from web3 import Web3

from chain.devnet.artifacts import CONTRACTS, load_artifact
from chain.devnet.calldata import encode_arguments, encode_call
from chain.devnet.flow import swap_v2, swap_vault
from chain.devnet.protocols import construct_at
from chain.devnet.world import approve
from chain.mempool import Mempool
from chain.networks import load_network
from chain.pending_transactions import PendingTransaction
from chain.providers import Provider
from core.errors import MarketError, RpcError
from core.reasons import Reason
from core.seams import ManualClock
from market.pending.known_routers import known_routers
from market.pending.targets import Targets
from market.pools.pool import Pool
from market.state import MarketState
from pipeline.bootstrap import load_market
from pipeline.pending import pending_effects
from pipeline.pending_judge import PendingEffect, Verdict
from tests.devnet_fixtures import Devnet
from tests.pyrevm_node import specs_of, tokens_of

ETHEREUM = load_network("ethereum")
V3_ROUTER = "0xe592427a0aece92de3edee1f18e0157c05861564"
ARTIFACT = json.loads(
    (
        CONTRACTS / "node_modules/@uniswap/v3-periphery/artifacts/contracts/SwapRouter.sol/SwapRouter.json"
    ).read_text(encoding="utf-8")
)
ROUTER_ABI = Web3().eth.contract(abi=ARTIFACT["abi"])
VAULT_ABI = Web3().eth.contract(abi=load_artifact("Vault").abi)
FOREVER = 2**63
ETHER = 10**18


@dataclass
class PendingStage:
    """The world with Uniswap's own router at its address, a trader, and someone who listens."""

    devnet: Devnet
    provider: Provider
    mempool: Mempool
    state: MarketState
    targets: Targets

    @property
    def trader(self) -> str:
        return self.devnet.world.accounts["trader-0"].address

    def token(self, symbol: str) -> str:
        return self.devnet.world.tokens[symbol].address

    def pair(self, symbol: str) -> str:
        return self.devnet.world.pool("uniswap_v2", symbol, "WETH").address

    async def hear(self, to: str, data: bytes, value: int = 0) -> PendingTransaction:
        """Send a transaction that stays pending, and return it as the mempool heard it."""
        request = self.devnet.backend.request
        request("anvil_impersonateAccount", self.trader)
        fees = {"gas": hex(2_000_000), "maxFeePerGas": hex(10**12), "maxPriorityFeePerGas": "0x1"}
        call = {"from": self.trader, "to": to, "data": "0x" + data.hex(), "value": hex(value)}
        sent = request("eth_sendTransaction", call | fees)
        news = self.mempool.news()
        while True:
            heard = await anext(news)
            if isinstance(heard, PendingTransaction) and heard.hash.hex() == sent[2:]:
                return heard

    async def look(self, *heard: PendingTransaction, node: Any = None) -> list[PendingEffect]:
        return await pending_effects(node or self.provider, heard, self.targets, self.state, 12.0)

    async def mined(self) -> dict[str, Pool]:
        """Mine what is pending and return the pools that this changed, as the contracts tell."""
        self.devnet.backend.request("evm_mine")
        after = await self.load()
        return {key: pool for key, pool in after.pools.items() if pool != self.state.pools[key]}

    async def load(self) -> MarketState:
        world = self.devnet.world
        return await load_market(self.provider, specs_of(world), tokens_of(world))


@pytest.fixture
async def place(devnet: Devnet) -> AsyncIterator[PendingStage]:
    backend, world = devnet.backend, devnet.world
    code = bytes.fromhex(ARTIFACT["bytecode"][2:])
    terms = encode_arguments("address,address", world.v3_factory, world.weth)
    construct_at(backend, world.accounts["deployer"].address, V3_ROUTER, code + terms)
    for token in world.tokens.values():
        approve(backend, world.accounts["trader-0"].address, token.address, V3_ROUTER)
    targets = Targets.of(known_routers(ETHEREUM), specs_of(world))
    async with (
        Provider(devnet.anvil.http_url) as provider,
        Mempool(devnet.anvil.ws_url, provider, ETHEREUM, ManualClock(1)) as mempool,
    ):
        stage = PendingStage(devnet, provider, mempool, None, targets)  # type: ignore[arg-type]
        stage.state = await stage.load()
        await mempool.listening()
        yield stage


def encoded(name: str, *arguments: Any, abi: Any = ROUTER_ABI) -> bytes:
    """Encode with the published ABI, by the library that takes addresses with checksums only."""
    return bytes.fromhex(abi.encode_abi(name, args=[_checked(each) for each in arguments])[2:])


def _checked(value: Any) -> Any:
    if isinstance(value, str) and len(value) == 42:
        return Web3.to_checksum_address(value)
    return type(value)(map(_checked, value)) if isinstance(value, list | tuple) else value


def path(stage: PendingStage, *parts: str | int) -> bytes:
    return b"".join(
        part.to_bytes(3, "big") if isinstance(part, int) else bytes.fromhex(stage.token(part)[2:])
        for part in parts
    )


def exact_input_single(stage: PendingStage, limit: int = 0, price_limit: int = 0) -> bytes:
    terms = (stage.token("WETH"), stage.token("USDC"), 500, stage.trader, FOREVER)
    return encoded("exactInputSingle", (*terms, 70 * ETHER, limit, price_limit))


def stopped_by_price(stage: PendingStage) -> bytes:
    pool = stage.state.pools[stage.devnet.world.pool("uniswap_v3", "WETH", "USDC", 500).pool_id]
    up = stage.token("WETH") != pool.tokens[0]
    return exact_input_single(stage, price_limit=pool.sqrt_price_x96 * (10_010 if up else 9_990) // 10_000)  # type: ignore[attr-defined]


def exact_input(stage: PendingStage) -> bytes:
    way = path(stage, "USDC", 3_000, "WETH", 3_000, "DAI")
    return encoded("exactInput", (way, stage.trader, FOREVER, 90_000 * 10**6, 1))


def exact_output_single(stage: PendingStage) -> bytes:
    terms = (stage.token("WETH"), stage.token("WBTC"), 3_000, stage.trader, FOREVER)
    return encoded("exactOutputSingle", (*terms, 2 * 10**8, 100 * ETHER, 0))


def exact_output(stage: PendingStage) -> bytes:
    way = path(stage, "WBTC", 3_000, "WETH", 500, "USDC")  # an exact output is read from its end
    return encoded("exactOutput", (way, stage.trader, FOREVER, 10**8, 10**12))


def several_calls(stage: PendingStage) -> bytes:
    calls = [exact_input_single(stage), exact_input(stage), encoded("refundETH")]
    return encoded("multicall", calls)


def vault_swap(stage: PendingStage) -> bytes:
    world = stage.devnet.world
    pool = world.pool("balancer_v2", "WETH", "DAI")
    tokens = stage.token("WETH"), stage.token("DAI")
    return swap_vault(world.vault, pool.pool_id, stage.trader, *tokens, 11 * ETHER).data


def vault_batch(stage: PendingStage) -> bytes:
    """Sell to the pool, and sell what comes out back to it."""
    pool = bytes.fromhex(stage.devnet.world.pool("balancer_v2", "WETH", "DAI").pool_id[2:])
    steps = [(pool, 0, 1, 5 * ETHER, b""), (pool, 1, 0, 0, b"")]
    funds = (stage.trader, False, stage.trader, False)
    tokens = [stage.token("WETH"), stage.token("DAI")]
    return encoded("batchSwap", 0, steps, tokens, funds, [5 * ETHER, 0], FOREVER, abi=VAULT_ABI)


def vault_of(stage: PendingStage) -> str:
    return stage.devnet.world.vault


TRADES = {
    "one pool": (exact_input_single, 1),
    "one pool up to a price": (stopped_by_price, 1),
    "a path of two pools": (exact_input, 2),
    "an exact output of one pool": (exact_output_single, 1),
    "an exact output of two pools": (exact_output, 2),
    "several calls in one": (several_calls, 3),
    "a swap of the vault": (vault_swap, 1),
    "a batch of the vault": (vault_batch, 1),
}


@pytest.mark.parametrize("name", TRADES)
async def test_what_is_predicted_is_what_the_chain_does(place: PendingStage, name: str) -> None:
    trade, count = TRADES[name]
    heard = await place.hear(vault_of(place) if "vault" in name else V3_ROUTER, trade(place))
    (effect,) = await place.look(heard)
    assert (effect.verdict, effect.source, effect.reason) == (Verdict.AGREES, "decoded", None)
    assert len(effect.pools) == count
    assert await place.mined() == effect.pools


async def test_ether_that_goes_along_is_wrapped_and_traded(place: PendingStage) -> None:
    data = encoded("multicall", [exact_input_single(place), encoded("refundETH")])
    heard = await place.hear(V3_ROUTER, data, value=80 * ETHER)
    (effect,) = await place.look(heard)
    assert effect.verdict is Verdict.AGREES
    assert await place.mined() == effect.pools


async def test_a_pair_that_is_called_directly_may_have_been_paid_more_than_it_asks(
    place: PendingStage,
) -> None:
    """Calldata does not tell what the pair was paid; the simulation does, and is believed."""
    pair, spec = place.pair("USDC"), place.targets.pools[place.pair("USDC")]
    give = encode_call("transfer(address,uint256)", pair, 7 * ETHER)
    assert place.devnet.backend.send(place.trader, place.token("WETH"), give).ok
    place.state = await place.load()
    wanted = (1_000 * 10**6, 0) if spec.tokens[0] == place.token("USDC") else (0, 1_000 * 10**6)
    ask = encode_call("swap(uint256,uint256,address,bytes)", *wanted, place.trader, b"")
    (effect,) = await place.look(await place.hear(pair, ask))
    assert (effect.verdict, effect.source) == (Verdict.DIFFERS, "simulated")
    assert effect.reason is not None
    assert effect.reason.reason is Reason.PENDING_DIFFERS
    assert pair in effect.reason.detail
    assert await place.mined() == effect.pools


async def test_a_contract_that_nobody_knows_is_judged_by_simulation_alone(place: PendingStage) -> None:
    pair = place.pair("WBTC")
    call = swap_v2(place.devnet.world.flow_trader, pair, True, 10**7)
    (effect,) = await place.look(await place.hear(call.to, call.data))
    assert (effect.verdict, effect.source) == (Verdict.UNDECODED, "simulated")
    assert effect.reason is not None
    assert effect.reason.reason is Reason.PENDING_UNKNOWN_TARGET
    assert list(effect.pools) == [pair]
    assert await place.mined() == effect.pools


async def test_a_limit_that_is_not_met_reverts_in_the_simulation_and_on_the_chain(
    place: PendingStage,
) -> None:
    heard = await place.hear(V3_ROUTER, exact_input_single(place, limit=10**15))
    (effect,) = await place.look(heard)
    assert (effect.verdict, dict(effect.pools)) == (Verdict.REVERTS, {})
    assert effect.reason is not None
    assert effect.reason.reason is Reason.PENDING_REVERTS
    assert await place.mined() == {}


async def test_what_cannot_touch_our_pools_costs_the_node_nothing(place: PendingStage) -> None:
    elsewhere = encoded(
        "exactInputSingle",
        (place.token("WETH"), place.token("DAI"), 10_000, place.trader, FOREVER, ETHER, 0, 0),
    )
    payment = await place.hear(place.devnet.world.accounts["trader-1"].address, b"", value=1)
    swap = await place.hear(V3_ROUTER, elsewhere)

    class Silent:
        async def attempt(self, requests: Sequence[Any]) -> list[Any]:
            raise AssertionError("nothing is to be asked")

    effects = await place.look(payment, swap, node=Silent())
    assert [effect.verdict for effect in effects] == [Verdict.UNJUDGED] * 2
    reasons = [effect.reason.reason for effect in effects if effect.reason]
    assert reasons == [Reason.PENDING_UNKNOWN_TARGET, Reason.PENDING_UNKNOWN_POOL]


class Unable:
    """A node without ``eth_simulateV1``, or with another idea of its answer, or away."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    async def attempt(self, requests: Sequence[Any]) -> list[Any]:
        if self.answer is None:
            raise RpcError("no answer", code=None)
        return [self.answer] * len(requests)


@pytest.mark.parametrize(
    "answer", [None, RpcError("no such method", code=-32601), [], "0x", [{"calls": [{}]}]]
)
async def test_without_a_judge_the_prediction_is_kept_and_called_unjudged(
    place: PendingStage, answer: Any
) -> None:
    heard = await place.hear(V3_ROUTER, exact_input(place))
    (effect,) = await place.look(heard, node=Unable(answer))
    assert (effect.verdict, effect.source) == (Verdict.UNJUDGED, "decoded")
    assert effect.reason is not None
    assert effect.reason.reason is Reason.PENDING_UNJUDGED
    assert await place.mined() == effect.pools


async def test_each_transaction_is_looked_at_as_if_it_came_next(place: PendingStage) -> None:
    heard = [await place.hear(V3_ROUTER, exact_input_single(place)) for _ in range(3)]
    effects = await place.look(*heard)
    assert [effect.transaction_hash for effect in effects] == [each.hash for each in heard]
    assert effects[0].pools == effects[1].pools == effects[2].pools


async def test_a_market_without_a_head_cannot_be_looked_ahead_from(place: PendingStage) -> None:
    place.state = MarketState([], {})
    with pytest.raises(MarketError, match="no head"):
        await place.look()
