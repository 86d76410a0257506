"""What a plan does at the parent state: gas, profit and payment, on the real bytecode.

Two independent simulators answer the same question. pyrevm runs in this process, fast
enough for every candidate; a node is the judge. A plan is sent only if they agree.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pyrevm

from chain.blocks import Address
from core.errors import SimulationError
from core.reasons import Reason, Refusal
from execution.command import Simulation
from execution.encode import decode_revert
from execution.prestate import (
    AccountState,
    Attempt,
    Prestate,
    Rpc,
    block_overrides,
    call_object,
    parent_tag,
)

Abi = Sequence[Mapping[str, Any]]

_SPEC = "CANCUN"  # the newest hardfork that this pyrevm executes correctly
_BALANCE_OF = bytes.fromhex("70a08231")
_READ_GAS = 1_000_000
_REVERTED = re.compile(r"^Revert .*output: 0x([0-9a-f]*)")
_TRANSFER_TOPIC = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
_ETHER_LOG_ADDRESS = "0x" + "ee" * 20
"""Where ``eth_simulateV1`` reports moves of ether, as if ether were a token."""


class PyrevmSimulator:
    """Run plans in this process, on the state that one transaction touches.

    One simulator serves any number of attempts on the same parent state, as long as they
    touch the state that was given (other bids or sizes of one route).

    Parameters
    ----------
    prestate
        Accounts and slots at the parent of the target block.
    abi
        ABI with the executor's errors, for readable reasons.
    """

    def __init__(self, prestate: Prestate, abi: Abi) -> None:
        self._abi = abi
        self._evm = pyrevm.EVM(
            env=pyrevm.Env(cfg=pyrevm.CfgEnv(limit_contract_code_size=2**32)), spec_id=_SPEC
        )
        for address, account in prestate.items():
            self._load(address, account)

    def _load(self, address: Address, account: AccountState) -> None:
        evm = self._evm
        fields: dict[str, Any] = {
            "balance": account.balance,
            "nonce": account.nonce,
            "code": account.code or None,
        }
        evm.insert_account_info(address, pyrevm.AccountInfo(**fields))  # its stub forgets the balance
        for slot, value in account.storage.items():
            # undoing the insertion keeps the value and drops the mark "already accessed", which
            # would make the first read of the slot too cheap
            checkpoint = evm.snapshot()
            evm.insert_account_storage(address, slot, value)
            evm.revert(checkpoint)

    def simulate(self, attempt: Attempt) -> Simulation:
        """Return what the attempt does; the simulator's state is as before afterwards.

        Raises
        ------
        SimulationError
            If the transaction may not even start, or the token's balance cannot be read.
        """
        target, evm = attempt.target, self._evm
        evm.set_block_env(
            pyrevm.BlockEnv(
                number=target.number,
                timestamp=target.timestamp,
                coinbase=target.fee_recipient,
                gas_limit=target.gas_limit,
                prevrandao=bytes(32),
            )
        )
        wei_before = evm.get_balance(target.fee_recipient)
        checkpoint = evm.snapshot()
        try:
            reason = self._execute(attempt)
            gas_used = self._gas_used()
            if reason is not None:
                return Simulation(False, gas_used, 0, 0, reason, "pyrevm")
            tokens_after = self._read_balance(attempt)
            payment = evm.get_balance(target.fee_recipient) - wei_before
        finally:
            evm.revert(checkpoint)
        profit = tokens_after - self._read_balance(attempt)
        return Simulation(True, gas_used, profit, payment, "", "pyrevm")

    def _execute(self, attempt: Attempt) -> str | None:
        """Run the call and return why it reverted, or ``None``."""
        plan = attempt.plan
        try:
            self._evm.message_call(attempt.sender, plan.executor, plan.calldata, gas=plan.gas_limit)
        except RuntimeError as error:
            text = str(error)
            if output := _REVERTED.search(text):
                return decode_revert(bytes.fromhex(output[1]), self._abi)
            if text.startswith("Halt"):
                return text
            raise SimulationError(
                f"the transaction may not start: {text}; look at its sender and gas limit",
                sender=attempt.sender,
            ) from error
        return None

    def _gas_used(self) -> int:
        result = self._evm.result
        if result is None:
            raise SimulationError("pyrevm kept no result of the call")
        return result.gas_used

    def _read_balance(self, attempt: Attempt) -> int:
        token, holder = attempt.token, attempt.plan.executor
        checkpoint = self._evm.snapshot()
        try:
            answer = self._evm.message_call(attempt.sender, token, _balance_call(holder), gas=_READ_GAS)
        except RuntimeError as error:
            raise SimulationError("the token does not tell its balance", token=token) from error
        finally:
            self._evm.revert(checkpoint)
        return _word(answer, token)


class NodeSimulator:
    """Let a node run plans with ``eth_simulateV1``, in a pretended target block.

    Parameters
    ----------
    rpc
        The node.
    abi
        ABI with the executor's errors, for readable reasons.
    """

    def __init__(self, rpc: Rpc, abi: Abi) -> None:
        self._rpc = rpc
        self._abi = abi

    async def simulate(self, attempt: Attempt) -> Simulation:
        """Return what the attempt does.

        Raises
        ------
        RpcError
            If the node does not answer.
        SimulationError
            If its answer has another shape.
        """
        plan, target = attempt.plan, attempt.target
        read = {"to": attempt.token, "data": "0x" + _balance_call(plan.executor).hex()}
        block = {"blockOverrides": block_overrides(target), "calls": [read, call_object(attempt), read]}
        request = {"blockStateCalls": [block], "traceTransfers": True, "validation": False}
        answer = await self._rpc.call("eth_simulateV1", [request, parent_tag(attempt)])
        try:
            before, run, after = answer[0]["calls"]
            gas_used = int(run["gasUsed"], 16)
            if int(run["status"], 16) != 1:
                return Simulation(False, gas_used, 0, 0, self._reason(run), "node")
            profit = _returned_word(after, attempt.token) - _returned_word(before, attempt.token)
            payment = _ether_received(run["logs"], target.fee_recipient)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise SimulationError(
                "the node's eth_simulateV1 answered in another shape; use a node that supports it",
                problem=repr(error),
            ) from error
        return Simulation(True, gas_used, profit, payment, "", "node")

    def _reason(self, run: Mapping[str, Any]) -> str:
        data = bytes.fromhex(run["returnData"][2:])
        return decode_revert(data, self._abi)


def compare(first: Simulation, second: Simulation) -> Refusal | None:
    """Return a refusal if two simulations of one plan differ in anything that costs money.

    Examples
    --------
    >>> here = Simulation(True, 210_000, 5, 1, "", "pyrevm")
    >>> compare(here, Simulation(True, 210_000, 5, 1, "", "node")) is None
    True
    >>> str(compare(here, Simulation(True, 210_001, 5, 1, "", "node")))
    'simulators_disagree: gas_used: pyrevm 210000, node 210001'
    """
    names = ("ok", "gas_used", "profit", "coinbase_payment")
    differences = [
        f"{name}: {first.simulator} {getattr(first, name)}, {second.simulator} {getattr(second, name)}"
        for name in names
        if getattr(first, name) != getattr(second, name)
    ]
    return Refusal(Reason.SIMULATORS_DISAGREE, "; ".join(differences)) if differences else None


def _balance_call(holder: Address) -> bytes:
    return _BALANCE_OF + bytes(12) + bytes.fromhex(holder[2:])


def _word(answer: bytes, token: Address) -> int:
    if len(answer) != 32:
        raise SimulationError("the token does not tell its balance; is it a contract?", token=token)
    return int.from_bytes(answer, "big")


def _returned_word(run: Mapping[str, Any], token: Address) -> int:
    return _word(bytes.fromhex(run["returnData"][2:]), token)


def _ether_received(logs: Sequence[Mapping[str, Any]], receiver: Address) -> int:
    return sum(
        int(log["data"], 16)
        for log in logs
        if log["address"].lower() == _ETHER_LOG_ADDRESS
        and log["topics"][0] == _TRANSFER_TOPIC
        and int(log["topics"][2], 16) == int(receiver, 16)
    )
