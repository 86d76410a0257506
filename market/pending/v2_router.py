"""Uniswap V2's router and its copies: paths of pairs, exact input or exact output.

The forks keep the functions and change the factory. ``…SupportingFeeOnTransferTokens`` trades what
really arrives; calldata does not tell a token's fee, so they are read as if there were none.

References
----------
Uniswap V2 Periphery, ``UniswapV2Router02``.
"""

from __future__ import annotations

from market.pending.calldata import arguments, selector
from market.pending.intents import Step, SwapIntent
from market.pending.targets import Call, Reader, Router, reader_of

_PATH_TO = ("address[]", "address", "uint256")
_ONE_AMOUNT = ("uint256", *_PATH_TO)
_TWO_AMOUNTS = ("uint256", "uint256", *_PATH_TO)
_FEE_ON_TRANSFER = "SupportingFeeOnTransferTokens"


def _exact_in(router: Router, call: Call) -> tuple[Step, ...]:
    amount, limit, path, to, _ = arguments(_TWO_AMOUNTS, call.data[4:])
    return (SwapIntent(router.pairs(path), False, amount, limit, call.sender, to),)


def _exact_coin_in(router: Router, call: Call) -> tuple[Step, ...]:
    limit, path, to, _ = arguments(_ONE_AMOUNT, call.data[4:])
    return (SwapIntent(router.pairs(path), False, call.value, limit, call.sender, to),)


def _exact_out(router: Router, call: Call) -> tuple[Step, ...]:
    amount, limit, path, to, _ = arguments(_TWO_AMOUNTS, call.data[4:])
    return (SwapIntent(router.pairs(path), True, amount, limit, call.sender, to),)


def _exact_out_for_coin(router: Router, call: Call) -> tuple[Step, ...]:
    amount, path, to, _ = arguments(_ONE_AMOUNT, call.data[4:])
    return (SwapIntent(router.pairs(path), True, amount, call.value, call.sender, to),)


_READERS: dict[str, Reader] = {
    "swapExactTokensForTokens": _exact_in,
    "swapExactTokensForETH": _exact_in,
    "swapExactETHForTokens": _exact_coin_in,
    "swapTokensForExactTokens": _exact_out,
    "swapTokensForExactETH": _exact_out,
    "swapETHForExactTokens": _exact_out_for_coin,
    f"swapExactTokensForTokens{_FEE_ON_TRANSFER}": _exact_in,
    f"swapExactTokensForETH{_FEE_ON_TRANSFER}": _exact_in,
    f"swapExactETHForTokens{_FEE_ON_TRANSFER}": _exact_coin_in,
}


def _types(reader: Reader) -> str:
    return ",".join(_ONE_AMOUNT if reader in (_exact_coin_in, _exact_out_for_coin) else _TWO_AMOUNTS)


V2_FUNCTIONS = {selector(f"{name}({_types(reader)})"): reader for name, reader in _READERS.items()}
"""Reader by selector."""


def decode_v2(router: Router, call: Call) -> tuple[Step, ...]:
    """Return what a call of a V2 router asks for.

    Raises
    ------
    NotDecoded
        If it is no swap, or malformed.
    """
    return reader_of(V2_FUNCTIONS, call)(router, call)
