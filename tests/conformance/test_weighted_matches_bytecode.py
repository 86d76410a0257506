"""Weighted pools against the real contracts in an EVM: to the wei, in both directions, state included."""

from __future__ import annotations

import asyncio

import numpy as np

from chain.devnet.calldata import encode_arguments, encode_call
from chain.devnet.flow import swap_vault
from chain.devnet.protocols import WEIGHTED_POOL_FACTORY
from chain.devnet.world import approve
from core.reasons import Reason
from market.events import VaultSwap
from market.pools.spec import PoolSpec
from market.pools.weighted import WeightedPool
from pipeline.bootstrap import load_market
from tests.conformance_chain import RELOAD_EVERY, SWAPS, Chain, log_uniform, pools_of, swap_or_reason
from tests.pyrevm_node import tokens_of


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
