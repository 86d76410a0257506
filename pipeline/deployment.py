"""The block in which a contract was deployed, found by halving: no event tells it."""

from __future__ import annotations

from chain.blocks import Address
from chain.providers import Node, unreachable
from core.errors import RpcError
from core.reasons import Reason, Refusal


async def has_code(node: Node, address: Address, block: int) -> bool:
    """Tell whether there is a contract at an address, at a block.

    Raises
    ------
    RpcError
        If the node does not answer, or has no state of that block.
    """
    return await node.call("eth_getCode", [address, hex(block)]) not in ("0x", None)


async def deployment_block(node: Node, address: Address, last: int) -> int | Refusal:
    """Return the first block with the contract, or why it cannot be found.

    Parameters
    ----------
    node
        It has to hold the state of old blocks, as archive nodes do.
    address
        A contract that is there at ``last``.
    last
        Newest block to look at.

    Raises
    ------
    RpcError
        If the node does not answer at all.
    """
    without, there = -1, last
    try:
        while there - without > 1:
            middle = (without + there) // 2
            if await has_code(node, address, middle):
                there = middle
            else:
                without = middle
    except RpcError as error:
        if unreachable(error):
            raise
        return Refusal(Reason.DEPLOYMENT_UNKNOWN, f"the node has no state of old blocks ({error.message})")
    return there
