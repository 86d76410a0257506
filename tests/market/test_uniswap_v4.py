"""Uniswap V4: what is refused, fees of two parts, ids, and swaps that really happened."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from chain.devnet.calldata import encode_call
from chain.devnet.protocols import must_send
from core.errors import MarketError, SwapRefused
from core.reasons import Reason
from market.pools.spec import PoolSpec
from market.pools.uniswap_v4 import DYNAMIC_FEE, NATIVE, UniswapV4Pool, pool_id_of, unsupported
from market.pools.v3_math import Q96
from market.pools.v3_ticks import TickMap
from market.pools.v3_walk import Start, walk
from tests.conformance.stages.concentrated import OWNER, Placed, full_range
from tests.conformance.stages.uniswap_v4 import KEY, UniswapV4Stage, key_of

USDC_OF_BASE = "0x833589fcd6edb6e08f4c7c32d4f71b54bda02913"
SPEC = PoolSpec("uniswap_v4", "0x01", "0xm", ("0xa", "0xb"), 3_000, tick_spacing=60, hooks=NATIVE)
EVERYWHERE = {-887_220: 10**18, 887_220: -(10**18)}


def pool(spec: PoolSpec = SPEC, protocol_fee: int = 0) -> UniswapV4Pool:
    return UniswapV4Pool(spec, Q96, 0, 10**18, EVERYWHERE, protocol_fee)


def reason_of(pool: UniswapV4Pool, amount: int = 10**15) -> Reason:
    with pytest.raises(SwapRefused) as refused:
        pool.swap("0xa", "0xb", amount)
    return refused.value.fields["reason"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("bit", range(14))
def test_hooks_that_take_part_in_swaps_are_refused_and_others_are_not(bit: int) -> None:
    hooked = pool(replace(SPEC, hooks=f"0x{'ab' * 17}{'00'}{1 << bit:04x}"))
    if bit in (7, 6, 3, 2):
        assert reason_of(hooked) is Reason.HOOKS_NOT_SUPPORTED
        assert hooked.marginal_rate("0xa", "0xb") == 0.0
    else:
        assert unsupported(hooked.spec) is None
        assert hooked.swap("0xa", "0xb", 10**15).amount_out == pool().swap("0xa", "0xb", 10**15).amount_out


def test_a_fee_left_to_the_hooks_is_refused() -> None:
    dynamic = pool(replace(SPEC, fee=DYNAMIC_FEE, hooks="0x" + "00" * 18 + "1000"))
    assert reason_of(dynamic) is Reason.DYNAMIC_FEE_NOT_SUPPORTED
    assert dynamic.marginal_rate("0xb", "0xa") == 0.0


def test_hooks_without_a_say_in_swaps_change_nothing_on_the_chain_either() -> None:
    stage = UniswapV4Stage()
    before_donate = "0x" + "ab" * 18 + "4020"
    spec = replace(SPEC, tokens=stage.two_tokens(), address=stage.manager, hooks=before_donate)
    spec = replace(spec, pool_id=pool_id_of(spec))
    initialize = encode_call(f"initialize({KEY},uint160)", key_of(spec), Q96)
    must_send(stage.backend, OWNER, stage.manager, initialize)
    stage.placed[spec.pool_id] = placed = Placed(spec)
    assert stage.add(placed, *full_range(60), 10**18)
    ours = stage.load(spec.pool_id).swap(*spec.tokens, 10**16)
    assert stage.swap(spec.pool_id, *spec.tokens, 10**16) == ours.amount_out
    assert stage.load(spec.pool_id) == ours.pool


def test_the_protocol_takes_its_fee_first_in_each_direction() -> None:
    both = pool(protocol_fee=1_000 | 500 << 12)
    assert (both.fee_of(True), both.fee_of(False)) == (1_000 + 3_000 - 3, 500 + 3_000 - 1)
    assert both.with_protocol_fee(0) == pool()
    assert both.marginal_rate("0xa", "0xb") == pytest.approx(1 - 0.003997)
    with pytest.raises(MarketError, match="protocol"):
        pool(protocol_fee=1_001)
    with pytest.raises(MarketError, match="protocol"):
        pool(protocol_fee=1_001 << 12)
    with pytest.raises(MarketError, match="zero address"):
        pool(replace(SPEC, hooks=""))
    with pytest.raises(MarketError, match="million"):
        pool(replace(SPEC, fee=1_000_001))


def test_a_fee_of_everything_pays_nothing_and_no_output_can_be_asked_for() -> None:
    greedy = replace(pool(replace(SPEC, fee=1_000_000)), sqrt_price_x96=Q96 + 1)
    swap = greedy.swap("0xa", "0xb", 10**15)
    assert (swap.amount_in, swap.amount_out, swap.pool) == (10**15, 0, greedy)
    assert greedy.marginal_rate("0xa", "0xb") == 0.0
    with pytest.raises(SwapRefused):
        greedy.path(True, -1)


def test_amounts_beyond_128_bits_are_refused() -> None:
    greedy = pool(replace(SPEC, fee=1_000_000))
    assert greedy.swap("0xa", "0xb", 2**127 - 1).amount_in == 2**127 - 1
    assert reason_of(greedy, 2**127) is Reason.AMOUNT_TOO_LARGE


def test_the_contract_draws_the_line_at_the_same_amount() -> None:
    stage = UniswapV4Stage()
    (pool_id,) = (each for each in stage.pool_ids() if is_greedy_and_dear(stage.read(stage.placed[each])))
    token0, token1 = stage.placed[pool_id].spec.tokens
    for amount, paid in ((2**127 - 1, 0), (2**127, None)):
        assert stage.swap(pool_id, token1, token0, amount) == paid


def is_greedy_and_dear(pool: UniswapV4Pool) -> bool:
    return pool.spec.fee == 1_000_000 and pool.tick > 0 and len(pool.tick_map) == 2


def test_ids_are_hashes_of_keys() -> None:
    """The id of Base's ETH/USDC pool of 0.05 %, and ids that the PoolManager gave in the stage."""
    base = replace(SPEC, tokens=(NATIVE, USDC_OF_BASE), fee=500, tick_spacing=10)
    assert pool_id_of(base) == "0x96d4b53a38337a5733179751781178a2613306063c511b78cd02684739288c0a"
    assert pool_id_of(replace(base, hooks="0x" + "00" * 18 + "1000")) != pool_id_of(base)
    assert pool_id_of(replace(base, fee=DYNAMIC_FEE)) != pool_id_of(base)


@pytest.mark.data
def test_swaps_on_base_are_what_the_walk_gives(data_root: Path) -> None:
    """The record has gaps; where a swap is missing between two, the second cannot be reproduced."""
    table = pq.read_table(data_root / "base_v4_eth_usdc_swaps.parquet").to_pydict()
    names = ("block_number", "amount0", "amount1", "sqrt_price_x96", "liquidity", "tick", "fee")
    swaps = sorted(zip(*([int(value) for value in table[name]] for name in names), strict=True))
    in_block = Counter(swap[0] for swap in swaps)
    reproduced = asked = 0
    for before, after in pairwise(swaps):
        alone = in_block[before[0]] == in_block[after[0]] == 1
        if not alone or before[4] != after[4] or before[5] // 10 != after[5] // 10:
            continue
        asked += 1
        falls = after[1] < 0
        paid, got = (-after[1], after[2]) if falls else (-after[2], after[1])
        start = Start("base", before[3], before[5], before[4], TickMap(), 10, after[6])
        paths = [walk(start, falls, amount) for amount in (paid, -got)]
        ends = [(path.amount_in, path.amount_out, path.sqrt_price_x96, path.tick) for path in paths]
        reproduced += (paid, got, after[3], after[5]) in ends
    assert (reproduced, asked) == (1_679, 3_212)
