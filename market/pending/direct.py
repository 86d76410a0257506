"""Calls of a pool itself: a V2 pair's ``swap`` and a V3 pool's ``swap``.

A pair is told only what to pay; what it is paid lies in its balance. The least input that it would
accept is assumed.
"""

from __future__ import annotations

from market.pending.calldata import arguments, selector, undecodable
from market.pending.intents import IntendedHop, Step, SwapIntent
from market.pending.targets import Call, unknown_call
from market.pools.spec import PoolSpec

_PAIR_SWAP = selector("swap(uint256,uint256,address,bytes)")
_POOL_SWAP = selector("swap(address,bool,int256,uint160,bytes)")


def decode_direct(spec: PoolSpec, call: Call) -> tuple[Step, ...]:
    """Return what a call of a pool asks for.

    Raises
    ------
    NotDecoded
        If it is no swap, or malformed.
    """
    if call.data[:4] == _PAIR_SWAP:
        out0, out1, recipient, _ = arguments(["uint256", "uint256", "address", "bytes"], call.data[4:])
        if (out0 == 0) == (out1 == 0):
            raise undecodable("a pair is asked for both tokens or for none")
        hop = _hop(spec, zero_for_one=out0 == 0)
        return (SwapIntent((hop,), True, out0 or out1, None, call.sender, recipient),)
    if call.data[:4] == _POOL_SWAP:
        types = ["address", "bool", "int256", "uint160", "bytes"]
        recipient, zero_for_one, amount, limit, _ = arguments(types, call.data[4:])
        hop = _hop(spec, zero_for_one)
        return (SwapIntent((hop,), amount < 0, abs(amount), None, call.sender, recipient, limit),)
    raise unknown_call(call)


def _hop(spec: PoolSpec, zero_for_one: bool) -> IntendedHop:
    token0, token1 = spec.tokens
    tokens = (token0, token1) if zero_for_one else (token1, token0)
    return IntendedHop(spec.pool_id, *tokens)
