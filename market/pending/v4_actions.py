"""Uniswap V4 behind a router: actions between locking and unlocking the PoolManager.

What is owed and what is due is settled at the end, so a swap is "paid" from the PoolManager's books
and pays into them; only what is deposited first and taken out later decides amounts left open.

References
----------
Uniswap V4 Periphery, ``V4Router``, ``Actions``, ``CalldataDecoder``, ``PathKey``.
"""

from __future__ import annotations

from chain.blocks import Address
from market.pending.calldata import WORD, arguments, inner_calls, undecodable
from market.pending.intents import IntendedHop, Step, SwapIntent, TokenMove
from market.pending.swap_router_02 import recipient_of
from market.pending.targets import Router
from market.pools.spec import PoolSpec
from market.pools.uniswap_v4 import pool_id_of

_IN_SINGLE, _IN, _OUT_SINGLE, _OUT = 0x06, 0x07, 0x08, 0x09
_SETTLE, _TAKE, _TAKE_ALL, _TAKE_PORTION = 0x0B, 0x0E, 0x0F, 0x10
_KEY = "(address,address,uint24,int24,address)"
_PATH_KEYS = "(address,uint24,int24,address,bytes)[]"
_WHOLE_BALANCE = 1 << 255
_MOST_ACTIONS = 64


def v4_steps(router: Router, sender: Address, data: bytes) -> tuple[Step, ...]:
    """Return what a string of actions asks for; actions that move nothing we follow are passed over.

    Raises
    ------
    NotDecoded
        If it is malformed.
    """
    actions, inputs = arguments(["bytes", "bytes[]"], data)
    if len(actions) != len(inputs) or len(actions) > _MOST_ACTIONS:
        raise undecodable(f"{len(actions)} actions with {len(inputs)} inputs, limit {_MOST_ACTIONS}")
    steps: list[Step] = []
    for action, fields in zip(actions, inner_calls(inputs, data), strict=True):
        if action in (_IN_SINGLE, _OUT_SINGLE):
            steps.append(_single(router, fields, action == _OUT_SINGLE))
        elif action in (_IN, _OUT):
            steps.append(_path(router, fields, action == _OUT))
        elif action in (_SETTLE, _TAKE, _TAKE_ALL, _TAKE_PORTION):
            steps += _payment(router, sender, action, fields)
    return tuple(steps)


def _single(router: Router, data: bytes, exact_out: bool) -> SwapIntent:
    key, zero_for_one, amount, limit = arguments([_KEY, "bool", "uint128", "uint128"], _struct(data))
    currency0, currency1, fee, spacing, hooks = key
    tokens = (currency0, currency1) if zero_for_one else (currency1, currency0)
    hop = _hop(router, *tokens, fee, spacing, hooks)
    return _intent(router, (hop,), exact_out, amount, limit)


def _path(router: Router, data: bytes, exact_out: bool) -> SwapIntent:
    """Read a path; newer routers have one more field, a greatest price for each hop.

    That price, input times 10**18 over output, is not followed: only the simulation tells when it reverts.
    """
    struct = _struct(data)
    fixed = ["address", _PATH_KEYS, "uint128", "uint128"]
    priced = ["address", _PATH_KEYS, "uint256[]", "uint128", "uint128"]
    _, path_at = arguments(["address", "uint256"], struct)
    fields = arguments(priced if path_at == len(priced) * WORD else fixed, struct)
    token, path, amount, limit = fields[0], fields[1], fields[-2], fields[-1]
    hops = []
    for other, fee, spacing, hooks, _ in path[::-1] if exact_out else path:
        hops.append(_hop(router, *((other, token) if exact_out else (token, other)), fee, spacing, hooks))
        token = other
    if not hops:
        raise undecodable("a path without pools")
    return _intent(router, tuple(hops[::-1] if exact_out else hops), exact_out, amount, limit)


def _intent(
    router: Router, hops: tuple[IntendedHop, ...], exact_out: bool, amount: int, limit: int
) -> SwapIntent:
    if amount == 0 and exact_out:
        raise undecodable("the output is whatever is owed by then")
    books = router.pool_manager
    return SwapIntent(hops, exact_out, amount or None, limit, books, books)


def _hop(
    router: Router, token_in: Address, token_out: Address, fee: int, spacing: int, hooks: Address
) -> IntendedHop:
    tokens = (token_in, token_out) if int(token_in, 16) < int(token_out, 16) else (token_out, token_in)
    if spacing <= 0 or token_in == token_out:
        raise undecodable("a pool key that no pool has")
    manager = router.pool_manager
    spec = PoolSpec("uniswap_v4", "", manager, tokens, fee, tick_spacing=spacing, hooks=hooks)
    return IntendedHop(pool_id_of(spec), token_in, token_out)


def _payment(router: Router, sender: Address, action: int, data: bytes) -> tuple[TokenMove, ...]:
    books = router.pool_manager
    if action == _SETTLE:
        token, amount, from_sender = arguments(["address", "uint256", "bool"], data)
        if amount == 0:  # whatever is owed: it ends a debt and decides no amount
            return ()
        payer = sender if from_sender else router.address
        return (TokenMove(token, payer, books, None if amount == _WHOLE_BALANCE else amount),)
    if action == _TAKE_ALL:
        token, _ = arguments(["address", "uint256"], data)
        return (TokenMove(token, books, sender, None),)
    token, to, amount = arguments(["address", "address", "uint256"], data)
    target = recipient_of(router, sender, to)
    if action == _TAKE_PORTION:
        return (TokenMove(token, books, target, None, share=amount),)
    return (TokenMove(token, books, target, amount or None),)


def _struct(data: bytes) -> bytes:
    """Return where a struct with fields of any length begins."""
    (start,) = arguments(["uint256"], data)
    return data[start : len(data)] if start < len(data) else b""
