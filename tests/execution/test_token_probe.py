"""The token probe on real pools: every bad manner is found, good tokens pass, no trap stops it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from eth_utils.crypto import keccak
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chain.devnet.backend import PyrevmBackend
from chain.devnet.calldata import decode_result, encode_arguments, encode_call
from chain.devnet.world import World, build_world
from chain.providers import Provider
from core.errors import InputError, RpcError, SimulationError
from core.reasons import Reason, Refusal
from execution.token_history import TokenHistory
from execution.token_probe import FRESH_HOLDER, ProbeOrder, TokenProber, prepare
from execution.token_runs import HELD_BLOCKS, NodeRunner
from market.pools.spec import PoolSpec
from market.token_behaviour import TokenBehaviour
from tests.devnet_fixtures import Devnet
from tests.token_bench import ETHER, EVERY_KIND, Bench, clean, fee_token, honeypot

ORDER_WORDS = 12


class OldNode:
    """A node without ``eth_simulateV1``, which we cannot run: a real one behind a door."""

    def __init__(self, provider: Provider, call: str = "overrides") -> None:
        self.provider = provider
        self.eth_call = call

    async def call(self, method: str, params: list[Any]) -> Any:
        if method == "eth_simulateV1":
            raise RpcError(
                "refused", method=method, code=-32601, message="the method does not exist", data=None
            )
        if method == "eth_call" and self.eth_call == "ignores":
            params = params[:2]
        if method == "eth_call" and self.eth_call == "refuses":
            raise RpcError("refused", method=method, code=-32602, message="too many arguments", data=None)
        return await self.provider.call(method, params)


class ForgetfulNode:
    """A node that keeps the state of one block only, which we cannot run: a real one behind a door."""

    def __init__(self, provider: Provider, kept: int) -> None:
        self.provider = provider
        self.kept = kept

    async def call(self, method: str, params: list[Any]) -> Any:
        if method == "eth_call" and int(params[1], 16) < self.kept:
            raise RpcError("refused", method=method, code=-32000, message="missing trie node", data=None)
        return await self.provider.call(method, params)


@pytest.fixture
def bench(pyrevm_world: tuple[PyrevmBackend, World]) -> Bench:
    return Bench(*pyrevm_world)


@pytest.fixture
def node_bench(devnet: Devnet) -> Bench:
    return Bench(devnet.backend, devnet.world)


@pytest.fixture
async def provider(devnet: Devnet) -> AsyncIterator[Provider]:
    async with Provider(devnet.anvil.http_url) as opened:
        yield opened


@pytest.fixture(scope="module")
def fee_bench() -> dict[bool, tuple[Bench, ProbeOrder]]:
    """Put a taxed token on a pair and on a Uniswap V3 pool, in one world for all examples."""
    backend = PyrevmBackend()
    bench = Bench(backend, build_world(backend))
    return {where: (bench, fee_token(bench, 0, 0, 0, concentrated=where)) for where in (False, True)}


@contextmanager
def undone(bench: Bench) -> Iterator[None]:
    """Undo in the process what happens inside."""
    assert isinstance(bench.backend, PyrevmBackend)
    backend = bench.backend
    mark, number, timestamp = backend.evm.snapshot(), backend.number, backend.timestamp
    yield
    backend.evm.revert(mark)
    backend.number, backend.timestamp = number, timestamp


def perform_call(together: bytes) -> bytes:
    """Make of a call of all steps a call of the step that spends, the way the probe calls itself."""
    order = together[4 : 4 + 32 * ORDER_WORDS]
    pool = "(address,bool,uint256,uint256)"
    signature = f"perform((address,address,address,{pool},{pool},uint256),uint8)"
    return keccak(text=signature)[:4] + order + (5).to_bytes(32, "big")


@pytest.mark.parametrize("kind", EVERY_KIND)
async def test_every_kind_of_token_is_known_for_what_it_is(bench: Bench, kind: str) -> None:
    make, reason = EVERY_KIND[kind]
    found = await bench.in_process(make(bench))
    assert isinstance(found, TokenBehaviour)
    assert (found.reason, found.held_blocks) == (reason, HELD_BLOCKS), found.detail
    assert bool(found.detail) == (not found.behaves)


async def test_a_node_finds_the_same_as_the_evm_in_this_process(
    node_bench: Bench, bench: Bench, provider: Provider
) -> None:
    for kind, (make, _) in EVERY_KIND.items():
        mark = node_bench.backend.snapshot()
        on_node = await TokenProber(NodeRunner(provider)).probe(make(node_bench), node_bench.block)
        node_bench.backend.revert(mark)
        with undone(bench):
            here = await bench.in_process(make(bench))
        assert isinstance(on_node, TokenBehaviour)
        assert isinstance(here, TokenBehaviour)
        numbers = [
            (found.buy_tax_ppm, found.sell_tax_ppm, found.transfer_tax_ppm) for found in (on_node, here)
        ]
        assert (on_node.reason, numbers[0]) == (here.reason, numbers[1]), kind


async def test_without_simulated_blocks_one_call_tells_all_but_what_time_tells(
    node_bench: Bench, provider: Provider
) -> None:
    in_one_block = {"same_block": Reason.HONEYPOT}
    prober = TokenProber(NodeRunner(OldNode(provider)))
    for kind, (make, reason) in EVERY_KIND.items():
        mark = node_bench.backend.snapshot()
        found = await prober.probe(make(node_bench), node_bench.block)
        node_bench.backend.revert(mark)
        assert isinstance(found, TokenBehaviour)
        assert (found.reason, found.held_blocks) == (in_one_block.get(kind, reason), 0), kind


async def test_a_node_that_cannot_pretend_code_is_refused(node_bench: Bench, provider: Provider) -> None:
    order = clean(node_bench)
    for call in ("ignores", "refuses"):
        found = await TokenProber(NodeRunner(OldNode(provider, call))).probe(order, node_bench.block)
        assert isinstance(found, Refusal)
        assert found.reason is Reason.OVERRIDES_NOT_SUPPORTED


async def test_a_node_that_is_away_or_lacks_the_block_is_an_error(
    node_bench: Bench, provider: Provider
) -> None:
    order = clean(node_bench)
    with pytest.raises(SimulationError, match="does not know the block"):
        await TokenProber(NodeRunner(provider)).probe(order, node_bench.block + 100)
    async with Provider("http://127.0.0.1:9", attempts=1) as nobody:
        with pytest.raises(RpcError):
            await TokenProber(NodeRunner(nobody)).probe(order, node_bench.block)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    fees=st.tuples(*[st.integers(1, 499_999)] * 3),
    concentrated=st.booleans(),
)
def test_the_measured_fee_is_the_fee_of_the_token(
    fee_bench: dict[bool, tuple[Bench, ProbeOrder]], fees: tuple[int, int, int], concentrated: bool
) -> None:
    bench, order = fee_bench[concentrated]
    bench.tell(order.token, "setFees(uint256,uint256,uint256,bool)", *fees, False)
    found = asyncio.run(bench.in_process(order))
    assert isinstance(found, TokenBehaviour)
    assert (found.buy_tax_ppm, found.sell_tax_ppm, found.transfer_tax_ppm) == fees
    assert found.reason is Reason.FEE_ON_TRANSFER


@pytest.mark.parametrize("make", [Bench.pair, Bench.pool])
async def test_a_token_that_calls_back_into_the_probe_changes_nothing(
    bench: Bench, make: Callable[[Bench, str], PoolSpec]
) -> None:
    order = bench.bad_token("ReentrantToken", make)
    trial = prepare(order)
    assert not isinstance(trial, Refusal)
    callback = "uniswapV3SwapCallback(int256,int256,bytes)"
    for message in (
        *trial.apart,
        trial.together,
        encode_call(callback, 10**15, 0, b""),
        encode_call(callback, 0, 10**15, b""),
        encode_call("giveBack(address,uint256)", order.token, 10**15),
        perform_call(trial.together),
    ):
        bench.tell(order.token, "addMessage(bytes)", message)
    bench.tell(order.token, "setFees(uint256,uint256,uint256,bool)", 10_000, 20_000, 30_000, False)
    found = await bench.in_process(order)
    assert isinstance(found, TokenBehaviour)
    assert (found.buy_tax_ppm, found.sell_tax_ppm, found.transfer_tax_ppm) == (10_000, 20_000, 30_000)


async def test_a_blacklist_that_names_the_executor_shows_and_its_storage_does_not_disturb(
    bench: Bench,
) -> None:
    order = bench.bad_token("BlacklistToken")
    executor = bench.deploy(
        "OmniArbExecutor",
        encode_arguments(
            "address,address,address,address", bench.world.weth, bench.world.vault, bench.owner, bench.owner
        ),
    )
    order = replace(order, holder=executor)
    code = bench.backend.get_code(executor)
    before = await bench.in_process(order)
    bench.tell(order.token, "setBlacklisted(address,bool)", executor, True)
    found = await bench.in_process(order)
    unnamed = await bench.in_process(replace(order, holder=FRESH_HOLDER))
    assert isinstance(before, TokenBehaviour)
    assert before.behaves
    assert isinstance(found, TokenBehaviour)
    assert found.reason is Reason.BLACKLISTED
    assert executor in found.detail
    assert isinstance(unnamed, TokenBehaviour)
    assert unnamed.behaves
    assert bench.backend.get_code(executor) == code
    (owner,) = decode_result("address", bench.backend.call(executor, encode_call("owner()")))
    assert owner == bench.owner


async def test_a_token_behind_another_hub_is_bought_with_what_the_funding_pool_gives(bench: Bench) -> None:
    token = bench.good_token()
    pool = bench.pair(token, hub="DAI")
    for venue in ("uniswap_v2", "uniswap_v3"):
        made = bench.world.pool(venue, "DAI", "WETH")
        funding = PoolSpec(made.family, made.pool_id, made.address, made.tokens, made.fee)
        found = await bench.in_process(bench.order(token, pool, funding=funding))
        assert isinstance(found, TokenBehaviour)
        assert found.behaves


async def test_orders_that_cannot_be_carried_out_say_why(bench: Bench) -> None:
    token = bench.good_token()
    behind_dai, empty = bench.pair(token, hub="DAI"), bench.pair(token, units=0)
    weighted = replace(empty, family="weighted")
    other = bench.order(bench.world.tokens["USDC"].address, empty)
    for order, told in (
        (bench.order(token, behind_dai), "no pool named"),
        (bench.order(token, behind_dai, funding=empty), "no pool named"),
        (bench.order(token, weighted), "a pool of weighted"),
        (other, "does not trade"),
        (bench.order(token, empty), "nothing to sell"),
        (bench.order(token, empty, wrapped_native=bench.world.weth, amount_wei=0), "no hub tokens"),
    ):
        found = await bench.in_process(order)
        assert isinstance(found, Refusal), order
        assert found.reason is Reason.PROBE_IMPOSSIBLE
        assert told in found.detail
    nowhere = replace(empty, address="0x12")
    for changes in ({"amount_wei": -1}, {"amount_wei": 2**256}, {"pool": nowhere}):
        with pytest.raises(InputError, match="cannot be encoded"):
            prepare(replace(bench.order(token, empty), **changes))


async def test_what_a_token_says_when_it_reverts_is_shown_without_tricks(bench: Bench) -> None:
    found = await bench.in_process(honeypot(bench, "floods"))
    assert isinstance(found, TokenBehaviour)
    assert found.detail.isprintable()
    assert len(found.detail) < 250


async def test_a_token_that_rebases_by_a_call_is_found_in_its_past(
    node_bench: Bench, provider: Provider
) -> None:
    order = node_bench.bad_token("RebasingToken")
    prober = TokenProber(NodeRunner(provider), TokenHistory(provider, blocks=20))
    before = await prober.probe(order, node_bench.block)
    node_bench.tell(order.token, "rebase(uint256,uint256)", ETHER // 2, 0)
    node_bench.tell(order.pool.address, "sync()")
    unseen = await TokenProber(NodeRunner(provider)).probe(order, node_bench.block)
    found = await prober.probe(order, node_bench.block)
    assert isinstance(before, TokenBehaviour)
    assert before.behaves, "the pool's first tokens were announced"
    assert isinstance(unseen, TokenBehaviour)
    assert unseen.behaves
    assert isinstance(found, TokenBehaviour)
    assert found.reason is Reason.REBASING
    assert f"changed by {-500 * ETHER} without" in found.detail


async def test_a_node_that_forgot_the_past_leaves_the_verdict_and_says_so(
    node_bench: Bench, provider: Provider
) -> None:
    order = clean(node_bench)
    history = TokenHistory(ForgetfulNode(provider, node_bench.block), blocks=20)
    found = await TokenProber(NodeRunner(provider), history).probe(order, node_bench.block)
    assert isinstance(found, TokenBehaviour)
    assert found.behaves
    assert found.detail == "its past is not known: missing trie node"
