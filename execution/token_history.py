"""Whether a token's balances moved in the past without a transfer: some rebase once a day, by a call.

A simulation only sees what time alone does. So the balance of a holder at two blocks is compared
with the transfers between them that the token announced.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from chain.blocks import Address
from chain.providers import unreachable
from core.errors import RpcError, SimulationError
from core.reasons import Reason, Refusal
from execution.prestate import Rpc

_TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
_BALANCE_OF = "0x70a08231"


class TokenHistory:
    """The recent past of tokens on a node.

    Parameters
    ----------
    rpc
        The node. It must still hold the state of so many blocks ago.
    blocks
        How far to look back. A day shows the tokens that rebase once a day.
    """

    def __init__(self, rpc: Rpc, blocks: int) -> None:
        self._rpc = rpc
        self._blocks = blocks

    async def find_rebase(self, token: Address, holder: Address, block: int) -> Refusal | None:
        """Return a refusal if a balance changed by something else than the announced transfers.

        Parameters
        ----------
        token
            The token. One that takes fees announces its transfers in many ways; probe it first.
        holder
            Somebody with a balance and no way to change it but transfers: a pool.
        block
            The past ends with the state after this block.

        Returns
        -------
        Refusal or None
            ``rebasing`` if the balance moved by itself; ``node_refused`` if the node cannot tell.

        Raises
        ------
        RpcError
            If the node does not answer.
        SimulationError
            If it answers in another shape.
        """
        first = max(block - self._blocks, 0)
        try:
            answers = await self._ask(token, holder, first, block)
        except RpcError as error:
            if unreachable(error):
                raise
            return Refusal(Reason.NODE_REFUSED, str(error.fields.get("message", "no message")))
        try:
            before, afterwards, leaving, arriving = answers
            drift = _amount(afterwards) - _amount(before) - _sum(arriving) + _sum(leaving)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise SimulationError(
                "the node told balances or transfers in another shape", token=token, problem=repr(error)
            ) from error
        if drift == 0:
            return None
        detail = f"the balance of {holder} changed by {drift} without a transfer in blocks {first} to {block}"
        return Refusal(Reason.REBASING, detail)

    async def _ask(self, token: Address, holder: Address, first: int, last: int) -> tuple[Any, ...]:
        topic = "0x" + holder[2:].rjust(64, "0")
        read = {"to": token, "data": _BALANCE_OF + topic[2:]}
        span = {"address": token, "fromBlock": hex(first + 1), "toBlock": hex(last)}
        answers = await asyncio.gather(
            self._rpc.call("eth_call", [read, hex(first)]),
            self._rpc.call("eth_call", [read, hex(last)]),
            self._rpc.call("eth_getLogs", [{**span, "topics": [_TRANSFER, topic]}]),
            self._rpc.call("eth_getLogs", [{**span, "topics": [_TRANSFER, None, topic]}]),
            return_exceptions=True,  # so that no request goes on when this returns
        )
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return tuple(answers)


def _amount(text: str) -> int:
    digits = text.removeprefix("0x")
    return int(digits, 16) if digits else 0  # there was no token yet


def _sum(logs: Sequence[Mapping[str, Any]]) -> int:
    return sum(_amount(log["data"]) for log in logs)
