"""What transactions would do at the head of a block that does not exist yet.

The node executes them with ``eth_simulateV1`` and mines nothing, so whoever follows its
heads sees no trial blocks. Between two transactions a probe reads the fee recipient's
balance: fees and transfers together, as a builder counts its income.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from chain.providers import unreachable
from core.errors import RpcError, SimulationError
from execution.prestate import Rpc, TargetBlock, block_overrides
from execution.relays.transactions import SignedTransaction

_PROBE = "0x" + "ee" * 19 + "0b"
_PROBE_CALL = {"from": "0x" + "ee" * 19 + "0a", "to": _PROBE, "gas": hex(50_000)}
_PROBE_CODE = "0x41315f5260205ff3"  # return(balance(coinbase))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one transaction did at its place in the block.

    Parameters
    ----------
    ok
        Whether it did not revert.
    gas_used
        Gas, after refunds.
    payment
        Wei by which the fee recipient's balance grew: priority fee and transfers.
    output
        What it returned, or its revert data.
    """

    ok: bool
    gas_used: int
    payment: int
    output: bytes = field(repr=False)


async def simulate_block(
    rpc: Rpc, target: TargetBlock, transactions: Sequence[SignedTransaction], state: str
) -> tuple[Outcome, ...]:
    """Execute transactions one after the other at the head of ``target``.

    Nonces and fees are *not* checked, the node's simulation ignores them.

    Parameters
    ----------
    rpc
        Node with ``eth_simulateV1``.
    target
        The block they would be in.
    transactions
        In order.
    state
        Height (hex) or tag of the state to start from.

    Raises
    ------
    SimulationError
        If the node refuses to execute one of them at all (no funds, too little gas for its size).
    RpcError
        If the node does not answer.
    """
    if not transactions:
        return ()
    calls: list[dict[str, Any]] = [_PROBE_CALL]
    for transaction in transactions:
        calls += [transaction.call_object(), _PROBE_CALL]
    block = {
        "blockOverrides": block_overrides(target),
        "stateOverrides": {_PROBE: {"code": _PROBE_CODE}},
        "calls": calls,
    }
    try:
        blocks = await rpc.call("eth_simulateV1", [{"blockStateCalls": [block], "validation": False}, state])
    except RpcError as error:
        if unreachable(error):
            raise
        words = str(error.fields["message"])
        raise SimulationError(f"the node refuses to execute it: {words}", problem=words) from error
    return _outcomes(blocks[0]["calls"])


def _outcomes(results: Sequence[dict[str, Any]]) -> tuple[Outcome, ...]:
    balances = [int(result["returnData"], 16) for result in results[::2]]
    return tuple(
        Outcome(
            ok=result["status"] == "0x1",
            gas_used=int(result["gasUsed"], 16),
            payment=after - before,
            output=bytes.fromhex(result["returnData"][2:]),
        )
        for result, (before, after) in zip(results[1::2], pairwise(balances), strict=True)
    )
