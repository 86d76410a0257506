"""Balances on chain: the judge of every profit that is claimed."""

from __future__ import annotations

from collections.abc import Sequence

from chain.blocks import Address
from execution.prestate import Rpc

BALANCE_OF = "0x70a08231"


async def native_wealth(
    rpc: Rpc, holders: Sequence[Address], wrapped_native: Address, block_number: int
) -> int:
    """Return the wei of native and wrapped native currency that ``holders`` own together.

    Parameters
    ----------
    rpc
        The node.
    holders
        Accounts whose balances are added.
    wrapped_native
        The wrapped token, one wei of which is one wei.
    block_number
        Height at whose end the balances are read.
    """
    tag = hex(block_number)
    total = 0
    for holder in holders:
        total += int(await rpc.call("eth_getBalance", [holder, tag]), 16)
        call = {"to": wrapped_native, "data": BALANCE_OF + holder[2:].rjust(64, "0")}
        total += int(await rpc.call("eth_call", [call, tag]), 16)
    return total
