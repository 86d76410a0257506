"""Run the token probe's calls on a state: on a node, or in an EVM of this process.

Nothing is deployed. The probe's code and some ether are pretended to be at an address. Where the
simulator can, the token is bought in one block and sold some blocks and a day later, so that a
balance that moves by itself shows, and a ban on selling in the block of the purchase does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pyrevm
from eth_utils.crypto import keccak

from chain.blocks import Address
from chain.providers import unreachable
from core.errors import RpcError, SimulationError
from core.reasons import Reason, Refusal
from execution.prestate import Rpc, TargetBlock, block_overrides

HELD_BLOCKS = 10
"""Blocks between buying and selling, where the simulator can."""
HELD_SECONDS = 86_400
RUN_GAS = 16_000_000
"""Gas of one call, below the protocol's limit of a transaction."""
SENDER: Address = "0x" + keccak(text="omniarb token probe sender")[12:].hex()
_SENDER_WEI = 10**24
_INVALID_PARAMS = -32602


@dataclass(frozen=True, slots=True)
class Trial:
    """The calls of one probe.

    Parameters
    ----------
    holder
        Address at which the probe stands.
    code
        The probe's runtime code.
    wei
        Ether it is given.
    apart
        Calldata that buys, and calldata that sells, in a later block.
    together
        Calldata that does both in one call.
    """

    holder: Address
    code: bytes
    wei: int
    apart: tuple[bytes, bytes]
    together: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the calls of a trial returned, in order, and the blocks between buying and selling."""

    answers: tuple[bytes, ...]
    held_blocks: int


class ProbeRunner(Protocol):
    """Runs trials."""

    async def run(self, trial: Trial, block: int) -> Outcome | Refusal:
        """Return what a trial gives on the state after a block, or why it cannot be run there.

        Raises
        ------
        RpcError
            If there is a node and it does not answer.
        SimulationError
            If the answer has another shape.
        """
        ...


class NodeRunner:
    """Let a node run trials: ``eth_simulateV1``, or ``eth_call`` with state overrides without it.

    Parameters
    ----------
    rpc
        The node.
    """

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    async def run(self, trial: Trial, block: int) -> Outcome | Refusal:
        """Return what a trial gives on the state after a block, or why the node cannot run it.

        Raises
        ------
        RpcError
            If the node does not answer.
        SimulationError
            If it does not know the block, or its answer has another shape.
        """
        parent = await self._header(block)
        request = {
            "blockStateCalls": [
                {
                    "blockOverrides": block_overrides(_later(parent, 1, 12)),
                    "stateOverrides": _overrides(trial),
                    "calls": [_call(trial, trial.apart[0], parent)],
                },
                {
                    "blockOverrides": block_overrides(_later(parent, 1 + HELD_BLOCKS, HELD_SECONDS)),
                    "calls": [_call(trial, trial.apart[1], parent)],
                },
            ],
            "validation": False,
        }
        try:
            simulated = await self._rpc.call("eth_simulateV1", [request, hex(block)])
        except RpcError as error:
            if unreachable(error):
                raise
            return await self._run_in_one_call(trial, parent)
        return _read_simulated(simulated)

    async def _run_in_one_call(self, trial: Trial, parent: TargetBlock) -> Outcome | Refusal:
        params = [_call(trial, trial.together, parent), hex(parent.number), _overrides(trial)]
        try:
            answer = await self._rpc.call("eth_call", params)
        except RpcError as error:
            if unreachable(error):
                raise
            message = str(error.fields.get("message", "no message"))
            # without funds, the ether that the sender was to be given is not there
            refused = error.fields.get("code") == _INVALID_PARAMS or "insufficient funds" in message.lower()
            reason = Reason.OVERRIDES_NOT_SUPPORTED if refused else Reason.NODE_REFUSED
            return Refusal(reason, message)
        if answer == "0x":
            detail = "eth_call ignored the code that it was to pretend; use another node"
            return Refusal(Reason.OVERRIDES_NOT_SUPPORTED, detail)
        return Outcome((_bytes(answer),), 0)

    async def _header(self, block: int) -> TargetBlock:
        header = await self._rpc.call("eth_getBlockByNumber", [hex(block), False])
        try:
            return TargetBlock(
                block,
                int(header["timestamp"], 16),
                int(header.get("baseFeePerGas") or "0x0", 16),
                header["miner"],
                int(header["gasLimit"], 16),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise SimulationError(
                "the node does not know the block to probe on; probe on a newer one", block=block
            ) from error


class PyrevmRunner:
    """Run trials in an EVM of this process, which holds the state and the block it belongs to.

    Gas is too low: in pyrevm slots stay warm from one run to the next.

    Parameters
    ----------
    evm
        Its state and block are as before after each run.
    """

    def __init__(self, evm: pyrevm.EVM) -> None:
        self._evm = evm

    async def run(self, trial: Trial, block: int) -> Outcome | Refusal:
        """Return what a trial gives; ``block`` must be the EVM's own.

        Raises
        ------
        SimulationError
            If the EVM is at another block.
        """
        evm = self._evm
        env: Any = evm.env  # its stub takes the block for a function
        now = env.block
        if now.number != block:
            raise SimulationError("the EVM holds the state of another block", block=block, held=now.number)
        stood_there = evm.basic(trial.holder)
        mark = evm.snapshot()
        try:
            evm.insert_account_info(trial.holder, _account(balance=trial.wei, code=trial.code))
            answers = []
            later = ((1, 12), (1 + HELD_BLOCKS, HELD_SECONDS))
            for data, (blocks, seconds) in zip(trial.apart, later, strict=True):
                evm.set_block_env(_moved(now, blocks, seconds))
                evm.reset_transient_storage()
                answers.append(bytes(evm.message_call(SENDER, trial.holder, data, gas=RUN_GAS)))
        except RuntimeError as error:
            return Refusal(Reason.PROBE_IMPOSSIBLE, f"the probe itself failed: {error}"[:200])
        finally:
            evm.revert(mark)
            evm.insert_account_info(trial.holder, stood_there)  # undoing does not reach what was inserted
            evm.set_block_env(now)
        return Outcome(tuple(answers), HELD_BLOCKS)


def _later(parent: TargetBlock, blocks: int, seconds: int) -> TargetBlock:
    return TargetBlock(
        parent.number + blocks,
        parent.timestamp + seconds,
        parent.base_fee,
        parent.fee_recipient,
        parent.gas_limit,
    )


def _moved(now: Any, blocks: int, seconds: int) -> pyrevm.BlockEnv:
    return pyrevm.BlockEnv(
        number=now.number + blocks,
        timestamp=now.timestamp + seconds,
        coinbase=now.coinbase,
        gas_limit=now.gas_limit,
    )


def _account(**fields: Any) -> pyrevm.AccountInfo:
    return pyrevm.AccountInfo(**fields)  # its stub forgets the balance


def _overrides(trial: Trial) -> dict[str, dict[str, str]]:
    return {
        trial.holder: {"code": "0x" + trial.code.hex(), "balance": hex(trial.wei)},
        SENDER: {"balance": hex(_SENDER_WEI)},
    }


def _call(trial: Trial, data: bytes, parent: TargetBlock) -> dict[str, str]:
    """Return a call that looks like a transaction: some tokens are honest only at a gas price of zero."""
    return {
        "from": SENDER,
        "to": trial.holder,
        "gas": hex(RUN_GAS),
        "gasPrice": hex(2 * parent.base_fee),
        "data": "0x" + data.hex(),
    }


def _read_simulated(blocks: Sequence[Mapping[str, Any]]) -> Outcome | Refusal:
    try:
        # a node may fill the gap between the two blocks with empty ones
        bought, sold = [call for block in blocks for call in block["calls"]]
        for call in (bought, sold):
            if int(call["status"], 16) != 1:
                return Refusal(Reason.PROBE_IMPOSSIBLE, f"the probe itself failed: {call.get('error')}"[:200])
        answers = (_bytes(bought["returnData"]), _bytes(sold["returnData"]))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise SimulationError(
            "the node's eth_simulateV1 answered in another shape; use a node that supports it",
            problem=repr(error),
        ) from error
    return Outcome(answers, HELD_BLOCKS)


def _bytes(text: Any) -> bytes:
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except (AttributeError, ValueError) as error:
        raise SimulationError(
            "the node answered with something that is no hex", problem=str(text)[:80]
        ) from error
