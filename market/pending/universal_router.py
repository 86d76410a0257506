"""Uniswap's Universal Router: a string of one-byte commands, each with its own input.

Commands that trade no pool (permits, NFT purchases, positions) are passed over; whether they
let the transaction through is for the simulation to say. The flag that lets a command fail does
nothing for a swap, whose failure ends the transaction all the same; only a plan within the plan
can fail alone.

References
----------
Uniswap universal-router, ``Commands``, ``Dispatcher``, ``V2SwapRouter``, ``V3SwapRouter``, ``Payments``.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum

from chain.blocks import Address
from market.pending.calldata import arguments, inner_calls, selector, undecodable
from market.pending.intents import NATIVE, Attempt, Step, SwapIntent, TokenMove
from market.pending.swap_router_02 import recipient_of
from market.pending.targets import Call, Router, unknown_call
from market.pending.v3_router import hops_of
from market.pending.v4_actions import v4_steps

_EXECUTE = {
    selector("execute(bytes,bytes[],uint256)"): ["bytes", "bytes[]", "uint256"],
    selector("execute(bytes,bytes[])"): ["bytes", "bytes[]"],
}
_MAY_FAIL, _COMMAND = 0x80, 0x7F
_WHOLE_BALANCE = 1 << 255
_MOST_COMMANDS, _DEEPEST = 64, 2


class Command(IntEnum):
    """Commands that trade, or that decide what a later one trades."""

    V3_SWAP_EXACT_IN = 0x00
    V3_SWAP_EXACT_OUT = 0x01
    PERMIT2_TRANSFER_FROM = 0x02
    SWEEP = 0x04
    TRANSFER = 0x05
    PAY_PORTION = 0x06
    V2_SWAP_EXACT_IN = 0x08
    V2_SWAP_EXACT_OUT = 0x09
    WRAP_ETH = 0x0B
    UNWRAP_WETH = 0x0C
    V4_SWAP = 0x10
    EXECUTE_SUB_PLAN = 0x21


def decode_universal(router: Router, call: Call) -> tuple[Step, ...]:
    """Return what a call of the Universal Router asks for.

    Raises
    ------
    NotDecoded
        If there is no plan in it, or it is malformed.
    """
    types = _EXECUTE.get(call.data[:4])
    if types is None:
        raise unknown_call(call)
    commands, inputs, *_ = arguments(types, call.data[4:])
    here = TokenMove(NATIVE, call.sender, router.address, call.value)
    return (here, *_plan(router, call, commands, inputs, depth=0))


def _plan(
    router: Router, call: Call, commands: bytes, inputs: tuple[bytes, ...], depth: int
) -> Iterator[Step]:
    if len(commands) != len(inputs) or len(commands) > _MOST_COMMANDS:
        raise undecodable(f"{len(commands)} commands with {len(inputs)} inputs, limit {_MOST_COMMANDS}")
    for command, data in zip(commands, inner_calls(inputs, call.data), strict=True):
        if command & _COMMAND != Command.EXECUTE_SUB_PLAN:
            yield from _steps(router, call.sender, command & _COMMAND, data)
            continue
        if depth == _DEEPEST:
            raise undecodable("a plan within plans that lies too deep")
        inner_commands, inner_inputs = arguments(["bytes", "bytes[]"], data)
        inside = Call(call.sender, call.value, data)
        inner = _plan(router, inside, inner_commands, inner_inputs, depth + 1)
        if command & _MAY_FAIL:
            yield Attempt(tuple(inner))
        else:
            yield from inner


def _steps(router: Router, sender: Address, kind: int, data: bytes) -> tuple[Step, ...]:
    match kind:
        case Command.V3_SWAP_EXACT_IN | Command.V3_SWAP_EXACT_OUT:
            return (_v3(router, sender, data, kind == Command.V3_SWAP_EXACT_OUT),)
        case Command.V2_SWAP_EXACT_IN | Command.V2_SWAP_EXACT_OUT:
            return (_v2(router, sender, data, kind == Command.V2_SWAP_EXACT_OUT),)
        case Command.V4_SWAP if router.pool_manager:
            return v4_steps(router, sender, data)
        case Command.WRAP_ETH | Command.UNWRAP_WETH:
            return (_wrap(router, sender, data, kind == Command.WRAP_ETH),)
        case Command.PERMIT2_TRANSFER_FROM | Command.SWEEP | Command.TRANSFER | Command.PAY_PORTION:
            return (_transfer(router, sender, kind, data),)
    return ()


def _v3(router: Router, sender: Address, data: bytes, exact_out: bool) -> SwapIntent:
    to, amount, limit, path, from_sender = arguments(["address", "uint256", "uint256", "bytes", "bool"], data)
    hops, recipient = hops_of(router, path, exact_out), recipient_of(router, sender, to)
    if amount == _WHOLE_BALANCE and not exact_out:
        return SwapIntent(hops, False, None, limit, router.address, recipient)
    payer = sender if from_sender else router.address
    return SwapIntent(hops, exact_out, amount, limit, payer, recipient)


def _v2(router: Router, sender: Address, data: bytes, exact_out: bool) -> SwapIntent:
    to, amount, limit, path, from_sender = arguments(
        ["address", "uint256", "uint256", "address[]", "bool"], data
    )
    hops, recipient = router.pairs(path), recipient_of(router, sender, to)
    if amount == _WHOLE_BALANCE and not exact_out:
        return SwapIntent(hops, False, None, limit, router.address, recipient)
    if amount == 0 and not exact_out:  # an earlier command has paid the pair
        return SwapIntent(hops, False, None, limit, hops[0].pool_id, recipient)
    payer = sender if from_sender else router.address
    return SwapIntent(hops, exact_out, amount, limit, payer, recipient, requotes=exact_out)


def _wrap(router: Router, sender: Address, data: bytes, wraps: bool) -> TokenMove:
    to, amount = arguments(["address", "uint256"], data)
    here, wrapped, target = router.address, router.wrapped_native, recipient_of(router, sender, to)
    if wraps:
        return TokenMove(NATIVE, here, target, None if amount == _WHOLE_BALANCE else amount, becomes=wrapped)
    return TokenMove(wrapped, here, target, None, becomes=NATIVE)  # all of it, at least the amount


def _transfer(router: Router, sender: Address, kind: int, data: bytes) -> TokenMove:
    token, to, amount = arguments(["address", "address", "uint256"], data)
    here, target = router.address, recipient_of(router, sender, to)
    match kind:
        case Command.PERMIT2_TRANSFER_FROM:
            return TokenMove(token, sender, target, amount)
        case Command.PAY_PORTION:
            return TokenMove(token, here, target, None, share=amount)
        case Command.TRANSFER if amount != _WHOLE_BALANCE:
            return TokenMove(token, here, target, amount)
    return TokenMove(token, here, target, None)
