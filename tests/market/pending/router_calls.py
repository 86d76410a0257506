"""Calls of Uniswap's routers, by the names of their functions and the numbers of their commands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chain.devnet.calldata import encode_arguments, encode_call
from chain.pending_transactions import PendingTransaction
from market.pending.intents import NATIVE
from tests.market.pending.router_stage import DAI_DOLLARS, ETHER_DOLLARS, KEY, SWAP_ROUTER_02, V2_ROUTER
from tests.market.pending.routes import FRIEND, LATER, ROUTER, SENDER, packed, sent

ANY, TOO_MUCH = 1, 10**30
"""Least outputs, or most inputs: one that every swap keeps, and one that none reaches."""


def by_v2_router(function: str, *arguments: Any, value: int = 0) -> PendingTransaction:
    amounts = "uint256," * (len(arguments) - 1)
    data = encode_call(f"{function}({amounts}address[],address,uint256)", *arguments, FRIEND, LATER)
    return sent(V2_ROUTER, data, value)


def by_swap_router_02(*calls: bytes, value: int = 0) -> PendingTransaction:
    if len(calls) == 1:
        return sent(SWAP_ROUTER_02, calls[0], value)
    return sent(SWAP_ROUTER_02, encode_call("multicall(uint256,bytes[])", LATER, calls), value)


def single(function: str, token_in: str, token_out: str, recipient: str, *amounts: int) -> bytes:
    terms = (token_in, token_out, 500, recipient, *amounts, 0)
    return encode_call(f"{function}((address,address,uint24,address,uint256,uint256,uint160))", terms)


def along(function: str, way: bytes, *amounts: int) -> bytes:
    return encode_call(f"{function}((bytes,address,uint256,uint256))", (way, FRIEND, *amounts))


def pairs(function: str, *amounts: int, way: list[str], recipient: str = SENDER) -> bytes:
    return encode_call(f"{function}(uint256,uint256,address[],address)", *amounts, way, recipient)


Command = tuple[int, str, tuple[Any, ...]]
"""A command of the Universal Router or an action of V4: number, types, arguments."""
V2_TYPES, V3_TYPES = (f"address,uint256,uint256,{way},bool" for way in ("address[]", "bytes"))
UNWRAP_REST: Command = (0x0C, "address,uint256", (SENDER, 0))


def wrap(amount: int) -> Command:
    return 0x0B, "address,uint256", (ROUTER, amount)


def v2_sell(amount: int, *way: str, least: int = ANY) -> Command:
    return 0x08, V2_TYPES, (SENDER, amount, least, way, False)


def v2_buy(amount: int, *way: str) -> Command:
    return 0x09, V2_TYPES, (SENDER, amount, TOO_MUCH, way, False)


def v3_sell(amount: int, *way: str | int, least: int = ANY, recipient: str = SENDER) -> Command:
    return 0x00, V3_TYPES, (recipient, amount, least, packed(*way), False)


def v3_buy(amount: int, *way: str | int) -> Command:
    return 0x01, V3_TYPES, (SENDER, amount, TOO_MUCH, packed(*way), False)


def sub_plan(*commands: Command) -> Command:
    inputs = [encode_arguments(types, *arguments) for _, types, arguments in commands]
    return 0x21, "bytes,bytes[]", (bytes(number for number, _, _ in commands), inputs)


def may_fail(command: Command) -> Command:
    return (command[0] | 0x80, *command[1:])


SINGLE = f"({KEY},bool,uint128,uint128,bytes)"
PATH = "(address,(address,uint24,int24,address,bytes)[],uint256[],uint128,uint128)"
"""The form of version 2.1: a greatest price for each hop, none or all; input * 10**18 / output, raw units."""
PAY_DEBT: Command = (0x0B, "address,uint256,bool", (NATIVE, 0, False))
SWEEP_ETHER: Command = (0x04, "address,address,uint256", (NATIVE, SENDER, 0))


def v4_single(number: int, amount: int, limit: int) -> Command:
    return number, SINGLE, ((ETHER_DOLLARS, True, amount, limit, b""),)


def v4_path(
    number: int, first: str, others: tuple[str, str], amount: int, limit: int, prices: Sequence[int] = ()
) -> Command:
    """Go along both V4 pools; ``others`` are the currencies after the first."""
    keys = [(other, *pool[2:], b"") for other, pool in zip(others, (ETHER_DOLLARS, DAI_DOLLARS), strict=True)]
    return number, PATH, ((first, keys, prices, amount, limit),)


def take_all(token: str) -> Command:
    return 0x0F, "address,uint256", (token, 0)


def take(token: str, recipient: str) -> Command:
    return 0x0E, "address,address,uint256", (token, recipient, 0)
