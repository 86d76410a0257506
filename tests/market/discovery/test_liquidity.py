"""What is dust: hub tokens, their least amounts, and what pools of vaults and of the PoolManager hold."""

from __future__ import annotations

from decimal import Decimal

import pytest

from chain.asking import ask
from chain.devnet.calldata import encode_arguments
from chain.networks import load_network
from core.errors import InputError
from core.reasons import Reason
from market.discovery.liquidity import dust_refusal, hub_reserves, least_of
from market.pools.spec import PoolSpec
from market.pools.uniswap_v4 import NATIVE, UniswapV4Pool
from tests.conformance.stages.uniswap_v4 import UniswapV4Stage
from tests.market.readings.evm_node import EvmNode

WETH = load_network("ethereum").weth


def test_usual_hubs_are_the_coin_and_the_stablecoins() -> None:
    for chain, units in (("ethereum", 18), ("bsc", 18), ("polygon", 18)):
        network = load_network(chain)
        least = least_of(network, {})
        stable = {token.address: token.decimals for token in network.tokens if token.stable}
        assert set(least) == {*stable, network.weth, NATIVE}
        assert least[NATIVE] == least[network.weth] > 10 ** (units - 1)
        assert all(least[token] == 1_000 * 10**decimals for token, decimals in stable.items())


def test_an_amount_that_was_named_comes_first() -> None:
    network = load_network("ethereum")
    wbtc = next(token for token in network.tokens if token.symbol == "WBTC")
    least = least_of(network, {"wbtc": Decimal("0.05"), WETH: Decimal(3)})
    assert (least[wbtc.address], least[WETH], least[NATIVE]) == (5_000_000, 3 * 10**18, 3 * 10**18)
    with pytest.raises(InputError, match="no known token 'NOPE'"):
        least_of(network, {"NOPE": Decimal(1)})


def test_one_hub_token_is_enough() -> None:
    least = {"0xa": 100, "0xb": 5}
    assert dust_refusal({"0xa": 99, "0xb": 5}, least) is None
    refusal = dust_refusal({"0xa": 99, "0xb": 4}, least)
    assert refusal is not None
    assert refusal.reason is Reason.DUST_POOL
    assert dust_refusal({}, least) is not None


async def test_a_v4_pool_holds_what_a_pair_of_its_depth_would() -> None:
    stage = UniswapV4Stage()
    node = EvmNode(stage.backend)
    seen = 0
    for pool_id in stage.pool_ids():
        pool = stage.load(pool_id)
        assert isinstance(pool, UniswapV4Pool)
        reserves = await ask(node, hub_reserves(pool.spec, dict.fromkeys(pool.tokens, 1)), "latest")
        held = [reserves[token] for token in pool.tokens]
        # the product is the liquidity's square, the quotient the price, each but for rounding
        assert held[0] * held[1] <= pool.liquidity**2
        if min(held) > 10**9:
            seen += 1
            assert held[0] * held[1] == pytest.approx(pool.liquidity**2, rel=1e-8)
            assert held[1] / held[0] == pytest.approx((pool.sqrt_price_x96 / 2**96) ** 2, rel=1e-8)
    assert seen >= 4


@pytest.mark.parametrize("balances", [(7, 9), (0, 0)])
async def test_the_v3_vault_tells_a_pools_balances(balances: tuple[int, int]) -> None:
    spec = PoolSpec("balancer_v3_weighted", "0x" + "11" * 20, "0x" + "22" * 20, (NATIVE, WETH), 0)
    info = [(0, NATIVE, False), (1, WETH, True)]
    types = "address[],(uint8,address,bool)[],uint256[],uint256[]"
    answer = encode_arguments(types, [NATIVE, WETH], info, balances, [1, 1])
    reading = hub_reserves(spec, {WETH: 1})
    (question,) = next(reading)
    assert question.to == spec.address  # type: ignore[union-attr]
    with pytest.raises(StopIteration) as done:
        reading.send([answer])
    assert done.value.value == {WETH: balances[1]}
