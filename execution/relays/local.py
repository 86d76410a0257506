"""The local relay: what searchers of the local chain talk to, with the rules of a public relay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from chain.blocks import Address
from core.errors import InputError, RelayError
from core.reasons import Refusal
from execution.prestate import TargetBlock
from execution.relays.auction import AuctionResult, Entry
from execution.relays.block_simulation import Outcome
from execution.relays.builder import Builder
from execution.relays.requests import (
    malformed,
    one_object,
    read_bundle,
    read_private,
    read_public,
    read_quantity,
    read_uuid,
)
from execution.relays.server import Method
from execution.relays.transactions import SignedTransaction


class LocalRelay:
    """Takes bundles and transactions for one builder.

    Parameters
    ----------
    builder
        Who gets them.
    """

    def __init__(self, builder: Builder) -> None:
        self._builder = builder

    @property
    def methods(self) -> Mapping[str, Method]:
        """The remote methods, by name, for :class:`~execution.relays.server.RpcServer`."""
        return {
            "eth_sendBundle": Method(self._send_bundle, signed=True),
            "eth_callBundle": Method(self._call_bundle, signed=True),
            "eth_cancelBundle": Method(self._cancel_bundle, signed=True),
            "eth_sendPrivateTransaction": Method(self._send_private, signed=True),
            "eth_sendRawTransaction": Method(self._send_public),
            "devnet_auction": Method(self._auction),
        }

    async def _send_bundle(self, params: Any, signer: Address) -> dict[str, str]:
        bundle = read_bundle(params, signer=signer, chain_id=self._builder.chain_id)
        _accept(await self._builder.add_bundle(bundle))
        return {"bundleHash": _hex(bundle.bundle_hash)}

    async def _call_bundle(self, params: Any, signer: Address) -> dict[str, Any]:
        bundle = read_bundle(params, signer=signer, chain_id=self._builder.chain_id)
        fields = one_object(params)
        head = await self._builder.head()
        state = fields.get("stateBlockNumber", "latest")
        parent = head.number if state == "latest" else read_quantity(fields, "stateBlockNumber")
        if parent > head.number:
            raise malformed(f"stateBlockNumber {parent} is not mined yet, the head is {head.number}")
        target = self._called_block(self._builder.target_after(head), bundle.first_block, fields)
        outcomes = await self._builder.simulate(bundle.transactions, target, hex(parent))
        return _call_result(bundle.bundle_hash, bundle.transactions, outcomes, target, parent)

    @staticmethod
    def _called_block(following: TargetBlock, number: int, fields: dict[str, Any]) -> TargetBlock:
        given = fields.get("timestamp")
        timestamp = read_quantity(fields, "timestamp") if given is not None else following.timestamp
        return replace(following, number=number, timestamp=timestamp)

    async def _cancel_bundle(self, params: Any, signer: Address) -> bool:
        return self._builder.cancel(signer, read_uuid(params))

    async def _send_private(self, params: Any, signer: Address) -> str:
        head = await self._builder.head()
        bundle = read_private(params, head=head.number, signer=signer, chain_id=self._builder.chain_id)
        _accept(await self._builder.add_bundle(bundle))
        return _hex(bundle.transactions[0].hash)

    async def _send_public(self, params: Any, _: Address) -> str:
        transaction = read_public(params, chain_id=self._builder.chain_id)
        _accept(await self._builder.add_public(transaction))
        return _hex(transaction.hash)

    async def _auction(self, params: Any, _: Address) -> dict[str, Any]:
        number = read_quantity(one_object(params), "blockNumber")
        result = self._builder.result(number)
        if result is None:
            raise InputError(f"no auction was held for block {number}", block=number)
        return show_auction(result)


def show_auction(result: AuctionResult) -> dict[str, Any]:
    """Return an auction as JSON: wei as decimal text, hashes as hex."""
    return {
        "blockNumber": result.block_number,
        "blockHash": _hex(result.block_hash),
        "timestamp": result.timestamp,
        "baseFee": str(result.base_fee),
        "gasUsed": result.gas_used,
        "bundles": [_show_entry(entry) for entry in result.entries],
        "public": [_hex(transaction) for transaction in result.public],
    }


def _show_entry(entry: Entry) -> dict[str, Any]:
    return {
        "bundleHash": _hex(entry.bundle_hash),
        "signer": entry.signer,
        "txHashes": [_hex(transaction) for transaction in entry.transaction_hashes],
        "gasUsed": entry.gas_used,
        "payment": str(entry.payment),
        "price": str(entry.price),
        "included": entry.included,
        "reason": entry.refusal.reason.value if entry.refusal else None,
        "detail": entry.refusal.detail if entry.refusal else "",
    }


def _accept(refusal: Refusal | None) -> None:
    if refusal is not None:
        raise RelayError(refusal.detail, reason=refusal.reason)


def _call_result(
    bundle_hash: bytes,
    transactions: Sequence[SignedTransaction],
    outcomes: Sequence[Outcome],
    target: TargetBlock,
    parent: int,
) -> dict[str, Any]:
    results = [
        _call_entry(transaction, outcome, target.base_fee)
        for transaction, outcome in zip(transactions, outcomes, strict=True)
    ]
    gas = sum(outcome.gas_used for outcome in outcomes)
    payment = sum(outcome.payment for outcome in outcomes)
    fees = sum(int(result["gasFees"]) for result in results)
    return {
        "bundleHash": _hex(bundle_hash),
        "bundleGasPrice": str(payment // gas),
        "coinbaseDiff": str(payment),
        "ethSentToCoinbase": str(payment - fees),
        "gasFees": str(fees),
        "results": results,
        "stateBlockNumber": parent,
        "totalGasUsed": gas,
    }


def _call_entry(transaction: SignedTransaction, outcome: Outcome, base_fee: int) -> dict[str, Any]:
    fees = transaction.priority_fee(base_fee) * outcome.gas_used
    entry: dict[str, Any] = {
        "txHash": _hex(transaction.hash),
        "fromAddress": transaction.sender,
        "toAddress": transaction.to,
        "gasUsed": outcome.gas_used,
        "gasPrice": str(outcome.payment // outcome.gas_used),
        "gasFees": str(fees),
        "coinbaseDiff": str(outcome.payment),
        "ethSentToCoinbase": str(outcome.payment - fees),
    }
    if outcome.ok:
        entry["value"] = _hex(outcome.output)
    else:
        entry |= {"error": "execution reverted", "revert": _hex(outcome.output)}
    return entry


def _hex(value: bytes) -> str:
    return "0x" + value.hex()
