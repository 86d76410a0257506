"""Every pool family against the real contracts in an EVM: to the wei, in both directions, state included."""

from __future__ import annotations

import asyncio
import math

import numpy as np
import pytest

from chain.devnet.backend import PyrevmBackend, Receipt
from chain.devnet.calldata import encode_arguments, encode_call
from chain.devnet.flow import burn_v3, mint_v3, swap_v3, swap_vault
from chain.devnet.protocols import WEIGHTED_POOL_FACTORY
from chain.devnet.world import World, approve, balance_of, build_world, fund
from core.errors import DevnetError, SwapRefused
from core.reasons import Reason
from market.events import V3Swap, VaultSwap
from market.invariants import SwapCheck, check_swap
from market.pools.pool import Pool, Swap
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import UniswapV2Pool
from market.pools.uniswap_v3 import UniswapV3Pool
from market.pools.v3_math import sqrt_ratio_at_tick
from market.pools.weighted import WeightedPool
from market.state import Applied, MarketState
from pipeline.bootstrap import load_market
from tests.pyrevm_node import PyrevmNode, specs_of, tokens_of

SWAPS = 2_000
RELOAD_EVERY = 250


class Chain:
    """The world in an EVM, and our market state that follows it by its logs only."""

    def __init__(self) -> None:
        self.backend = PyrevmBackend()
        self.world: World = build_world(self.backend)
        self.node = PyrevmNode(self.backend)
        self.trader = self.world.accounts["trader-0"].address
        for symbol, amount in (("WETH", 10**26), ("DAI", 10**30), ("USDC", 10**18), ("WBTC", 10**18)):
            fund(self.backend, self.world, self.trader, symbol, amount)
        self.state = self.load()

    def load(self) -> MarketState:
        return asyncio.run(load_market(self.node, specs_of(self.world), tokens_of(self.world)))

    def send(self, to: str, data: bytes) -> tuple[Receipt, Applied]:
        receipt = self.backend.send(self.trader, to, data)
        return receipt, self.state.apply(self.node.block(receipt))

    def assert_state_is_the_chains(self) -> None:
        assert dict(self.load().pools) == dict(self.state.pools)


@pytest.fixture
def chain() -> Chain:
    return Chain()


def log_uniform(rng: np.random.Generator, low: float, high: float) -> int:
    return int(10 ** rng.uniform(math.log10(low), math.log10(high)))


def swap_or_reason(pool: Pool, token_in: str, token_out: str, amount_in: int) -> Swap | Reason:
    try:
        return pool.swap(token_in, token_out, amount_in)
    except SwapRefused as refused:
        reason: Reason = refused.fields["reason"]
        return reason


def pools_of(chain: Chain, family: type) -> list[str]:
    return [pool_id for pool_id, pool in chain.state.pools.items() if isinstance(pool, family)]


def test_a_pair_pays_exactly_what_we_say_and_not_one_unit_more(chain: Chain) -> None:
    rng = np.random.default_rng(1)
    ids = pools_of(chain, UniswapV2Pool)
    done = 0
    for step in range(SWAPS):
        pool = chain.state.pools[ids[rng.integers(len(ids))]]
        assert isinstance(pool, UniswapV2Pool)
        zero_in = bool(rng.integers(2))
        token_in, token_out = pool.tokens if zero_in else pool.tokens[::-1]
        amount_in = log_uniform(rng, 1, 3 * (pool.reserve0 if zero_in else pool.reserve1))
        swap = swap_or_reason(pool, token_in, token_out, amount_in)
        if isinstance(swap, Reason):
            assert swap is Reason.AMOUNT_TOO_SMALL
            assert not pool.accepts(token_in, token_out, amount_in, 1)
            continue
        before = balance_of(chain.backend, token_out, chain.trader)
        chain.send(token_in, encode_call("transfer(address,uint256)", pool.address, amount_in))
        assert_pair_refuses(chain, pool.address, zero_in, swap.amount_out + 1)
        receipt, applied = chain.send(pool.address, pair_swap(chain, zero_in, swap.amount_out))
        assert receipt.ok
        assert applied.touched == (pool.pool_id,)
        assert applied.unknown == 0
        assert chain.state.pools[pool.pool_id] == swap.pool
        assert balance_of(chain.backend, token_out, chain.trader) == before + swap.amount_out
        done += 1
        if step % RELOAD_EVERY == 0:
            chain.assert_state_is_the_chains()
    assert done > SWAPS * 0.8


def pair_swap(chain: Chain, zero_in: bool, amount_out: int) -> bytes:
    outs = (0, amount_out) if zero_in else (amount_out, 0)
    return encode_call("swap(uint256,uint256,address,bytes)", *outs, chain.trader, b"")


def assert_pair_refuses(chain: Chain, pair: str, zero_in: bool, amount_out: int) -> None:
    with pytest.raises(DevnetError, match="reverted"):
        chain.backend.call(pair, pair_swap(chain, zero_in, amount_out), chain.trader)


def test_the_input_asked_for_an_output_passes_the_pairs_check_and_two_units_less_do_not(chain: Chain) -> None:
    rng = np.random.default_rng(2)
    ids = pools_of(chain, UniswapV2Pool)
    for _ in range(200):
        pool = chain.state.pools[ids[rng.integers(len(ids))]]
        assert isinstance(pool, UniswapV2Pool)
        zero_in = bool(rng.integers(2))
        token_in, token_out = pool.tokens if zero_in else pool.tokens[::-1]
        wanted = log_uniform(rng, 1, 0.9 * (pool.reserve1 if zero_in else pool.reserve0))
        paid = pool.amount_in(token_in, token_out, wanted)
        assert pool.accepts(token_in, token_out, paid, wanted)
        assert not pool.accepts(token_in, token_out, paid - 2, wanted)
        chain.send(token_in, encode_call("transfer(address,uint256)", pool.address, paid))
        receipt, _ = chain.send(pool.address, pair_swap(chain, zero_in, wanted))
        assert receipt.ok


def test_a_v3_pool_walks_its_ticks_exactly_as_we_do(chain: Chain) -> None:
    rng = np.random.default_rng(3)
    ids = pools_of(chain, UniswapV3Pool)
    crossed = words = partial = 0
    for step in range(SWAPS):
        pool = chain.state.pools[ids[rng.integers(len(ids))]]
        assert isinstance(pool, UniswapV3Pool)
        if rng.random() < 0.1 and abs(pool.tick) < 400_000:
            change_liquidity(chain, pool, rng)
            continue
        falls = bool(rng.integers(2))
        amount = v3_amount(pool, falls, rng)
        walk = pool.walk(falls, amount)
        if not walk.amount_in and not walk.amount_out:
            continue
        call = swap_v3(chain.world.flow_trader, pool.address, falls, amount % 2**256)
        receipt, applied = chain.send(call.to, call.data)
        assert receipt.ok
        (event,) = applied.events
        assert isinstance(event, V3Swap)
        expected = (walk.amount_in, -walk.amount_out) if falls else (-walk.amount_out, walk.amount_in)
        assert (event.amount0, event.amount1) == expected
        assert chain.state.pools[pool.pool_id] == walk.pool
        assert check_swap(pool, event) == SwapCheck(True, walk.crossed, "")
        crossed += walk.crossed
        words += walk.steps - walk.crossed > 1
        partial += walk.remaining != 0
        if step % RELOAD_EVERY == 0:
            chain.assert_state_is_the_chains()
    assert crossed > SWAPS / 10
    assert words > SWAPS / 50
    assert partial > 5


def v3_amount(pool: UniswapV3Pool, falls: bool, rng: np.random.Generator) -> int:
    """Return an exact input (positive) or output (negative) between dust and far beyond the pool."""
    scale = max(pool.liquidity, 10**12)
    root = pool.sqrt_price_x96 / 2**96
    size = rng.uniform(-9, 0.3 if rng.random() < 0.9 else 3)
    exact_in = bool(rng.integers(2))
    in_token0 = falls if exact_in else not falls
    amount = max(1, int(scale * 10**size / root if in_token0 else scale * 10**size * root))
    return min(amount, 10**27) if exact_in else -min(amount, 10**27)


@pytest.mark.parametrize("tick", [-887_200, 880_000, 887_200])
def test_prices_at_the_ends_of_the_range_match_too(chain: Chain, tick: int) -> None:
    """The price's bounds stop the search for ticks, and one unit is worth 2**128 of the other."""
    world, backend, trader = chain.world, chain.backend, chain.trader
    tokens = (world.tokens["DAI"].address, world.tokens["USDC"].address)
    for symbol in ("DAI", "USDC"):
        fund(backend, world, trader, symbol, 2**200)
        approve(backend, trader, world.tokens[symbol].address, world.flow_trader)
    create = encode_call("createPool(address,address,uint24)", *tokens, 500)
    assert backend.send(trader, world.v3_factory, create).ok
    find = encode_call("getPool(address,address,uint24)", *tokens, 500)
    address = "0x" + backend.call(world.v3_factory, find)[12:].hex()
    start = sqrt_ratio_at_tick(tick) + 12_345
    assert backend.send(trader, address, encode_call("initialize(uint160)", start)).ok
    minted = mint_v3(world.flow_trader, address, -887_270, 887_270, 3**60)
    assert backend.send(trader, minted.to, minted.data).ok
    spec = PoolSpec("uniswap_v3", address, address, tokens, 500, tick_spacing=10)
    chain.state = asyncio.run(load_market(chain.node, [spec], tokens_of(world)))
    rng = np.random.default_rng(6)
    for _ in range(120):
        pool = chain.state.pools[address]
        assert isinstance(pool, UniswapV3Pool)
        falls = bool(rng.integers(2))
        walk = pool.walk(falls, int(2 ** rng.uniform(1, 160)))
        if walk.amount_in == 0:
            continue
        call = swap_v3(world.flow_trader, address, falls, walk.amount_in + walk.remaining)
        receipt, applied = chain.send(call.to, call.data)
        assert receipt.ok
        assert chain.state.pools[address] == walk.pool
        (event,) = applied.events
        assert check_swap(pool, event) == SwapCheck(True, walk.crossed, "")


def change_liquidity(chain: Chain, pool: UniswapV3Pool, rng: np.random.Generator) -> None:
    """Mint between random ticks near the price; burn all of it half of the time."""
    spacing = pool.spec.tick_spacing
    lower = (pool.tick // spacing + int(rng.integers(-40, 20))) * spacing
    upper = lower + int(rng.integers(1, 60)) * spacing
    liquidity = log_uniform(rng, 1e6, max(pool.liquidity, 10**12))
    minted = mint_v3(chain.world.flow_trader, pool.address, lower, upper, liquidity)
    receipt, applied = chain.send(minted.to, minted.data)
    assert receipt.ok
    assert applied.touched == (pool.pool_id,)
    if rng.random() < 0.5:
        burnt = burn_v3(pool.address, lower, upper, liquidity)
        receipt, _ = chain.send(burnt.to, burnt.data)
        assert receipt.ok


def test_the_vault_pays_exactly_what_we_say_for_a_weighted_pool(chain: Chain) -> None:
    rng = np.random.default_rng(4)
    (pool_id,) = pools_of(chain, WeightedPool)
    refused = 0
    for step in range(SWAPS):
        pool = chain.state.pools[pool_id]
        assert isinstance(pool, WeightedPool)
        index = int(rng.integers(2))
        token_in, token_out = pool.tokens[index], pool.tokens[1 - index]
        amount_in = log_uniform(rng, 1, pool.balances[index] * 0.4)
        call = swap_vault(pool.address, pool_id, chain.trader, token_in, token_out, amount_in)
        swap = swap_or_reason(pool, token_in, token_out, amount_in)
        if isinstance(swap, Reason):
            assert swap is Reason.AMOUNT_TOO_LARGE
            assert not chain.send(call.to, call.data)[0].ok
            refused += 1
            continue
        receipt, applied = chain.send(call.to, call.data)
        assert receipt.ok
        (event,) = applied.events
        assert isinstance(event, VaultSwap)
        assert (event.amount_in, event.amount_out) == (amount_in, swap.amount_out)
        assert chain.state.pools[pool_id] == swap.pool
        if step % RELOAD_EVERY == 0:
            chain.assert_state_is_the_chains()
    assert refused > 3


def test_a_pool_of_four_tokens_with_other_decimals_and_weights_matches_too(chain: Chain) -> None:
    """Exponents 1, 2 and 1/2 take other paths than 4 and 1/4; 6 and 8 decimals are scaled."""
    tokens = tuple(chain.world.tokens[symbol].address for symbol in ("WBTC", "DAI", "USDC", "WETH"))
    weights = (2 * 10**17, 2 * 10**17, 2 * 10**17, 4 * 10**17)
    balances = (50 * 10**8, 2_000_000 * 10**18, 2_000_000 * 10**6, 2_000 * 10**18)
    spec = create_weighted(chain, tokens, weights, balances)
    chain.state = asyncio.run(load_market(chain.node, [spec], tokens_of(chain.world)))
    rng = np.random.default_rng(5)
    for _ in range(400):
        pool = chain.state.pools[spec.pool_id]
        assert isinstance(pool, WeightedPool)
        index_in, index_out = (int(index) for index in rng.choice(4, 2, replace=False))
        amount_in = log_uniform(rng, 1, pool.balances[index_in] * 0.29)
        swap = pool.swap(tokens[index_in], tokens[index_out], amount_in)
        call = swap_vault(
            pool.address, spec.pool_id, chain.trader, tokens[index_in], tokens[index_out], amount_in
        )
        receipt, _ = chain.send(call.to, call.data)
        assert receipt.ok
        assert chain.state.pools[spec.pool_id] == swap.pool


def create_weighted(
    chain: Chain, tokens: tuple[str, ...], weights: tuple[int, ...], balances: tuple[int, ...]
) -> PoolSpec:
    signature = "create(string,string,address[],uint256[],address[],uint256,address)"
    zero = "0x" + "00" * 20
    terms = ("pool", "POOL", tokens, weights, [zero] * len(tokens), 3_000 * 10**12, zero)
    receipt = chain.backend.send(chain.trader, WEIGHTED_POOL_FACTORY, encode_call(signature, *terms))
    made = next(log for log in receipt.logs if log.address == WEIGHTED_POOL_FACTORY)
    address = "0x" + made.topics[1][12:].hex()
    pool_id = chain.backend.call(address, encode_call("getPoolId()"))
    vault = chain.world.vault
    for token in tokens:
        approve(chain.backend, chain.trader, token, vault)
    join = "joinPool(bytes32,address,address,(address[],uint256[],bytes,bool))"
    request = (tokens, balances, encode_arguments("uint256,uint256[]", 0, balances), False)
    data = encode_call(join, pool_id, chain.trader, chain.trader, request)
    assert chain.backend.send(chain.trader, vault, data).ok
    return PoolSpec("weighted", "0x" + pool_id.hex(), vault, tokens, 3_000, weights=weights)


def test_joining_a_weighted_pool_changes_balances_as_its_event_says(chain: Chain) -> None:
    (pool_id,) = pools_of(chain, WeightedPool)
    pool = chain.state.pools[pool_id]
    amounts = (123_456_789 * 10**12, 10**18)
    join = "joinPool(bytes32,address,address,(address[],uint256[],bytes,bool))"
    exact_tokens_in = encode_arguments("uint256,uint256[],uint256", 1, amounts, 0)
    request = (pool.tokens, amounts, exact_tokens_in, False)
    data = encode_call(join, bytes.fromhex(pool_id[2:]), chain.trader, chain.trader, request)
    receipt, applied = chain.send(pool.address, data)
    assert receipt.ok
    assert applied.touched == (pool_id,)
    chain.assert_state_is_the_chains()
