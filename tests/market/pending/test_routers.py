"""What each router's calldata asks for; selectors and encodings are not those of the code under test."""

from __future__ import annotations

from typing import Any

import pytest
from eth_abi.abi import decode

from chain.networks import load_network, network_names
from chain.pending_transactions import PendingTransaction
from core.reasons import Reason, Refusal
from market.pending.decode import decode_pending
from market.pending.intents import Attempt, IntendedHop, SwapIntent, swaps_in
from market.pending.known_routers import known_routers
from market.pending.targets import RouterKind, Targets
from tests.market.pending.routes import (
    DAI,
    FRIEND,
    LATER,
    MANAGER,
    ROUTER,
    ROUTERS,
    SENDER,
    TARGETS,
    TRADER,
    UNIVERSAL,
    USDC,
    V4_ID,
    V4_KEY,
    WETH,
    call,
    packed,
    pair,
    plan,
    sent,
    v3_pool,
    v4,
)

V2 = ROUTERS[RouterKind.V2_ROUTER]
FORKS = [router for router in known_routers(load_network("ethereum")) if router.kind is RouterKind.V2_ROUTER]
SECOND = ROUTERS[RouterKind.SWAP_ROUTER_02].address
FIRST_V3 = ROUTERS[RouterKind.V3_ROUTER].address
VAULT = ROUTERS[RouterKind.VAULT].address
POOL = b"\x05" * 32
SINGLE = "(address,address,uint24,address,uint256,uint256,uint160)"
SINGLE_WITH_DEADLINE = "(address,address,uint24,address,uint256,uint256,uint256,uint160)"


def swaps(transaction: PendingTransaction) -> list[SwapIntent]:
    steps = decode_pending(transaction, TARGETS)
    assert not isinstance(steps, Refusal), steps
    return list(swaps_in(steps))


def hops(*ways: tuple[str, str, str]) -> tuple[IntendedHop, ...]:
    return tuple(IntendedHop(*way) for way in ways)


# --- Uniswap V2


TWO = "uint256,uint256,address[],address,uint256"
ONE = "uint256,address[],address,uint256"
V2_CALLS = [
    ("38ed1739", TWO, (7, 5), 0, (False, 7, 5)),
    ("18cbafe5", TWO, (7, 5), 0, (False, 7, 5)),
    ("5c11d795", TWO, (7, 5), 0, (False, 7, 5)),
    ("791ac947", TWO, (7, 5), 0, (False, 7, 5)),
    ("8803dbee", TWO, (7, 5), 0, (True, 7, 5)),
    ("4a25d94a", TWO, (7, 5), 0, (True, 7, 5)),
    ("7ff36ab5", ONE, (5,), 9, (False, 9, 5)),
    ("b6f9de95", ONE, (5,), 9, (False, 9, 5)),
    ("fb3bdb41", ONE, (5,), 9, (True, 5, 9)),
]


@pytest.mark.parametrize(("selector", "types", "amounts", "value", "wanted"), V2_CALLS)
def test_every_function_of_a_v2_router_is_read(
    selector: str, types: str, amounts: tuple[int, ...], value: int, wanted: tuple[bool, int, int]
) -> None:
    router = next(each for each in FORKS if each.v2_factory and each.v2_factory.name == "uniswap_v2")
    data = call(selector, types, *amounts, [WETH, USDC, DAI], FRIEND, LATER)
    way = hops((pair(WETH, USDC), WETH, USDC), (pair(USDC, DAI), USDC, DAI))
    targets = Targets({router.address: router})
    steps = decode_pending(sent(router.address, data, value), targets)
    assert steps == (SwapIntent(way, *wanted, TRADER, FRIEND),)


def test_a_forks_router_trades_the_forks_pairs() -> None:
    data = call("38ed1739", TWO, 7, 5, [WETH, USDC], FRIEND, LATER)
    found = set()
    for router in FORKS:
        steps = decode_pending(sent(router.address, data), Targets({router.address: router}))
        assert not isinstance(steps, Refusal)
        found |= {hop.pool_id for step in steps if isinstance(step, SwapIntent) for hop in step.hops}
    sushi = "0x397ff1542f962076d0bfe58ea045ffa2d347aca0"
    assert found == {"0xb4e16d0168e52d35cacd2c6185b44281ec28c9dc", sushi}


# --- Uniswap V3


def test_the_first_v3_router_takes_single_pools_and_paths() -> None:
    single = (WETH, USDC, 500, FRIEND, LATER, 7, 5, 3)
    (found,) = swaps(sent(FIRST_V3, call("414bf389", SINGLE_WITH_DEADLINE, single)))
    way = hops((v3_pool(WETH, USDC, 500), WETH, USDC))
    assert found == SwapIntent(way, False, 7, 5, TRADER, FRIEND, price_limit=3)
    (found,) = swaps(sent(FIRST_V3, call("db3e2198", SINGLE_WITH_DEADLINE, single)))
    assert found == SwapIntent(way, True, 7, 5, TRADER, FRIEND, price_limit=3)
    terms = (packed(WETH, 500, USDC, 3000, DAI), FRIEND, LATER, 7, 5)
    types = "(bytes,address,uint256,uint256,uint256)"
    (found,) = swaps(sent(FIRST_V3, call("c04b8d59", types, terms)))
    way = hops((v3_pool(WETH, USDC, 500), WETH, USDC), (v3_pool(USDC, DAI, 3000), USDC, DAI))
    assert found == SwapIntent(way, False, 7, 5, TRADER, FRIEND)
    terms = (packed(DAI, 3000, USDC, 500, WETH), FRIEND, LATER, 7, 5)
    (found,) = swaps(sent(FIRST_V3, call("f28c0498", types, terms)))
    assert found == SwapIntent(way, True, 7, 5, TRADER, FRIEND)


def test_calls_in_one_are_read_in_order_and_what_is_no_swap_is_passed_over() -> None:
    swap = call("414bf389", SINGLE_WITH_DEADLINE, (WETH, USDC, 500, "0x" + "00" * 20, LATER, 7, 5, 0))
    unwrap = call("49404b7c", "uint256,address", 5, FRIEND)
    found = swaps(sent(FIRST_V3, call("ac9650d8", "bytes[]", [swap, unwrap, swap])))
    assert [each.recipient for each in found] == [FIRST_V3, FIRST_V3]  # nobody means the router itself


@pytest.mark.parametrize(
    ("selector", "types", "before"),
    [
        ("ac9650d8", "bytes[]", ()),
        ("5ae401dc", "uint256,bytes[]", (LATER,)),
        ("1f0464d1", "bytes32,bytes[]", (POOL,)),
    ],
)
def test_the_second_swap_router_takes_calls_of_both_kinds(
    selector: str, types: str, before: tuple[Any, ...]
) -> None:
    calls = [
        call("04e45aaf", SINGLE, (WETH, USDC, 500, ROUTER, 7, 0, 0)),
        call("472b43f3", "uint256,uint256,address[],address", 0, 5, [USDC, DAI], SENDER),
        call("5023b4df", SINGLE, (WETH, USDC, 500, FRIEND, 7, 9, 0)),
        call("42712a67", "uint256,uint256,address[],address", 7, 9, [USDC, DAI], FRIEND),
        call("b858183f", "(bytes,address,uint256,uint256)", (packed(WETH, 500, USDC), FRIEND, 0, 1)),
        call("09b81346", "(bytes,address,uint256,uint256)", (packed(USDC, 500, WETH), FRIEND, 7, 9)),
    ]
    v2_way, v3_way = hops((pair(USDC, DAI), USDC, DAI)), hops((v3_pool(WETH, USDC, 500), WETH, USDC))
    assert swaps(sent(SECOND, call(selector, types, *before, calls))) == [
        SwapIntent(v3_way, False, 7, 0, TRADER, SECOND),
        SwapIntent(v2_way, False, None, 5, SECOND, TRADER),
        SwapIntent(v3_way, True, 7, 9, TRADER, FRIEND),
        SwapIntent(v2_way, True, 7, 9, TRADER, FRIEND, requotes=True),
        SwapIntent(v3_way, False, None, 1, SECOND, FRIEND),
        SwapIntent(v3_way, True, 7, 9, TRADER, FRIEND),
    ]


# --- Universal Router

V3_TYPES, V2_TYPES = "address,uint256,uint256,bytes,bool", "address,uint256,uint256,address[],bool"


def test_commands_of_the_universal_router_trade_pairs_and_pools() -> None:
    found = swaps(
        plan(
            (0x0A, "uint256", (1,)),  # a permit
            (0x00, V3_TYPES, (FRIEND, 7, 5, packed(WETH, 500, USDC), True)),
            (0x01, V3_TYPES, (SENDER, 7, 9, packed(USDC, 500, WETH), False)),
            (0x88, V2_TYPES, (FRIEND, 7, 5, [USDC, DAI], True)),
            (0x09, V2_TYPES, (FRIEND, 7, 9, [USDC, DAI], True)),
        )
    )
    v2_way, v3_way = hops((pair(USDC, DAI), USDC, DAI)), hops((v3_pool(WETH, USDC, 500), WETH, USDC))
    assert found == [
        SwapIntent(v3_way, False, 7, 5, TRADER, FRIEND),
        SwapIntent(v3_way, True, 7, 9, UNIVERSAL.address, TRADER),
        SwapIntent(v2_way, False, 7, 5, TRADER, FRIEND),
        SwapIntent(v2_way, True, 7, 9, TRADER, FRIEND, requotes=True),
    ]


def test_newer_inputs_with_a_greatest_price_for_each_hop_are_read_too() -> None:
    terms = (FRIEND, 7, 5, packed(WETH, 500, USDC), True, [])
    (found,) = swaps(plan((0x00, f"{V3_TYPES},uint256[]", terms)))
    assert (found.amount, found.limit) == (7, 5)


def test_a_plan_within_a_plan_is_followed_but_not_for_ever() -> None:
    swap = plan((0x08, V2_TYPES, (FRIEND, 7, 5, [USDC, DAI], True)))
    inner = swap
    for _ in range(2):
        commands, inputs = _plan_of(inner)
        inner = plan((0x21, "bytes,bytes[]", (commands, inputs)))
        assert swaps(inner) == swaps(swap)
    commands, inputs = _plan_of(inner)
    refusal = decode_pending(plan((0x21, "bytes,bytes[]", (commands, inputs))), TARGETS)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.PENDING_UNDECODABLE


def test_a_plan_within_a_plan_may_fail_alone() -> None:
    commands, inputs = _plan_of(plan((0x08, V2_TYPES, (FRIEND, 7, 5, [USDC, DAI], True))))
    steps = decode_pending(plan((0xA1, "bytes,bytes[]", (commands, inputs))), TARGETS)
    assert not isinstance(steps, Refusal)
    assert isinstance(steps[-1], Attempt)
    assert len(list(swaps_in(steps))) == 1


def _plan_of(transaction: PendingTransaction) -> tuple[bytes, list[bytes]]:
    commands, inputs, _ = decode(["bytes", "bytes[]", "uint256"], transaction.input[4:])
    return commands, list(inputs)


KEY = "(address,address,uint24,int24,address)"
PATH_KEY = "(address,uint24,int24,address,bytes)"


@pytest.mark.parametrize(
    "types", [f"({KEY},bool,uint128,uint128,bytes)", f"({KEY},bool,uint128,uint128,uint256,bytes)"]
)
def test_v4_swaps_of_one_pool_are_read(types: str) -> None:
    more = (0,) if "uint256" in types else ()
    wanted = hops((V4_ID, "0x" + "00" * 20, USDC))
    (found,) = swaps(plan(v4((0x06, types, ((V4_KEY, True, 7, 5, *more, b""),)))))
    assert found == SwapIntent(wanted, False, 7, 5, MANAGER, MANAGER)
    (found,) = swaps(plan(v4((0x08, types, ((V4_KEY, True, 7, 9, *more, b""),)))))
    assert found == SwapIntent(wanted, True, 7, 9, MANAGER, MANAGER)


@pytest.mark.parametrize("priced", [False, True])
def test_v4_paths_are_read(priced: bool) -> None:
    types = f"(address,{PATH_KEY}[],{'uint256[],' * priced}uint128,uint128)"
    more = ([],) if priced else ()
    native = "0x" + "00" * 20
    step = (USDC, 500, 10, native, b"")
    (found,) = swaps(plan(v4((0x07, types, ((native, [step], *more, 7, 5),)))))
    assert found == SwapIntent(hops((V4_ID, native, USDC)), False, 7, 5, MANAGER, MANAGER)
    step = (native, 500, 10, native, b"")
    (found,) = swaps(plan(v4((0x09, types, ((USDC, [step], *more, 7, 9),)))))
    assert found == SwapIntent(hops((V4_ID, native, USDC)), True, 7, 9, MANAGER, MANAGER)


# --- Balancer V2's vault

SWAP = "(bytes32,uint8,address,address,uint256,bytes),(address,bool,address,bool),uint256,uint256"
BATCH = (
    "uint8,(bytes32,uint256,uint256,uint256,bytes)[],address[],(address,bool,address,bool),int256[],uint256"
)
FUNDS = (TRADER, False, FRIEND, False)
OTHER = b"\x06" * 32


def test_a_swap_of_the_vault_is_read_and_ether_means_its_token() -> None:
    terms = (POOL, 0, "0x" + "00" * 20, USDC, 7, b"")
    (found,) = swaps(sent(VAULT, call("52bbbe29", SWAP, terms, FUNDS, 5, LATER)))
    assert found == SwapIntent(hops(("0x" + POOL.hex(), WETH, USDC)), False, 7, 5, TRADER, FRIEND)


def test_steps_of_a_batch_without_an_amount_continue_the_route() -> None:
    steps = [(POOL, 0, 1, 7, b""), (OTHER, 1, 2, 0, b"")]
    data = call("945bcec9", BATCH, 0, steps, [WETH, USDC, DAI], FUNDS, [7, 0, -5], LATER)
    way = hops(("0x" + POOL.hex(), WETH, USDC), ("0x" + OTHER.hex(), USDC, DAI))
    assert swaps(sent(VAULT, data)) == [SwapIntent(way, False, 7, 5, TRADER, FRIEND)]
    steps = [(OTHER, 1, 2, 7, b""), (POOL, 0, 1, 0, b"")]  # exact output: from its end
    data = call("945bcec9", BATCH, 1, steps, [WETH, USDC, DAI], FUNDS, [9, 0, -7], LATER)
    assert swaps(sent(VAULT, data)) == [SwapIntent(way, True, 7, 9, TRADER, FRIEND)]


def test_routes_of_a_batch_share_its_limits_so_none_has_its_own() -> None:
    steps = [(POOL, 0, 1, 7, b""), (OTHER, 0, 1, 8, b"")]
    data = call("945bcec9", BATCH, 0, steps, [WETH, USDC], FUNDS, [15, -5], LATER)
    assert [(each.amount, each.limit) for each in swaps(sent(VAULT, data))] == [(7, None), (8, None)]


# --- pools themselves


def test_pools_that_are_called_directly_are_read() -> None:
    place = pair(WETH, USDC)
    data = call("022c0d9f", "uint256,uint256,address,bytes", 0, 7, FRIEND, b"")
    (found,) = swaps(sent(place, data))
    assert found == SwapIntent(hops((place, USDC, WETH)), True, 7, None, TRADER, FRIEND)
    place = v3_pool(WETH, USDC, 500)
    types = "address,bool,int256,uint160,bytes"
    (found,) = swaps(sent(place, call("128acb08", types, FRIEND, True, 7, 3, b"")))
    assert found == SwapIntent(hops((place, USDC, WETH)), False, 7, None, TRADER, FRIEND, price_limit=3)
    (found,) = swaps(sent(place, call("128acb08", types, FRIEND, False, -7, 3, b"")))
    assert found == SwapIntent(hops((place, WETH, USDC)), True, 7, None, TRADER, FRIEND, price_limit=3)


# --- what is not understood

UNKNOWN = {
    "another contract": (sent("0x" + "99" * 20, b"\x38\xed\x17\x39"), Reason.PENDING_UNKNOWN_TARGET),
    "liquidity": (sent(V2.address, bytes.fromhex("e8e33700")), Reason.PENDING_UNKNOWN_CALL),
    "no calldata": (sent(V2.address, b""), Reason.PENDING_UNKNOWN_CALL),
    "a plan without swaps": (
        plan((0x0B, "address,uint256", (ROUTER, 1)), value=1),
        Reason.PENDING_UNKNOWN_CALL,
    ),
    "nothing but a selector": (sent(V2.address, bytes.fromhex("38ed1739")), Reason.PENDING_UNDECODABLE),
    "a path of one token": (
        sent(V2.address, call("38ed1739", TWO, 7, 5, [WETH], FRIEND, LATER)),
        Reason.PENDING_UNDECODABLE,
    ),
    "a pool of one token": (
        sent(V2.address, call("38ed1739", TWO, 7, 5, [WETH, WETH], FRIEND, LATER)),
        Reason.PENDING_UNDECODABLE,
    ),
    "a path that goes round and round": (
        sent(V2.address, call("38ed1739", TWO, 7, 5, [WETH, USDC] * 150, FRIEND, LATER)),
        Reason.PENDING_UNDECODABLE,
    ),
    "too much calldata": (
        sent(V2.address, bytes.fromhex("38ed1739") + bytes(2**17)),
        Reason.PENDING_UNDECODABLE,
    ),
    "commands without inputs": (
        sent(UNIVERSAL.address, call("24856bc3", "bytes,bytes[]", b"\x00\x00", [b""])),
        Reason.PENDING_UNDECODABLE,
    ),
    "a batch that begins with no amount": (
        sent(VAULT, call("945bcec9", BATCH, 0, [(POOL, 0, 1, 0, b"")], [WETH, USDC], FUNDS, [1, 0], LATER)),
        Reason.PENDING_UNDECODABLE,
    ),
    "a token beyond the batch's": (
        sent(VAULT, call("945bcec9", BATCH, 0, [(POOL, 0, 9, 7, b"")], [WETH, USDC], FUNDS, [1, 0], LATER)),
        Reason.PENDING_UNDECODABLE,
    ),
    "both tokens of a pair": (
        sent(pair(WETH, USDC), call("022c0d9f", "uint256,uint256,address,bytes", 1, 1, FRIEND, b"x")),
        Reason.PENDING_UNDECODABLE,
    ),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_is_not_understood_has_a_reason(name: str) -> None:
    transaction, reason = UNKNOWN[name]
    refusal = decode_pending(transaction, TARGETS)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is reason


def test_a_contract_that_is_being_made_is_no_target() -> None:
    refusal = decode_pending(sent(None, b"\x60\x80\x60\x40"), TARGETS)  # type: ignore[arg-type]
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.PENDING_UNKNOWN_TARGET


def test_routers_are_known_where_there_is_a_public_mempool_and_nowhere_else() -> None:
    for name in network_names():
        network = load_network(name)
        routers = known_routers(network)
        assert len({router.address for router in routers}) == len(routers)
        assert all(router.address == router.address.lower() for router in routers)
        assert (len(routers) > 1) == network.orderflow.public_mempool
