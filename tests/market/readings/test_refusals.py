"""What cannot be read is refused with a reason; what older contracts lack is made up for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from eth_utils.crypto import keccak

from chain.questions import ContractCall
from core.errors import MarketError
from market.pools.algebra import AlgebraPool
from market.pools.algebra_oracle import CAPACITY, Timepoint
from market.pools.amplification import Amplification
from market.pools.balancer_v3_stable import BalancerV3StablePool
from market.pools.balancer_v3_weighted import BalancerV3WeightedPool
from market.pools.composable_stable import ComposableStablePool
from market.pools.curve_stable import CurveStablePool
from market.pools.uniswap_v3 import UniswapV3Pool
from market.pools.uniswap_v4 import DYNAMIC_FEE, pool_id_of
from market.readings import reading_of
from market.readings.answers import array_at
from tests.market.readings.script import Script, carried_out, script_of

ONE = 10**18
CURVE_NG = 6
"""Place of the first pool of the newest generation among the stage's; the first of all is a legacy one."""


async def told(name: str, function: str, place: int = 0) -> tuple[Script, list[int]]:
    """Return a script and the words that a function without arguments gives in it."""
    script = await script_of(name, place)
    (data,) = (
        answer
        for question, answer in script.answers.items()
        if isinstance(question, ContractCall) and question.data[:4] == _selector(function)
    )
    assert data is not None
    return script, [int.from_bytes(data[at : at + 32], "big") for at in range(0, len(data), 32)]


@pytest.mark.parametrize(
    ("name", "changes", "why"),
    [
        ("uniswap_v2", {"token0()": [7]}, "lists other tokens"),
        ("uniswap_v2", {"token0()": [2**255]}, "a number where an address belongs"),
        ("uniswap_v2", {"getReserves()": [1, 2, 3, 4, 5]}, "5 words of reserves"),
        ("uniswap_v2", {"getReserves()": [1, 2]}, "gave 64 bytes where 96 belong"),
        ("uniswap_v2", {"getReserves()": []}, "no such contract or function"),
        ("uniswap_v2", {"getReserves()": None}, "reverted"),
        ("uniswap_v2_camelot", {"stableSwap()": [1]}, "stable curve"),
        ("solidly_stable", {"getFee(address,bool)": None}, "getFee.* reverted"),
        ("uniswap_v3", {"fee()": [500]}, "lists other fee"),
        ("uniswap_v3", {"tickSpacing()": [1]}, "lists other tick spacing"),
        ("uniswap_v3", {"liquidity()": [1]}, "do not add up"),
        ("uniswap_v3", {"slot0()": [2**96, 0, 0, 0, 0, 1]}, "gave 192 bytes where 224 belong"),
        ("uniswap_v3", {"tickBitmap(int16)": [2**256 - 1]}, "bits where no tick can be"),
        ("uniswap_v3", {"ticks(int24)": [0, 0]}, "do not add up"),
        ("algebra_v1", {"globalState()": [2**96, 0, 100, 100, 0, 0, 0, 1]}, "256 bytes where 224"),
        ("algebra_v1", {"globalState()": [0] * 7}, "no price yet"),
        ("algebra_v1", {"liquidity()": [1]}, "stores its liquidity elsewhere"),
        ("curve_stable", {"underlying_coins(int128)": [7]}, "lends its coins out"),
        ("curve_stable", {"base_pool()": [7]}, "stands on another pool"),
        ("curve_stable", {"coins(int128)": None}, "does not list 3 coins"),
        ("curve_stable", {"balances(int128)": None}, "does not list 3 coins"),
        ("curve_stable", {"coins(int128)": [7]}, "lists other coins"),
        ("curve_stable", {"A()": [20]}, "not what its ramp says"),
        ("weighted", {"getSwapFeePercentage()": [10**12 + 1]}, "finer than a part per million"),
        ("weighted", {"getNormalizedWeights()": [32, 1, ONE]}, "lists other weights"),
        ("weighted", {"getNormalizedWeights()": [32, 5, ONE]}, "cut off"),
        ("composable_stable", {"getRateProviders()": [32, 1, 0]}, "another number of rate providers"),
        (
            "composable_stable",
            {"getAmplificationParameter()": [7, 1, 1000]},
            "does not keep its line here",
        ),
        ("balancer_v3_stable", {"getAmplificationParameter()": [7, 1, 1000]}, "not what its ramp says"),
        ("balancer_v3_stable", {"getHooksConfig(address)": [0, 0, 0, 0, 1, *[0] * 6]}, "hooks_not_supported"),
        ("balancer_v3_weighted", {"getHooksConfig(address)": [0, 0, 0, 1, *[0] * 7]}, "hooks_not_supported"),
    ],
)
async def test_a_contract_that_is_not_as_described_is_named(
    name: str, changes: Mapping[str, Sequence[int] | None], why: str
) -> None:
    script = await script_of(name)
    with pytest.raises(MarketError, match=why) as error:
        script.read(changes)
    assert error.value.fields["pool_id"] == script.spec.pool_id


@pytest.mark.parametrize(
    ("name", "place", "changes", "why"),
    [
        ("uniswap_v2", 0, {"family": "uniswap_v5"}, "not a family"),
        ("weighted", 0, {"pool_id": "weth-usdc"}, "no address or id"),
        ("uniswap_v3", 0, {"tick_spacing": 0}, "lists other tick spacing"),
        ("uniswap_v4", 0, {"fee": 500}, "lists other currencies, fee"),
        ("uniswap_v4", 0, {"hooks": "none"}, "no address"),
        ("curve_stable", 0, {"variant": "crypto"}, "variant is one of legacy, template, ng"),
        ("curve_stable", 0, {"variant": "template"}, "does not list|A_precise"),
        ("curve_stable", CURVE_NG, {"variant": "legacy"}, r"A\(\) reverted"),
    ],
)
async def test_a_description_that_is_wrong_is_refused(
    name: str, place: int, changes: Mapping[str, Any], why: str
) -> None:
    script = await script_of(name, place)
    script.spec = replace(script.spec, **changes)
    with pytest.raises(MarketError, match=why):
        script.read()


@pytest.mark.parametrize(
    ("changes", "why"),
    [({"fee": DYNAMIC_FEE}, "dynamic_fee"), ({"hooks": "0x" + "00" * 19 + "80"}, "hooks_not_supported")],
)
async def test_a_v4_pool_that_its_state_does_not_describe_is_refused(
    changes: Mapping[str, Any], why: str
) -> None:
    script = await script_of("uniswap_v4")
    spec = replace(script.spec, **changes)
    script.spec = replace(spec, pool_id=pool_id_of(spec))
    with pytest.raises(MarketError, match=why):
        script.read()


async def test_tokens_that_are_not_described_are_named() -> None:
    for name in ("weighted", "composable_stable"):
        script = await script_of(name)
        script.tokens = {}
        with pytest.raises(MarketError, match="incomplete"):
            script.read()


async def test_a_pool_without_a_price_has_no_ticks_and_none_are_asked_for() -> None:
    script = await script_of("uniswap_v3")
    pool = script.read({"slot0()": [0] * 7, "liquidity()": [0], "tickBitmap(int16)": None})
    assert isinstance(pool, UniswapV3Pool)
    assert (pool.sqrt_price_x96, len(pool.ticks)) == (0, 0)


async def test_a_curve_pool_without_a_ramp_has_the_a_that_it_says() -> None:
    script = await script_of("curve_stable")
    pool = script.read({"initial_A()": None, "A()": [123], "stored_rates()": None})
    assert isinstance(pool, CurveStablePool)
    assert pool.amplification == Amplification.constant(123)
    assert pool.rates == tuple(10 ** (36 - script.tokens[token].decimals) for token in script.spec.tokens)


async def test_a_curve_pool_whose_underlying_coins_are_its_own_lends_nothing() -> None:
    script = await script_of("curve_stable")
    calls = [question for question in script.answers if isinstance(question, ContractCall)]
    coins = {
        call.data[4:]: script.answers[call]
        for call in calls
        if call.data.startswith(_selector("coins(int128)"))
    }
    selector = _selector("underlying_coins(int128)")
    for call in calls:
        if call.data.startswith(selector):
            script.answers[call] = coins[call.data[4:]]
    assert script.read() == replace(script.pool, spec=script.spec)  # type: ignore[type-var]


async def test_the_newest_generation_must_tell_its_rates() -> None:
    script = await script_of("curve_stable", CURVE_NG)
    with pytest.raises(MarketError, match=r"stored_rates\(\) reverted"):
        script.read({"stored_rates()": None})


async def test_an_amplification_that_stands_still_needs_no_line() -> None:
    script = await script_of("composable_stable")
    pool = script.read({"getAmplificationParameter()": [777, 0, 1000]})
    assert isinstance(pool, ComposableStablePool)
    assert pool.amplification == Amplification.constant(777)


async def test_a_paused_pool_is_refused() -> None:
    script, config = await told("balancer_v3_stable", "getPoolConfig(address)")
    with pytest.raises(MarketError, match="paused"):
        script.read({"getPoolConfig(address)": [*config[:-2], 1, 0]})


async def test_pools_of_the_first_v3_factories_have_no_limits() -> None:
    text = b'{"name":"StablePool","version":1,"deployment":"x"}'
    words = [32, len(text), *(int.from_bytes(text[at : at + 32].ljust(32, b"\0"), "big") for at in (0, 32))]
    pool = (await script_of("balancer_v3_stable")).read({"version()": words})
    assert isinstance(pool, BalancerV3StablePool)
    assert pool.imbalance_limit == 0
    weighted = (await script_of("balancer_v3_weighted")).read({"getMinTokenBalances()": None})
    assert isinstance(weighted, BalancerV3WeightedPool)
    assert weighted.least_balances == ()


async def test_timepoints_are_read_around_the_end_of_their_ring() -> None:
    """The oracle has been around once: its newest timepoint is in the second of all places."""
    script, state = await told("algebra_v1", "globalState()")
    state[3] = 1
    newest = script.timestamp - 60

    def answer(question: Any) -> bytes | None:
        if isinstance(question, ContractCall):
            if question.data[:4] == _selector("globalState()"):
                return b"".join(word.to_bytes(32, "big") for word in state)
            if question.data[:4] == _selector("timepoints(uint256)"):
                age = (1 - int.from_bytes(question.data[4:], "big")) % CAPACITY
                words = (1, newest - 600 * age, 0, 0, 0, 0, 0)
                return b"".join(word.to_bytes(32, "big") for word in words)
        return script.answers.get(question)

    pool = carried_out(reading_of(script.spec, script.tokens, script.timestamp), answer)
    assert isinstance(pool, AlgebraPool)
    assert pool.oracle.timepoints == tuple(
        Timepoint(newest - 600 * age, 0, 0, 0, 0) for age in range(144, -1, -1)
    )


def test_an_array_that_is_not_all_there_is_refused() -> None:
    for words in ((), (32,), (33, 0), (32, 2, 1), (2**255, 1), (64, 1)):
        with pytest.raises(MarketError, match="cut off"):
            array_at(words, 0)
    assert array_at((32, 0), 0) == ()


def _selector(signature: str) -> bytes:
    return bytes(keccak(text=signature)[:4])
