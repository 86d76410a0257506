"""Balancer V2's vault: one swap, or a batch whose steps pass amounts on.

A step without an amount takes what the step before it gave, so such steps are one route.

References
----------
Balancer V2, ``IVault``, ``Swaps``; a step without an amount: ``Swaps._swapWithPools``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chain.blocks import Address
from market.pending.calldata import arguments, selector, undecodable
from market.pending.intents import NATIVE, IntendedHop, Step, SwapIntent
from market.pending.targets import Call, Router, unknown_call

_FUNDS = "(address,bool,address,bool)"
_SWAP = ["(bytes32,uint8,address,address,uint256,bytes)", _FUNDS, "uint256", "uint256"]
_BATCH = [
    "uint8",
    "(bytes32,uint256,uint256,uint256,bytes)[]",
    "address[]",
    _FUNDS,
    "int256[]",
    "uint256",
]
_SWAP_SELECTOR = selector(f"swap({','.join(_SWAP)})")
_BATCH_SELECTOR = selector(f"batchSwap({','.join(_BATCH)})")
_GIVEN_OUT = 1


def decode_vault(router: Router, call: Call) -> tuple[Step, ...]:
    """Return what a call of the vault asks for.

    Raises
    ------
    NotDecoded
        If it is no swap, or malformed.
    """
    if call.data[:4] == _SWAP_SELECTOR:
        return _one(router, arguments(_SWAP, call.data[4:]))
    if call.data[:4] == _BATCH_SELECTOR:
        return _batch(router, arguments(_BATCH, call.data[4:]))
    raise unknown_call(call)


def _one(router: Router, fields: Sequence[Any]) -> tuple[Step, ...]:
    (pool_id, kind, asset_in, asset_out, amount, _), (payer, _, recipient, _), limit, _ = fields
    hop = IntendedHop("0x" + pool_id.hex(), _token(router, asset_in), _token(router, asset_out))
    return (SwapIntent((hop,), kind == _GIVEN_OUT, amount, limit, payer, recipient),)


def _batch(router: Router, fields: Sequence[Any]) -> tuple[Step, ...]:
    kind, swaps, assets, (payer, _, recipient, _), limits, _ = fields
    exact_out = kind == _GIVEN_OUT
    tokens = [_token(router, asset) for asset in assets]
    if len(limits) != len(tokens):
        raise undecodable(f"{len(limits)} limits for {len(tokens)} tokens")
    routes: list[tuple[int, list[IntendedHop]]] = []
    for pool_id, at_in, at_out, amount, _ in swaps:
        if max(at_in, at_out) >= len(tokens):
            raise undecodable(f"token {max(at_in, at_out)} of {len(tokens)}")
        hop = IntendedHop("0x" + pool_id.hex(), tokens[at_in], tokens[at_out])
        if amount:
            routes.append((amount, [hop]))
        elif routes and _continues(routes[-1][1][-1], hop, exact_out):
            routes[-1][1].append(hop)
        else:
            raise undecodable("a step without an amount does not continue the one before it")
    bounds = dict(zip(tokens, limits, strict=True))
    only = len(routes) == 1
    steps = []
    for amount, hops in routes:
        way = tuple(hops[::-1] if exact_out else hops)
        limit = _limit(bounds, way, exact_out) if only else None  # limits are of all routes together
        steps.append(SwapIntent(way, exact_out, amount, limit, payer, recipient))
    return tuple(steps)


def _continues(before: IntendedHop, hop: IntendedHop, exact_out: bool) -> bool:
    return before.token_in == hop.token_out if exact_out else before.token_out == hop.token_in


def _limit(bounds: dict[Address, int], way: tuple[IntendedHop, ...], exact_out: bool) -> int:
    """Return the bound on what the vault is paid, or on what it pays, which has a negative sign."""
    return max(bounds[way[0].token_in], 0) if exact_out else max(-bounds[way[-1].token_out], 0)


def _token(router: Router, asset: Address) -> Address:
    return router.wrapped_native if asset == NATIVE else asset
