"""Pairs against the real contracts in an EVM: to the wei, in both directions, state included."""

from __future__ import annotations

import numpy as np
import pytest

from chain.devnet.calldata import encode_call
from chain.devnet.world import balance_of
from core.errors import DevnetError
from core.reasons import Reason
from market.pools.uniswap_v2 import UniswapV2Pool
from tests.conformance_chain import RELOAD_EVERY, SWAPS, Chain, log_uniform, pools_of, swap_or_reason


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
