"""Signed transactions as a relay reads them: checked bytes in, fields and sender out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_utils.crypto import keccak
from hexbytes import HexBytes

from chain.blocks import Address
from core.errors import InputError
from core.reasons import Reason

_DYNAMIC_FEE_TYPE = 0x02
_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """An EIP-1559 transaction whose signature has been recovered.

    Parameters
    ----------
    raw, hash
        The signed bytes and their keccak.
    sender, to
        Lowercase addresses.
    nonce, value, gas_limit, data
        As signed; value in wei.
    max_fee, max_priority_fee
        Wei per gas.
    access_list
        JSON form, as nodes take it.
    """

    raw: bytes = field(repr=False)
    hash: bytes
    sender: Address
    to: Address
    nonce: int
    value: int
    gas_limit: int
    max_fee: int
    max_priority_fee: int
    data: bytes = field(repr=False)
    access_list: tuple[dict[str, Any], ...] = field(repr=False)

    @property
    def most_it_can_cost(self) -> int:
        """Wei the sender must own before it runs."""
        return self.value + self.gas_limit * self.max_fee

    def priority_fee(self, base_fee: int) -> int:
        """Return wei per gas that the fee recipient gets; negative if it cannot be included."""
        return min(self.max_priority_fee, self.max_fee - base_fee)

    def call_object(self) -> dict[str, Any]:
        """Return it as the call of a simulation."""
        return {
            "type": "0x2",
            "from": self.sender,
            "to": self.to,
            "nonce": hex(self.nonce),
            "value": hex(self.value),
            "gas": hex(self.gas_limit),
            "maxFeePerGas": hex(self.max_fee),
            "maxPriorityFeePerGas": hex(self.max_priority_fee),
            "input": "0x" + self.data.hex(),
            "accessList": list(self.access_list),
        }


def decode_transaction(raw: bytes, chain_id: int) -> SignedTransaction:
    """Read a signed transaction.

    Parameters
    ----------
    raw
        Signed bytes.
    chain_id
        The only chain it may be signed for.

    Raises
    ------
    InputError
        If the bytes are no EIP-1559 call signed for this chain; ``fields['reason']`` is
        ``BUNDLE_MALFORMED``.
    """
    if raw[:1] != bytes([_DYNAMIC_FEE_TYPE]):
        raise _malformed("only EIP-1559 transactions (type 2) are taken; sign it as one")
    try:
        fields = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
        sender = Account.recover_transaction(raw).lower()
    except Exception as error:  # foreign bytes; the libraries below raise a dozen unrelated types
        raise _malformed(f"not a signed transaction ({type(error).__name__}); sign it again") from error
    if fields["chainId"] != chain_id:
        raise _malformed(f"signed for chain {fields['chainId']}, this is chain {chain_id}; sign it again")
    if len(fields["to"]) != 20:
        raise _malformed("contract creation is not taken here; deploy through a node")
    if fields["s"] > _HALF_ORDER:
        raise _malformed("the signature's s is in the upper half; sign it again")
    if fields["maxPriorityFeePerGas"] > fields["maxFeePerGas"]:
        raise _malformed("the priority fee is above the maximum fee; raise the latter")
    return SignedTransaction(
        raw=raw,
        hash=keccak(raw),
        sender=sender,
        to="0x" + bytes(fields["to"]).hex(),
        nonce=fields["nonce"],
        value=fields["value"],
        gas_limit=fields["gas"],
        max_fee=fields["maxFeePerGas"],
        max_priority_fee=fields["maxPriorityFeePerGas"],
        data=bytes(fields["data"]),
        access_list=tuple(_access(entry) for entry in fields["accessList"]),
    )


def _access(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        "address": "0x" + bytes(entry["address"]).hex(),
        "storageKeys": [f"0x{key:064x}" for key in entry["storageKeys"]],
    }


def _malformed(problem: str) -> InputError:
    return InputError(problem, reason=Reason.BUNDLE_MALFORMED)
