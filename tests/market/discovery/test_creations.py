"""Announcements of pools, held against the pools that they announce, and against pools of real chains."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from chain.blocks import RawLog
from chain.devnet.artifacts import load_artifact
from chain.devnet.backend import PyrevmBackend
from chain.devnet.calldata import encode_arguments, encode_call
from chain.devnet.world import World
from chain.networks import load_network, network_names
from core.errors import InputError, TapeError
from core.reasons import Reason
from market.discovery import creations
from market.discovery.creations import creation_topic, listed
from market.discovery.sources import PoolSource, SourceKind, chosen_sources, out_of_reach, sources_of
from market.pools.uniswap_v4 import NATIVE
from tests.conformance.stages.packages import creation_code
from tests.market.discovery.announcements import (
    OWNER,
    as_log,
    encoded,
    source_named,
    standing_at,
    two_tokens,
    view,
    written_by,
)

SIGNATURES = {
    "PAIR_CREATED": "PairCreated(address,address,address,uint256)",
    "SOLIDLY_POOL_CREATED": "PoolCreated(address,address,bool,address,uint256)",
    "V3_POOL_CREATED": "PoolCreated(address,address,uint24,int24,address)",
    "SLIPSTREAM_POOL_CREATED": "PoolCreated(address,address,int24,address)",
    "ALGEBRA_POOL": "Pool(address,address,address)",
    "V4_INITIALIZE": "Initialize(bytes32,address,address,uint24,int24,address,uint160,int24)",
    "BALANCER_V2_REGISTERED": "PoolRegistered(bytes32,address,uint8)",
    "BALANCER_V3_REGISTERED": (
        "PoolRegistered(address,address,(address,uint8,address,bool)[],uint256,uint32,"
        f"(address,address,address),({'bool,' * 10}address),(bool,bool,bool,bool))"
    ),
}
POOL = "0x" + "99" * 20


@pytest.mark.parametrize("name", SIGNATURES)
def test_topics_are_the_hashes_of_the_signatures(name: str) -> None:
    assert getattr(creations, name) == keccak(text=SIGNATURES[name])


def test_every_source_of_every_chain_is_read_or_out_of_reach() -> None:
    for chain in network_names():
        sources = sources_of(load_network(chain))
        assert len({source.name for source in sources}) == len(sources)
        for source in sources:
            if not source.is_registry and out_of_reach(source) is None:
                assert len(creation_topic(source)) == 32
    assert out_of_reach(source_named("arbitrum", "camelot_v3")) is not None


# --- contracts of the protocols' own packages, in an EVM


def test_a_pair_of_the_published_factory_is_listed_as_it_is() -> None:
    backend = PyrevmBackend()
    code = load_artifact("UniswapV2Factory").bytecode + encode_arguments("address", OWNER)
    factory = backend.deploy(OWNER, code)
    source = standing_at(source_named("ethereum", "uniswap_v2"), factory)
    tokens = two_tokens(backend)
    receipt = backend.send(OWNER, factory, encode_call("createPair(address,address)", *tokens[::-1]))
    listing = listed(source, written_by(receipt, factory))
    assert listing.refusal is None
    assert (listing.spec.family, listing.spec.tokens, listing.spec.fee) == ("uniswap_v2", tokens, 3_000)
    assert listing.spec.venue == "uniswap_v2"
    pair = listing.spec.address
    held = (*view(backend, pair, "address", "token0()"), *view(backend, pair, "address", "token1()"))
    assert held == tokens


def test_pools_of_the_published_v3_factory_are_listed_as_they_are() -> None:
    backend = PyrevmBackend()
    factory = backend.deploy(OWNER, load_artifact("UniswapV3Factory").bytecode)
    source = standing_at(source_named("ethereum", "uniswap_v3"), factory)
    tokens = two_tokens(backend)
    for fee in (500, 3_000, 10_000):
        create = encode_call("createPool(address,address,uint24)", *tokens, fee)
        listing = listed(source, written_by(backend.send(OWNER, factory, create), factory))
        assert listing.refusal is None
        pool = listing.spec.address
        assert view(backend, pool, "uint24", "fee()") == (listing.spec.fee,) == (fee,)
        assert view(backend, pool, "int24", "tickSpacing()") == (listing.spec.tick_spacing,)
        assert listing.spec.tokens == tokens


def test_a_pool_of_the_published_algebra_factory_is_listed_as_it_is() -> None:
    core = "@cryptoalgebra/v1-core/artifacts/contracts"
    backend = PyrevmBackend()

    def deploy(name: str, terms: bytes = b"") -> str:
        return backend.deploy(OWNER, creation_code(f"{core}/{name}.sol/{name}.json") + terms)

    deployer = deploy("AlgebraPoolDeployer")
    factory = deploy("AlgebraFactory", encode_arguments("address,address", deployer, OWNER))
    assert backend.send(OWNER, deployer, encode_call("setFactory(address)", factory)).ok
    hashed = keccak(creation_code(f"{core}/AlgebraPool.sol/AlgebraPool.json"))
    quickswap = source_named("polygon", "quickswap_v3")
    source = standing_at(quickswap, factory, deployer=deployer, init_code_hash=hashed)
    tokens = two_tokens(backend)
    receipt = backend.send(OWNER, factory, encode_call("createPool(address,address)", *tokens))
    listing = listed(source, written_by(receipt, factory))
    assert listing.refusal is None
    assert view(backend, listing.spec.address, "int24", "tickSpacing()") == (listing.spec.tick_spacing,)
    assert (listing.spec.family, listing.spec.factory, listing.spec.tokens) == ("algebra_v1", factory, tokens)


def test_pools_of_the_published_pool_manager_are_listed_or_refused_for_their_hooks() -> None:
    backend = PyrevmBackend()
    code = creation_code("@uniswap/v4-core/out/PoolManager.sol/PoolManager.json")
    manager = backend.deploy(OWNER, code + encode_arguments("address", OWNER))
    source = PoolSource("uniswap_v4", SourceKind.UNISWAP_V4, manager)
    _, token1 = two_tokens(backend)
    expected = {
        (3_000, 60, NATIVE): None,
        (3_000, 60, "0x" + "00" * 19 + "80"): Reason.HOOKS_NOT_SUPPORTED,
        # these hooks act when liquidity is added, and may set the fee
        (0x800000, 60, "0x" + "00" * 18 + "0800"): Reason.DYNAMIC_FEE_NOT_SUPPORTED,
        (500, 10, "0x" + "00" * 18 + "0800"): None,
    }
    for (fee, spacing, hooks), reason in expected.items():
        key = (NATIVE, token1, fee, spacing, hooks)
        initialize = encode_call("initialize((address,address,uint24,int24,address),uint160)", key, 2**96)
        listing = listed(source, written_by(backend.send(OWNER, manager, initialize), manager))
        spec = listing.spec
        assert (spec.tokens, spec.fee, spec.tick_spacing, spec.hooks) == ((NATIVE, token1), *key[2:])
        assert (listing.refusal and listing.refusal.reason) == reason


def test_a_v4_log_whose_id_is_not_its_keys_is_refused() -> None:
    source = source_named("ethereum", "uniswap_v4")
    log = encoded(
        source.address,
        SIGNATURES["V4_INITIALIZE"],
        [("bytes32", b"\x01" * 32), ("address", NATIVE), ("address", POOL)],
        [("uint24", 500), ("int24", 10), ("address", NATIVE), ("uint160", 2**96), ("int24", 0)],
    )
    refusal = listed(source, log).refusal
    assert refusal is not None
    assert refusal.reason is Reason.POOL_ADDRESS_MISMATCH


def test_the_published_vault_announces_ids_that_begin_with_the_pools_address(
    pyrevm_world: tuple[PyrevmBackend, World],
) -> None:
    backend, world = pyrevm_world
    source = source_named("ethereum", "balancer_v2")
    # anybody may register anything with the vault
    receipt = backend.send(OWNER, source.address, encode_call("registerPool(uint8)", 0))
    listing = listed(source, written_by(receipt, source.address))
    assert listing.refusal is None
    assert listing.spec.pool_id.startswith(OWNER)
    assert (listing.spec.family, listing.spec.address) == ("", world.vault)


def test_our_solidly_factorys_pools_are_listed_with_their_curve() -> None:
    backend = PyrevmBackend()
    factory = backend.deploy(OWNER, load_artifact("SolidlyFactory").bytecode)
    source = replace(source_named("base", "aerodrome_v2"), address=factory, factory=None)
    tokens = two_tokens(backend)
    for stable, family in ((False, "solidly_volatile"), (True, "solidly_stable")):
        create = encode_call("createPool(address,address,bool)", *tokens, stable)
        spec = listed(source, written_by(backend.send(OWNER, factory, create), factory)).spec
        assert (spec.family, spec.tokens, spec.factory) == (family, tokens, factory)


# --- pools of real chains, announced in logs that another library encodes

USDC_BASE, WETH_BASE = (
    "0x833589fcd6edb6e08f4c7c32d4f71b54bda02913",
    "0x4200000000000000000000000000000000000006",
)
WPOL, WETH_POLYGON = (
    "0x0d500b1d8e8ef31e21c99d1db9a6444d3adf1270",
    "0x7ceb23fd6bc0add59e62ac25578270cff1b9f619",
)
WBNB, USDT_BSC = "0xbb4cdb9cbd36b01bd1cbaebf2de08d9173bc095c", "0x55d398326f99059ff775485246999027b3197955"


def solidly_terms(stable: bool, pool: str) -> tuple[Any, Any]:
    return [("bool", stable)], [("address", pool), ("uint256", 1)]


def slipstream_terms(spacing: int, pool: str) -> tuple[Any, Any]:
    return [("int24", spacing)], [("address", pool)]


def v3_terms(fee: int, spacing: int, pool: str) -> tuple[Any, Any]:
    return [("uint24", fee)], [("int24", spacing), ("address", pool)]


def plain_terms(pool: str) -> tuple[Any, Any]:
    return [], [("address", pool)]


REAL = [
    (
        "base",
        "aerodrome_v2",
        "SOLIDLY_POOL_CREATED",
        (WETH_BASE, USDC_BASE),
        solidly_terms(False, "0xcdac0d6c6c59727a65f871236188350531885c43"),
    ),
    (
        "base",
        "aerodrome_slipstream",
        "SLIPSTREAM_POOL_CREATED",
        (WETH_BASE, USDC_BASE),
        slipstream_terms(100, "0xb2cc224c1c9fee385f8ad6a55b4d94e92359dc59"),
    ),
    (
        "base",
        "uniswap_v3",
        "V3_POOL_CREATED",
        (WETH_BASE, USDC_BASE),
        v3_terms(500, 10, "0xd0b53d9277642d899df5c87a3966a349a798f224"),
    ),
    (
        "polygon",
        "quickswap_v3",
        "ALGEBRA_POOL",
        (WPOL, WETH_POLYGON),
        plain_terms("0x479e1b71a702a595e19b6d5932cd5c863ab57ee0"),
    ),
    (
        "bsc",
        "pancakeswap_v3",
        "V3_POOL_CREATED",
        (USDT_BSC, WBNB),
        v3_terms(500, 10, "0x36696169c63e42cd08ce11f5deebbcebae652050"),
    ),
]


@pytest.mark.parametrize(
    ("chain", "name", "event", "tokens", "terms"), REAL, ids=lambda value: str(value)[:20]
)
def test_pools_of_real_chains_are_listed_and_at_another_address_refused(
    chain: str, name: str, event: str, tokens: tuple[str, str], terms: tuple[Any, Any]
) -> None:
    source, (indexed, data) = source_named(chain, name), terms
    assert creation_topic(source) == keccak(text=SIGNATURES[event])
    both = [("address", token) for token in tokens]
    log = encoded(source.address, SIGNATURES[event], [*both, *indexed], data)
    listing = listed(source, log)
    assert listing.refusal is None
    assert listing.spec.pool_id == next(value for kind, value in data if kind == "address")
    assert (listing.block, listing.place, listing.spec.venue) == (7, 3, name)
    moved = [(kind, POOL if kind == "address" else value) for kind, value in data]
    refusal = listed(source, encoded(source.address, SIGNATURES[event], [*both, *indexed], moved)).refusal
    assert refusal is not None
    assert refusal.reason is Reason.POOL_ADDRESS_MISMATCH


@pytest.mark.parametrize("hook", [None, 3, 4, 5])
def test_balancer_v3_tells_tokens_fee_and_whether_hooks_take_part(hook: int | None) -> None:
    source = source_named("base", "balancer_v3")
    tokens = [(WETH_BASE, 0, NATIVE, False), (USDC_BASE, 1, POOL, True)]
    contract = "0x" + "77" * 20
    hooks = [False] * 10
    hooks[1] = hooks[6] = True  # these have nothing to do with swaps
    if hook is not None:
        hooks[hook] = True
    log = encoded(
        source.address,
        SIGNATURES["BALANCER_V3_REGISTERED"],
        [("address", POOL), ("address", OWNER)],
        [
            ("(address,uint8,address,bool)[]", tokens),
            ("uint256", 25 * 10**14),
            ("uint32", 5),
            ("(address,address,address)", (NATIVE,) * 3),
            (f"({'bool,' * 10}address)", (*hooks, contract)),
            ("(bool,bool,bool,bool)", (True,) * 4),
        ],
    )
    listing = listed(source, log)
    assert (listing.spec.tokens, listing.spec.fee) == ((WETH_BASE, USDC_BASE), 2_500)
    assert (listing.spec.pool_id, listing.spec.address, listing.spec.factory) == (POOL, source.address, OWNER)
    assert listing.spec.hooks == ("" if hook is None else contract)
    assert (listing.refusal and listing.refusal.reason) == (hook and Reason.HOOKS_NOT_SUPPORTED)


# --- what no contract writes

KINDS = [
    source_named(chain, name)
    for chain, name in (
        ("ethereum", "uniswap_v2"),
        ("arbitrum", "camelot_v2"),
        ("base", "aerodrome_v2"),
        ("ethereum", "uniswap_v3"),
        ("bsc", "pancakeswap_v3"),
        ("base", "aerodrome_slipstream"),
        ("polygon", "quickswap_v3"),
        ("ethereum", "uniswap_v4"),
        ("ethereum", "balancer_v2"),
        ("base", "balancer_v3"),
    )
]
WORD = st.one_of(
    st.integers(0, 2**256 - 1),
    st.integers(0, 2**160 - 1),
    st.integers(0, 1024),
).map(lambda number: number.to_bytes(32, "big"))


@given(
    st.sampled_from(KINDS),
    st.lists(WORD, max_size=4),
    st.one_of(st.binary(max_size=100), st.lists(WORD, max_size=30).map(b"".join)),
)
def test_any_log_is_a_listing_or_an_error_that_names_it(
    source: PoolSource, topics: list[bytes], data: bytes
) -> None:
    log = RawLog(9, 4, 0, b"", source.address, (creation_topic(source), *topics), data)
    try:
        listing = listed(source, log)
        place = (listing.block, listing.place)
    except TapeError as error:
        place = (error.fields["block"], error.fields["log_index"])
    assert place == (9, 4)


def test_a_chain_names_its_factories_when_one_is_unknown() -> None:
    base = load_network("base")
    assert [source.name for source in chosen_sources(base, ("uniswap_v3",))] == ["uniswap_v3"]
    with pytest.raises(InputError, match="aerodrome_v2"):
        chosen_sources(base, ("aerodrome",))


def test_logs_are_numbered_as_their_block_has_them() -> None:
    backend = PyrevmBackend()
    factory = backend.deploy(OWNER, load_artifact("UniswapV3Factory").bytecode)
    source = standing_at(source_named("ethereum", "uniswap_v3"), factory)
    create = encode_call("createPool(address,address,uint24)", *two_tokens(backend), 500)
    (log,) = backend.send(OWNER, factory, create).logs
    listing = listed(source, as_log(log, 123, 45))
    assert (listing.block, listing.place) == (123, 45)
