"""What pools are found to be when they are asked, on the protocols' own contracts where there are some."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.asking import ask
from chain.devnet.artifacts import load_artifact
from chain.devnet.backend import PyrevmBackend
from chain.devnet.calldata import encode_arguments, encode_call
from chain.devnet.protocols import FEE_PERCENTAGES_PROVIDER
from chain.devnet.world import World
from chain.questions import Reading
from core.errors import MarketError
from core.reasons import Reason, Refusal
from market.discovery.answers import SELECTORS
from market.discovery.liquidity import hub_reserves
from market.discovery.registries import entries, length
from market.discovery.sources import PoolSource, SourceKind
from market.discovery.terms import completed
from market.discovery.token_facts import token_facts
from market.pools.spec import PoolSpec
from market.pools.uniswap_v4 import NATIVE
from tests.conformance.stages.balancer_v2 import VaultChain
from tests.market.discovery.announcements import OWNER, source_named, token
from tests.market.readings.evm_node import EvmNode

VAULT_POOLS = source_named("ethereum", "balancer_v2")
CURVE = source_named("ethereum", "curve_factory")


def test_selectors_are_those_of_their_signatures() -> None:
    for signature, selector in SELECTORS.items():
        arguments = [0] if "uint" in signature else [NATIVE] if "address" in signature else []
        arguments = [bytes(32)] if "bytes32" in signature else arguments
        assert encode_call(signature, *arguments)[:4].hex() == selector


async def test_a_weighted_pool_is_found_as_it_was_made(pyrevm_world: tuple[PyrevmBackend, World]) -> None:
    backend, world = pyrevm_world
    made = next(pool for pool in world.pools if pool.family == "weighted")
    announced = PoolSpec("", made.pool_id, made.address, (), 0, venue="balancer_v2")
    spec = await ask(EvmNode(backend), completed(VAULT_POOLS, announced), "latest")
    assert isinstance(spec, PoolSpec)
    assert (spec.family, spec.tokens, spec.weights) == ("weighted", made.tokens, made.weights)
    assert (spec.fee, spec.pool_id, spec.venue) == (made.fee, made.pool_id, "balancer_v2")


@pytest.mark.parametrize("fee", [10**14, 123_456_789_012_345])
async def test_a_composable_pool_is_found_without_its_share(fee: int) -> None:
    chain = VaultChain((6, 18, 18))
    code = load_artifact("ComposableStablePoolFactory").bytecode
    terms = (chain.vault, FEE_PERCENTAGES_PROVIDER, "{}", "{}")
    factory = chain.deploy(code + encode_arguments("address,address,string,string", *terms))
    tokens = tuple(chain.decimals)
    signature = "create(string,string,address[],uint256,address[],uint256[],bool[],uint256,address)"
    arguments = ("p", "P", tokens, 200, [NATIVE] * 3, [0] * 3, [False] * 3, fee, chain.trader)
    address, pool_id = chain.create(factory, signature, *arguments)
    announced = PoolSpec("", pool_id, chain.vault, (), 0)
    spec = await ask(EvmNode(chain.backend), completed(VAULT_POOLS, announced), "latest")
    assert isinstance(spec, PoolSpec)
    assert (spec.family, spec.tokens) == ("composable_stable", tokens)
    assert address not in spec.tokens


async def test_what_registers_with_the_vault_and_is_no_pool_is_refused(
    pyrevm_world: tuple[PyrevmBackend, World],
) -> None:
    backend, world = pyrevm_world
    receipt = backend.send(OWNER, world.vault, encode_call("registerPool(uint8)", 0))
    pool_id = "0x" + receipt.logs[0].topics[1].hex()
    announced = PoolSpec("", pool_id, world.vault, (), 0)
    refusal = await ask(EvmNode(backend), completed(VAULT_POOLS, announced), "latest")
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.FAMILY_NOT_SUPPORTED


@pytest.mark.parametrize(
    ("registry", "variant"), [("curve_factory", "template"), ("curve_stable_ng_factory", "ng")]
)
async def test_a_curve_pool_is_found_with_its_coins_and_the_registrys_generation(
    registry: str, variant: str
) -> None:
    backend = PyrevmBackend()
    coins = (token(backend, 18), token(backend, 6), token(backend, 6))
    rates = (10**18, 10**30, 10**30)
    terms = encode_arguments("uint8,address[],uint256[],uint256", 1, coins, rates, 20_000)
    pool = backend.deploy(OWNER, load_artifact("CurveStablePool").bytecode + terms)
    fees = encode_call("set_fees(uint256,uint256,uint256)", 4_000_000, 0, 0)
    assert backend.send(OWNER, pool, fees).ok
    source = source_named("ethereum", registry)
    spec = await ask(EvmNode(backend), completed(source, PoolSpec("", pool, pool, (), 0)), "latest")
    assert isinstance(spec, PoolSpec)
    assert (spec.family, spec.tokens, spec.variant, spec.fee) == ("curve_stable", coins, variant, 400)


def drive(reading: Reading[object], answers: dict[str, bytes | None]) -> object:
    """Carry a reading out against answers by selector; what is not named reverts."""
    try:
        questions = next(reading)
        while True:
            given_answers = [answers.get(getattr(each, "data", b"")[:4].hex()) for each in questions]
            questions = reading.send(given_answers)
    except StopIteration as done:
        return done.value


def abi(types: str, *values: object) -> bytes:
    return encode_arguments(types, *values)


def selector(signature: str) -> str:
    return SELECTORS[signature]


MOVING = {
    selector("getPoolTokens(bytes32)"): abi("address[],uint256[],uint256", [OWNER, NATIVE], [1, 2], 0),
    selector("getNormalizedWeights()"): abi("uint256[]", [5 * 10**17] * 2),
    selector("getSwapFeePercentage()"): abi("uint256", 10**15),
}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, "weighted"),
        ({"getGradualWeightUpdateParams()": abi("uint256,uint256,uint256[],uint256[]", 0, 0, [], [])}, None),
        ({"getSwapFeePercentage()": abi("uint256", 10**15 + 1)}, None),
        ({"getSwapFeePercentage()": b""}, None),
        ({"getSwapFeePercentage()": abi("uint256", 10**18)}, None),
        ({"getNormalizedWeights()": abi("uint256[]", [10**18])}, None),
        ({"getNormalizedWeights()": abi("uint256[]", [10**18, 0])}, None),
        ({"getPoolTokens(bytes32)": abi("address[],uint256[],uint256", [OWNER], [1], 0)}, None),
    ],
)
def test_weights_that_move_and_fees_too_fine_are_refused(
    change: dict[str, bytes], expected: str | None
) -> None:
    answers = {**MOVING, **{selector(signature): answer for signature, answer in change.items()}}
    found = drive(completed(VAULT_POOLS, PoolSpec("", "0x" + "ab" * 32, OWNER, (), 0)), answers)
    assert getattr(found, "family", None) == expected
    assert expected or isinstance(found, Refusal)


def test_metapools_are_refused() -> None:
    coins = abi("address", OWNER)
    answers = {selector("is_meta(address)"): abi("bool", True), selector("coins(uint256)"): coins}
    found = drive(completed(CURVE, PoolSpec("", OWNER, OWNER, (), 0)), answers)
    assert isinstance(found, Refusal)
    assert "metapool" in found.detail


def test_a_registry_tells_its_pools_by_place_or_is_named() -> None:
    answers = {
        selector("pool_count()"): abi("uint256", 7),
        selector("pool_list(uint256)"): abi("address", OWNER),
    }
    assert drive(length(CURVE), answers) == 7
    (listing, _) = drive(entries(CURVE, 3, 4, 99), answers)  # type: ignore[misc]
    assert (listing.spec.pool_id, listing.spec.venue) == (OWNER, "curve_factory")
    assert (listing.block, listing.place) == (99, 3)
    with pytest.raises(MarketError, match="how many"):
        drive(length(CURVE), {})
    with pytest.raises(MarketError, match="place 3"):
        drive(entries(CURVE, 3, 4, 99), {selector("pool_list(uint256)"): bytes(32)})


WORDS = st.lists(
    st.one_of(st.integers(0, 2**256 - 1), st.integers(0, 300), st.just(32), st.just(64)), max_size=12
).map(lambda numbers: b"".join(number.to_bytes(32, "big") for number in numbers))
ANSWERS = st.one_of(st.none(), st.binary(max_size=70), WORDS)


@given(
    st.sampled_from([SourceKind.BALANCER_V2, SourceKind.BALANCER_V3, SourceKind.CURVE]),
    st.dictionaries(st.sampled_from(sorted(SELECTORS.values())), ANSWERS),
)
def test_whatever_strangers_answer_ends_in_a_spec_or_a_refusal(
    kind: SourceKind, answers: dict[str, bytes | None]
) -> None:
    source = PoolSource("curve_factory", kind, OWNER)
    announced = PoolSpec("", "0x" + "ab" * 32, OWNER, two_addresses(), 0)
    found = drive(completed(source, announced), answers)
    if isinstance(found, PoolSpec):
        assert len(found.tokens) >= 2
        assert all(len(each) == 42 for each in found.tokens)
        assert 0 <= found.fee < 1_000_000
    else:
        assert isinstance(found, Refusal)


@given(
    st.sampled_from(["weighted", "balancer_v3_stable", "uniswap_v4", "uniswap_v2"]),
    st.dictionaries(st.sampled_from(["", *sorted(SELECTORS.values())]), ANSWERS),
)
def test_whatever_strangers_answer_is_some_reserves(family: str, answers: dict[str, bytes | None]) -> None:
    tokens = two_addresses()
    spec = PoolSpec(family, "0x" + "ab" * 32, OWNER, tokens, 0)
    reserves = drive(hub_reserves(spec, {tokens[0]: 1}), answers)
    assert isinstance(reserves, dict)
    assert set(reserves) <= {tokens[0]}
    assert all(held >= 0 for held in reserves.values())


@given(ANSWERS, ANSWERS)
def test_whatever_a_token_answers_is_a_token_or_a_refusal(
    decimals: bytes | None, symbol: bytes | None
) -> None:
    found = drive(token_facts(OWNER), {selector("decimals()"): decimals, selector("symbol()"): symbol})
    if isinstance(found, Refusal):
        assert found.reason is Reason.TOKEN_UNUSABLE
    else:
        assert 0 <= found.decimals <= 36  # type: ignore[attr-defined]
        assert 0 < len(found.symbol) <= 32  # type: ignore[attr-defined]
        assert found.symbol.isprintable()  # type: ignore[attr-defined]


def two_addresses() -> tuple[str, str]:
    return "0x" + "11" * 20, "0x" + "22" * 20


@pytest.mark.parametrize(
    ("answer", "symbol"),
    [
        (abi("string", "USDC"), "USDC"),
        (b"MKR".ljust(32, b"\0"), "MKR"),
        (abi("string", "\x1b[31mRED\x07"), "[31mRED"),
        (abi("string", "x" * 500), "x" * 32),
        (abi("string", ""), OWNER[:10]),
        (abi("bytes", b"\xff\xfe"), OWNER[:10]),
        (None, OWNER[:10]),
    ],
)
def test_a_symbol_is_text_that_a_terminal_can_show(answer: bytes | None, symbol: str) -> None:
    answers = {selector("decimals()"): abi("uint256", 6), selector("symbol()"): answer}
    found = drive(token_facts(OWNER), answers)
    assert (found.symbol, found.decimals) == (symbol, 6)  # type: ignore[attr-defined]


async def test_tokens_in_an_evm_are_read(pyrevm_world: tuple[PyrevmBackend, World]) -> None:
    backend, world = pyrevm_world
    for known in world.tokens.values():
        found = await ask(EvmNode(backend), token_facts(known.address), "latest")
        assert (found.symbol, found.decimals) == (known.symbol, known.decimals)  # type: ignore[union-attr]
    high = token(backend, 40)
    nowhere = "0x" + "12" * 20
    for address in (high, nowhere, world.vault):
        assert isinstance(await ask(EvmNode(backend), token_facts(address), "latest"), Refusal)


async def test_reserves_are_what_the_pools_hold(pyrevm_world: tuple[PyrevmBackend, World]) -> None:
    backend, world = pyrevm_world
    weth = world.tokens["WETH"].address
    for pool in world.pools:
        spec = PoolSpec(pool.family, pool.pool_id, pool.address, pool.tokens, pool.fee)
        reserves = await ask(EvmNode(backend), hub_reserves(spec, {weth: 1}), "latest")
        if pool.family == "weighted":
            assert reserves == {weth: 2_000 * 10**18}
        else:
            call = encode_call("balanceOf(address)", pool.address)
            assert reserves == {weth: int.from_bytes(backend.call(weth, call), "big")}
            assert reserves[weth] > 50 * 10**18
