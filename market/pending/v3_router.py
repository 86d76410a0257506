"""Uniswap V3's first router: single pools and packed paths, several calls in one.

References
----------
Uniswap V3 Periphery, ``SwapRouter`` and ``Multicall``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chain.blocks import Address
from market.pending.calldata import arguments, inner_calls, packed_path, selector, undecodable
from market.pending.intents import NATIVE, IntendedHop, Step, SwapIntent
from market.pending.targets import Call, Reader, Router, reader_of

_SINGLE = "(address,address,uint24,address,uint256,uint256,uint256,uint160)"
_PATH = "(bytes,address,uint256,uint256,uint256)"
_MULTICALL = selector("multicall(bytes[])")
_MOST_CALLS = 64


def decode_v3(router: Router, call: Call) -> tuple[Step, ...]:
    """Return what a call of the V3 router asks for.

    Raises
    ------
    NotDecoded
        If there is no swap in it, or it is malformed.
    """
    if call.data[:4] == _MULTICALL:
        (calls,) = arguments(["bytes[]"], call.data[4:])
        return together(router, call, calls, V3_FUNCTIONS)
    return reader_of(V3_FUNCTIONS, call)(router, call)


def together(
    router: Router, call: Call, calls: Sequence[bytes], functions: Mapping[bytes, Reader]
) -> tuple[Step, ...]:
    """Return what the calls inside a call ask for; those that are no swap are passed over.

    Raises
    ------
    NotDecoded
        If one is malformed, or there are too many.
    """
    if len(calls) > _MOST_CALLS:
        raise undecodable(f"{len(calls)} calls in one, limit {_MOST_CALLS}")
    steps: list[Step] = []
    for data in inner_calls(calls, call.data):
        reader = functions.get(data[:4])
        if reader is not None:
            steps += reader(router, Call(call.sender, call.value, data))
    return tuple(steps)


def hops_of(router: Router, path: bytes, exact_out: bool) -> tuple[IntendedHop, ...]:
    """Return the pools of a packed path in the direction of the trade.

    The contract reads the path of an exact output from its end to its start.

    Raises
    ------
    NotDecoded
        If the path is malformed.
    """
    tokens, fees = packed_path(path)
    return router.pools(tokens[::-1], fees[::-1]) if exact_out else router.pools(tokens, fees)


def _single(router: Router, call: Call, exact_out: bool) -> tuple[Step, ...]:
    (fields,) = arguments([_SINGLE], call.data[4:])
    token_in, token_out, fee, to, _, amount, limit, price_limit = fields
    hops = router.pools((token_in, token_out), (fee,))
    recipient = _recipient(router, to)
    return (SwapIntent(hops, exact_out, amount, limit, call.sender, recipient, price_limit),)


def _path(router: Router, call: Call, exact_out: bool) -> tuple[Step, ...]:
    (fields,) = arguments([_PATH], call.data[4:])
    path, to, _, amount, limit = fields
    hops = hops_of(router, path, exact_out)
    return (SwapIntent(hops, exact_out, amount, limit, call.sender, _recipient(router, to)),)


def _recipient(router: Router, to: Address) -> Address:
    return router.address if to == NATIVE else to


V3_FUNCTIONS: dict[bytes, Reader] = {
    selector(f"exactInputSingle({_SINGLE})"): lambda router, call: _single(router, call, False),
    selector(f"exactOutputSingle({_SINGLE})"): lambda router, call: _single(router, call, True),
    selector(f"exactInput({_PATH})"): lambda router, call: _path(router, call, False),
    selector(f"exactOutput({_PATH})"): lambda router, call: _path(router, call, True),
}
"""Reader by selector."""
