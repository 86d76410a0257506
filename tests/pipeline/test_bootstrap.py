"""Loading a market from a node: the real contracts' state, complete, at one block."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from chain.blocks import BlockHeader
from chain.devnet.backend import PyrevmBackend
from chain.devnet.calldata import decode_result, encode_call
from chain.devnet.flow import burn_v3, mint_v3, swap_v2, swap_v3
from chain.devnet.world import World
from chain.providers import Provider
from core.errors import MarketError, RpcError
from market.pools.uniswap_v2 import UniswapV2Pool
from market.pools.uniswap_v3 import UniswapV3Pool
from market.pools.weighted import WeightedPool
from pipeline.bootstrap import load_market, read_pools
from tests.devnet_fixtures import Devnet
from tests.pyrevm_node import PyrevmNode, specs_of, tokens_of


async def test_every_pool_of_the_world_has_the_contracts_state(
    pyrevm_world: tuple[PyrevmBackend, World],
) -> None:
    backend, world = pyrevm_world
    state = await load_market(PyrevmNode(backend), specs_of(world), tokens_of(world))
    assert [pool.spec for pool in state.pools.values()] == list(specs_of(world))
    assert state.head is not None
    assert state.head.number == backend.number
    for pool in state.pools.values():
        if isinstance(pool, UniswapV2Pool):
            answer = backend.call(pool.address, encode_call("getReserves()"))
            assert decode_result("uint256,uint256", answer[:64]) == (pool.reserve0, pool.reserve1)
        elif isinstance(pool, UniswapV3Pool):
            assert_ticks_are_consistent(pool)
        else:
            assert isinstance(pool, WeightedPool)
            assert min(pool.balances) > 0


def assert_ticks_are_consistent(pool: UniswapV3Pool) -> None:
    """Sums over the whole map only fit if no tick is missing."""
    assert pool.known is None
    assert sum(pool.ticks.values()) == 0
    assert sum(net for tick, net in pool.ticks.items() if tick <= pool.tick) == pool.liquidity > 0


async def test_ticks_at_both_ends_of_the_range_are_found(pyrevm_world: tuple[PyrevmBackend, World]) -> None:
    backend, world = pyrevm_world
    lp = world.accounts["lp"].address
    spec = next(spec for spec in specs_of(world) if spec.tick_spacing == 60)
    minted = mint_v3(world.flow_trader, spec.address, -887220, 887220, 10**9)
    assert backend.send(lp, minted.to, minted.data).ok
    state = await load_market(PyrevmNode(backend), [spec], tokens_of(world))
    assert state.pools[spec.pool_id].ticks[-887220] == 10**9  # type: ignore[attr-defined]
    assert state.pools[spec.pool_id].ticks[887220] == -(10**9)  # type: ignore[attr-defined]
    burnt = burn_v3(spec.address, -887220, 887220, 10**9)
    assert backend.send(lp, burnt.to, burnt.data).ok
    state = await load_market(PyrevmNode(backend), [spec], tokens_of(world))
    assert -887220 not in state.pools[spec.pool_id].ticks  # type: ignore[attr-defined]


async def test_a_node_and_an_evm_in_the_process_give_the_same_market(
    devnet: Devnet, pyrevm_world: tuple[PyrevmBackend, World]
) -> None:
    backend, world = pyrevm_world
    async with Provider(devnet.anvil.http_url) as provider:
        over_http = await load_market(provider, specs_of(devnet.world), tokens_of(devnet.world))
    inside = await load_market(PyrevmNode(backend), specs_of(world), tokens_of(world))
    assert dict(over_http.pools) == dict(inside.pools)


async def test_an_earlier_block_gives_its_own_state(devnet: Devnet) -> None:
    world = devnet.world
    pair, pool = (world.pool("uniswap_v2", "WETH", "USDC"), world.pool("uniswap_v3", "WETH", "USDC", 500))
    trader = world.accounts["trader-0"].address
    async with Provider(devnet.anvil.http_url) as provider:
        before = await load_market(provider, specs_of(world), tokens_of(world))
        assert before.head is not None
        for call in (
            swap_v2(world.flow_trader, pair.address, True, 10**9),
            swap_v3(world.flow_trader, pool.address, True, 10**9),
        ):
            assert devnet.backend.send(trader, call.to, call.data).ok
        after = await load_market(provider, specs_of(world), tokens_of(world))
        again = await load_market(provider, specs_of(world), tokens_of(world), before.head.number)
    assert dict(again.pools) == dict(before.pools)
    assert again.head == before.head
    changed = {pool_id for pool_id in after.pools if after.pools[pool_id] != before.pools[pool_id]}
    assert changed == {pair.pool_id, pool.pool_id}


async def test_a_block_that_does_not_exist_is_named(pyrevm_world: tuple[PyrevmBackend, World]) -> None:
    backend, world = pyrevm_world
    with pytest.raises(MarketError, match="no block 999999"):
        await load_market(PyrevmNode(backend), specs_of(world), tokens_of(world), 999_999)


async def test_an_address_that_is_no_pool_and_a_wrong_description_are_named(
    pyrevm_world: tuple[PyrevmBackend, World],
) -> None:
    backend, world = pyrevm_world
    node, tokens = PyrevmNode(backend), tokens_of(world)
    pair, weighted = specs_of(world)[0], specs_of(world)[-1]
    with pytest.raises(MarketError, match="did not answer as a pool") as missing:
        await load_market(node, [replace(pair, address="0x" + "99" * 20)], tokens)
    assert missing.value.fields["pool_id"] == pair.pool_id
    with pytest.raises(MarketError, match="not a family"):
        await load_market(node, [replace(pair, family="curve")], tokens)
    with pytest.raises(MarketError, match="lists other tokens"):
        await load_market(node, [replace(weighted, tokens=weighted.tokens[::-1])], tokens)
    with pytest.raises(MarketError, match="incomplete"):
        await load_market(node, [weighted], {})


class Lying(PyrevmNode):
    """A node that answers something else than the contract would."""

    def __init__(self, backend: PyrevmBackend, answer: Callable[[str], Any]) -> None:
        super().__init__(backend)
        self.answer = answer

    async def attempt(self, requests: Sequence[tuple[str, Sequence[Any]]]) -> list[Any | RpcError]:
        return [self.answer(params[0]["data"]) for _, params in requests]


@pytest.mark.parametrize("answer", [None, 5, "0xzz"])
async def test_an_answer_that_is_no_hex_is_an_error_of_the_node(
    pyrevm_world: tuple[PyrevmBackend, World], answer: Any
) -> None:
    backend, world = pyrevm_world
    with pytest.raises(RpcError, match="no hex") as error:
        await load_market(Lying(backend, lambda _data: answer), specs_of(world), tokens_of(world))
    assert error.value.fields["pool_id"] == specs_of(world)[0].pool_id


@pytest.mark.parametrize("answer", ["0x", "0x01", "0x" + "00" * 31])
async def test_an_answer_that_is_no_word_is_an_error_of_the_pool(
    pyrevm_world: tuple[PyrevmBackend, World], answer: Any
) -> None:
    backend, world = pyrevm_world
    with pytest.raises(MarketError, match="did not answer as a pool"):
        await load_market(Lying(backend, lambda _data: answer), specs_of(world), tokens_of(world))


@pytest.mark.parametrize("words", [1, 2, 3, 9])
async def test_words_that_make_no_pool_are_an_error_of_the_market(
    pyrevm_world: tuple[PyrevmBackend, World], words: int
) -> None:
    backend, world = pyrevm_world
    lying = Lying(backend, lambda _data: "0x" + "ff" * 32 * words)
    for spec in specs_of(world):
        with pytest.raises(MarketError):
            await load_market(lying, [spec], tokens_of(world))


async def test_a_pool_that_cannot_be_read_does_not_keep_the_others_from_being_read(
    pyrevm_world: tuple[PyrevmBackend, World],
) -> None:
    backend, world = pyrevm_world
    node, specs = PyrevmNode(backend), list(specs_of(world))
    state = await load_market(node, specs, tokens_of(world))
    assert state.head is not None
    specs[1] = replace(specs[1], address="0x" + "99" * 20)
    found = await read_pools(node, specs, tokens_of(world), state.head)
    assert list(found) == [spec.pool_id for spec in specs]
    lost = found.pop(specs[1].pool_id)
    assert isinstance(lost, MarketError)
    assert found == {pool_id: pool for pool_id, pool in state.pools.items() if pool_id in found}


async def test_a_block_that_was_replaced_is_not_read_half_of_one_and_half_of_the_other(
    devnet: Devnet,
) -> None:
    world = devnet.world
    call = swap_v2(world.flow_trader, world.pool("uniswap_v2", "WETH", "USDC").address, True, 10**9)
    async with Provider(devnet.anvil.http_url) as provider:
        before = await load_market(provider, specs_of(world), tokens_of(world))
        assert devnet.backend.send(world.accounts["trader-0"].address, call.to, call.data).ok
        state = await load_market(provider, specs_of(world), tokens_of(world))
        assert before.head is not None
        assert state.head is not None
        await provider.call("anvil_rollback", [1])
        await provider.call("evm_mine", [])
        gone = await read_pools(provider, specs_of(world), tokens_of(world), state.head)
        still = await read_pools(provider, specs_of(world), tokens_of(world), before.head)
    assert all(isinstance(error, RpcError) for error in gone.values())
    assert still == dict(before.pools)


async def test_the_next_block_applies_to_what_was_loaded(pyrevm_world: tuple[PyrevmBackend, World]) -> None:
    backend, world = pyrevm_world
    node = PyrevmNode(backend)
    state = await load_market(node, specs_of(world), tokens_of(world))
    pair = world.pool("sushiswap", "WETH", "WBTC")
    call = swap_v2(world.flow_trader, pair.address, True, 10**6)
    block = node.block(backend.send(world.accounts["trader-1"].address, call.to, call.data))
    assert state.apply(block).touched == (pair.pool_id,)
    assert isinstance(state.head, BlockHeader)
    fresh = await load_market(node, specs_of(world), tokens_of(world))
    assert dict(state.pools) == dict(fresh.pools)
