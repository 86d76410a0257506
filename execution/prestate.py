"""The part of the parent state that one transaction touches, as a node's tracer gives it.

A simulator in this process needs no chain: it needs the accounts, code and slots that the
transaction will read. One ``debug_traceCall`` with the prestate tracer gives exactly those.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from chain.blocks import Address
from core.errors import SimulationError
from execution.command import Plan


class Rpc(Protocol):
    """A node that answers JSON-RPC; :class:`chain.providers.Provider` is one."""

    async def call(self, method: str, params: list[Any]) -> Any:
        """Return the raw JSON result; raise :class:`core.errors.RpcError` if there is none."""
        ...


@dataclass(frozen=True, slots=True)
class TargetBlock:
    """The block in which a plan is to run.

    Parameters
    ----------
    number, timestamp
        Height, and seconds since the epoch.
    base_fee
        Wei per gas.
    fee_recipient
        Who receives the bid.
    gas_limit
        Gas of the whole block.
    """

    number: int
    timestamp: int
    base_fee: int
    fee_recipient: Address
    gas_limit: int = 30_000_000


@dataclass(frozen=True, slots=True)
class Attempt:
    """One plan, who sends it, and the block it runs in.

    Parameters
    ----------
    plan
        Calldata, gas limit and contract.
    sender
        Operator's address.
    token
        Start and profit token of the route.
    target
        The block; its parent's state is what the simulators start from.
    """

    plan: Plan
    sender: Address
    token: Address
    target: TargetBlock


@dataclass(frozen=True, slots=True)
class AccountState:
    """What the parent state says about one account."""

    balance: int = 0
    nonce: int = 0
    code: bytes = b""
    storage: Mapping[int, int] = field(default_factory=dict)


Prestate = Mapping[Address, AccountState]


async def fetch_prestate(rpc: Rpc, attempt: Attempt) -> Prestate:
    """Ask a node which state the attempt reads, at the parent of the target block.

    Raises
    ------
    RpcError
        If the node has no tracer or does not answer.
    SimulationError
        If the answer has another shape.
    """
    options = {"tracer": "prestateTracer", "blockOverrides": block_overrides(attempt.target)}
    raw = await rpc.call("debug_traceCall", [call_object(attempt), parent_tag(attempt), options])
    return parse_prestate(raw)


def parse_prestate(raw: object) -> dict[Address, AccountState]:
    """Read a prestate tracer's answer.

    Raises
    ------
    SimulationError
        If it is not one.

    Examples
    --------
    >>> parse_prestate({"0xAA": {"balance": "0x5", "storage": {"0x1": "0x2"}}})
    {'0xaa': AccountState(balance=5, nonce=0, code=b'', storage={1: 2})}
    """
    try:
        return {str(address).lower(): _account(fields) for address, fields in raw.items()}  # type: ignore[attr-defined]
    except (AttributeError, TypeError, ValueError) as error:
        raise SimulationError(
            "the node's prestate tracer answered in another shape; use a node with debug_traceCall",
            problem=str(error),
        ) from error


def _account(fields: Mapping[str, Any]) -> AccountState:
    return AccountState(
        balance=int(fields.get("balance", "0x0"), 16),
        nonce=int(fields.get("nonce", 0)),
        code=bytes.fromhex(fields.get("code", "0x")[2:]),
        storage={int(slot, 16): int(value, 16) for slot, value in fields.get("storage", {}).items()},
    )


def call_object(attempt: Attempt) -> dict[str, str]:
    """Return the attempt as a JSON-RPC call; without a gas price, so that only the bid is paid."""
    return {
        "from": attempt.sender,
        "to": attempt.plan.executor,
        "gas": hex(attempt.plan.gas_limit),
        "data": "0x" + attempt.plan.calldata.hex(),
    }


def block_overrides(target: TargetBlock) -> dict[str, str]:
    """Return the block a node is to pretend to be in."""
    return {
        "number": hex(target.number),
        "time": hex(target.timestamp),
        "gasLimit": hex(target.gas_limit),
        "feeRecipient": target.fee_recipient,
        "baseFeePerGas": hex(target.base_fee),
    }


def parent_tag(attempt: Attempt) -> str:
    """Return the parent's height as JSON-RPC takes it."""
    return hex(attempt.target.number - 1)
