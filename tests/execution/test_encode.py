"""Calldata equals a general ABI encoder's; reverts become words."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.abi import function_abi_to_4byte_selector
from eth_utils.crypto import keccak
from hypothesis import example, given
from hypothesis import strategies as st

from core.errors import InputError
from execution.command import Funding
from execution.encode import EXECUTE_SELECTOR, EXECUTE_SIGNATURE, ROUTE_TYPE, decode_revert, encode_execute
from market.pools.spec import PoolSpec
from scoring.opportunity import Certificate, Hop, Opportunity

ARTIFACT = json.loads(
    (Path(__file__).resolve().parents[2] / "contracts/artifacts/OmniArbExecutor.json").read_text(
        encoding="utf-8"
    )
)
ABI: list[dict[str, Any]] = ARTIFACT["abi"]
WETH = "0x" + "c0" * 20
TOKENS = ["0x" + f"{n:02x}" * 20 for n in range(1, 6)]
FAMILIES = {"uniswap_v2": 0, "uniswap_v3": 1, "weighted": 2}
uint256 = st.integers(0, 2**256 - 1)


def spec(family: str, number: int, fee: int = 3000) -> PoolSpec:
    address = "0x" + f"{number:040x}"
    pool_id = "0x" + f"{number:064x}" if family == "weighted" else address
    return PoolSpec(family, pool_id, address, (), fee)


def opportunity(specs: list[PoolSpec], amount_in: int = 10**18, last_amount_in: int = 1) -> Opportunity:
    tokens = [WETH, *TOKENS[: len(specs) - 1], WETH]
    hops = tuple(
        Hop(pool.pool_id, token_in, token_out, 1, 1)
        for pool, token_in, token_out in zip(specs, tokens, tokens[1:], strict=False)
    )
    hops = (*hops[:-1], replace(hops[-1], amount_in=last_amount_in))
    return Opportunity("cycle", WETH, hops, amount_in, 0, 0, Certificate(0, 0, 1), 1, 0)


def by_id(specs: list[PoolSpec]) -> dict[str, PoolSpec]:
    return {pool.pool_id: pool for pool in specs}


def encode_two_pools(**changes: Any) -> bytes:
    specs = changes.pop("specs", [spec("uniswap_v2", 1), spec("uniswap_v3", 2)])
    arguments = {"funding": Funding.FIRST_POOL, "min_profit": 1, "bid": 2, "target_block": 3} | changes
    return encode_execute(opportunity(specs), by_id(specs), **arguments)


def test_the_selector_is_the_contracts() -> None:
    execute = next(entry for entry in ABI if entry.get("name") == "execute")
    assert function_abi_to_4byte_selector(execute) == EXECUTE_SELECTOR
    assert keccak(text=EXECUTE_SIGNATURE)[:4] == EXECUTE_SELECTOR


@given(
    families=st.lists(st.sampled_from(sorted(FAMILIES)), min_size=1, max_size=5),
    fees=st.lists(st.integers(0, 10**6), min_size=5, max_size=5),
    funding=st.sampled_from(Funding),
    amount_in=uint256,
    last_amount_in=uint256,
    min_profit=uint256,
    bid=uint256,
    target_block=uint256,
)
def test_the_bytes_equal_a_general_encoders(
    families: list[str],
    fees: list[int],
    funding: Funding,
    amount_in: int,
    last_amount_in: int,
    min_profit: int,
    bid: int,
    target_block: int,
) -> None:
    if families[-1 if funding is Funding.LAST_POOL else 0] == "weighted":
        funding = Funding.BALANCER_V2_VAULT
    specs = [spec(family, 100 + n, fee) for n, (family, fee) in enumerate(zip(families, fees, strict=False))]
    found = opportunity(specs, amount_in, last_amount_in)
    data = encode_execute(
        found, by_id(specs), funding=funding, min_profit=min_profit, bid=bid, target_block=target_block
    )
    hops = [
        (
            FAMILIES[pool.family],
            bytes.fromhex(pool.pool_id[2:]).rjust(32, b"\0"),
            hop.token_out,
            pool.fee if pool.family == "uniswap_v2" else 0,
        )
        for pool, hop in zip(specs, found.hops, strict=True)
    ]
    source = [Funding.BALANCER_V2_VAULT, Funding.FIRST_POOL, Funding.LAST_POOL].index(funding)
    told = last_amount_in if funding is Funding.LAST_POOL else 0
    route = (WETH, amount_in, min_profit, bid, target_block, source, told, hops)
    assert data == EXECUTE_SELECTOR + encode([ROUTE_TYPE], [route])


@pytest.mark.parametrize("number", [-1, 2**256])
def test_a_number_that_does_not_fit_is_refused(number: int) -> None:
    with pytest.raises(InputError, match="min_profit must be between"):
        encode_two_pools(min_profit=number)


def test_an_unknown_pool_is_refused() -> None:
    specs = [spec("uniswap_v2", 1), spec("uniswap_v3", 2)]
    with pytest.raises(InputError, match="no such pool") as caught:
        encode_execute(
            opportunity(specs),
            by_id(specs[:1]),
            funding=Funding.FIRST_POOL,
            min_profit=0,
            bid=0,
            target_block=1,
        )
    assert caught.value.fields["pool_id"] == specs[1].pool_id


def test_a_family_the_contract_does_not_know_is_refused() -> None:
    with pytest.raises(InputError, match="cannot trade this pool family"):
        encode_two_pools(specs=[spec("uniswap_v2", 1), spec("curve", 2)])


@pytest.mark.parametrize(("funding", "place"), [(Funding.FIRST_POOL, 0), (Funding.LAST_POOL, 1)])
def test_a_weighted_pool_does_not_fund_a_route(funding: Funding, place: int) -> None:
    specs = [spec("uniswap_v3", 1), spec("uniswap_v3", 2)]
    assert encode_two_pools(specs=specs, funding=funding)
    specs[place] = spec("weighted", 3)
    with pytest.raises(InputError, match="cannot fund a route") as caught:
        encode_two_pools(specs=specs, funding=funding)
    assert caught.value.fields["pool_id"] == specs[place].pool_id


@pytest.mark.parametrize(
    "hops", [(), (Hop("0x1", WETH, TOKENS[0], 1, 1),), (Hop("0x1", TOKENS[0], WETH, 1, 1),)]
)
def test_hops_that_are_no_cycle_are_refused(hops: tuple[Hop, ...]) -> None:
    broken = Opportunity("cycle", WETH, hops, 1, 0, 0, Certificate(0, 0, 1), 1, 0)
    with pytest.raises(InputError, match="closed cycle"):
        encode_execute(broken, {}, funding=Funding.FIRST_POOL, min_profit=0, bid=0, target_block=1)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (bytes.fromhex("08c379a0") + encode(["string"], ["BAL#400"]), "BAL#400"),
        (
            bytes.fromhex("4e487b71") + encode(["uint256"], [0x11]),
            "Panic(0x11): arithmetic overflow or underflow",
        ),
        (
            bytes.fromhex("4e487b71") + encode(["uint256"], [0x99]),
            "Panic(0x99): see the Solidity documentation",
        ),
        (
            keccak(text="NotProfitable(uint256,uint256)")[:4] + encode(["uint256"] * 2, [1, 2]),
            "NotProfitable(balance=1, required=2)",
        ),
        (keccak(text="ExecutionPaused()")[:4], "ExecutionPaused()"),
        (b"", "reverted without a reason"),
        (b"\x01\x02\x03\x04", "unknown revert data 0x01020304"),
        (bytes.fromhex("08c379a0ff"), "undecodable revert data 0x08c379a0ff"),
    ],
)
def test_revert_data_becomes_a_reason(data: bytes, reason: str) -> None:
    assert decode_revert(data, ABI) == reason


KNOWN_ERRORS = [keccak(text=text)[:4] for text in ("Error(string)", "Panic(uint256)")] + [
    function_abi_to_4byte_selector({**entry, "type": "function"}) for entry in ABI if entry["type"] == "error"
]
# small words are plausible offsets and lengths; large ones are more than any computer can count to
words = st.one_of(st.integers(0, 128), uint256).map(lambda value: value.to_bytes(32, "big"))


@given(
    selector=st.sampled_from(KNOWN_ERRORS) | st.binary(max_size=4),
    body=st.lists(words, max_size=5).map(b"".join),
    rest=st.binary(max_size=40),
)
@example(KNOWN_ERRORS[0], (32).to_bytes(32, "big") + b"\xff" * 32, b"")  # a text longer than memory
@example(KNOWN_ERRORS[0], b"\xff" * 64, b"")
def test_no_revert_data_breaks_the_decoder(selector: bytes, body: bytes, rest: bytes) -> None:
    assert decode_revert(selector + body + rest, ABI)
