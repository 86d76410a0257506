"""Uniswap's second swap router: V2 pairs and V3 pools, no deadlines, and its own balance as an amount.

References
----------
Uniswap swap-router-contracts, ``SwapRouter02``, ``V2SwapRouter``, ``V3SwapRouter`` and
``PeripheryPaymentsExtended``.
"""

from __future__ import annotations

from chain.blocks import Address
from market.pending.calldata import arguments, selector
from market.pending.intents import NATIVE, Step, SwapIntent, TokenMove
from market.pending.targets import Call, Reader, Router, reader_of
from market.pending.v3_router import hops_of, together

_SINGLE = "(address,address,uint24,address,uint256,uint256,uint160)"
_PATH = "(bytes,address,uint256,uint256)"
_V2 = "uint256,uint256,address[],address"
_MULTICALLS = {
    selector("multicall(bytes[])"): ["bytes[]"],
    selector("multicall(uint256,bytes[])"): ["uint256", "bytes[]"],
    selector("multicall(bytes32,bytes[])"): ["bytes32", "bytes[]"],
}
_SENDER, _ROUTER = (f"0x{number:040x}" for number in (1, 2))


def decode_swap_router_02(router: Router, call: Call) -> tuple[Step, ...]:
    """Return what a call of the second swap router asks for.

    Raises
    ------
    NotDecoded
        If there is no swap in it, or it is malformed.
    """
    here = TokenMove(NATIVE, call.sender, router.address, call.value)
    types = _MULTICALLS.get(call.data[:4])
    if types is not None:
        calls = arguments(types, call.data[4:])[-1]
        return (here, *together(router, call, calls, _FUNCTIONS))
    return (here, *reader_of(_FUNCTIONS, call)(router, call))


def recipient_of(router: Router, sender: Address, to: Address) -> Address:
    """Return whom an address in calldata means: 1 stands for the sender, 2 for the router."""
    return {_SENDER: sender, _ROUTER: router.address}.get(to, to)


def _single(router: Router, call: Call, exact_out: bool) -> tuple[Step, ...]:
    (fields,) = arguments([_SINGLE], call.data[4:])
    token_in, token_out, fee, to, amount, limit, price_limit = fields
    hops = router.pools((token_in, token_out), (fee,))
    recipient = recipient_of(router, call.sender, to)
    if amount == 0 and not exact_out:
        return (SwapIntent(hops, False, None, limit, router.address, recipient, price_limit),)
    return (SwapIntent(hops, exact_out, amount, limit, call.sender, recipient, price_limit),)


def _path(router: Router, call: Call, exact_out: bool) -> tuple[Step, ...]:
    (fields,) = arguments([_PATH], call.data[4:])
    path, to, amount, limit = fields
    hops = hops_of(router, path, exact_out)
    recipient = recipient_of(router, call.sender, to)
    if amount == 0 and not exact_out:
        return (SwapIntent(hops, False, None, limit, router.address, recipient),)
    return (SwapIntent(hops, exact_out, amount, limit, call.sender, recipient),)


def _pairs(router: Router, call: Call, exact_out: bool) -> tuple[Step, ...]:
    amount, limit, path, to = arguments(_V2.split(","), call.data[4:])
    hops = router.pairs(path)
    recipient = recipient_of(router, call.sender, to)
    if amount == 0 and not exact_out:
        return (SwapIntent(hops, False, None, limit, router.address, recipient),)
    return (SwapIntent(hops, exact_out, amount, limit, call.sender, recipient, requotes=exact_out),)


def _pull(router: Router, call: Call) -> tuple[Step, ...]:
    token, amount = arguments(["address", "uint256"], call.data[4:])
    return (TokenMove(token, call.sender, router.address, amount),)


def _wrap(router: Router, call: Call) -> tuple[Step, ...]:
    (amount,) = arguments(["uint256"], call.data[4:])
    here = router.address
    return (TokenMove(NATIVE, here, here, amount, becomes=router.wrapped_native),)


_FUNCTIONS: dict[bytes, Reader] = {
    selector(f"exactInputSingle({_SINGLE})"): lambda router, call: _single(router, call, False),
    selector(f"exactOutputSingle({_SINGLE})"): lambda router, call: _single(router, call, True),
    selector(f"exactInput({_PATH})"): lambda router, call: _path(router, call, False),
    selector(f"exactOutput({_PATH})"): lambda router, call: _path(router, call, True),
    selector(f"swapExactTokensForTokens({_V2})"): lambda router, call: _pairs(router, call, False),
    selector(f"swapTokensForExactTokens({_V2})"): lambda router, call: _pairs(router, call, True),
    selector("pull(address,uint256)"): _pull,
    selector("wrapETH(uint256)"): _wrap,
}
