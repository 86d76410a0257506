"""Reads from a node what settlement needs to know about a block.

Payments to the fee recipient leave no event. Tips follow from the receipt; transfers are found
in the call trace of the few transactions that touched our pools.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from chain.blocks import Address, RawLog
from core.errors import ExecutionError, RpcError
from execution.command import Bundle, Decision
from execution.prestate import Rpc
from execution.settlement import BlockFacts, Receipt, Rival
from market.pools.spec import PoolSpec

_KEEP_THEIR_WEI = frozenset({"DELEGATECALL", "CALLCODE"})
"""Calls that run foreign code on the caller's own account."""


async def gather_facts(
    rpc: Rpc,
    bundle: Bundle,
    decision: Decision,
    specs: Mapping[str, PoolSpec],
    *,
    accepted: bool,
    late: bool,
) -> BlockFacts:
    """Return the facts about a bundle's target block, which must have been mined.

    Parameters
    ----------
    rpc
        A node; without ``debug_traceTransaction`` the payments of rivals stay unknown.
    bundle, decision
        What was sent, and why.
    specs
        Description of every pool of the route, by pool id.
    accepted
        Whether at least one relay took the bundle.
    late
        Whether it left only after the target block was there.

    Raises
    ------
    RpcError
        If the node does not answer.
    ExecutionError
        If the target block is not there yet, or an answer has another shape.
    """
    number = bundle.target_block
    ours = bundle.transaction_hashes[-1]
    header = await rpc.call("eth_getBlockByNumber", [hex(number), False])
    if header is None:
        raise ExecutionError("the target block is not mined yet; settle after it", block_number=number)
    raw_receipt, raw_logs = await asyncio.gather(
        rpc.call("eth_getTransactionReceipt", ["0x" + ours.hex()]),
        rpc.call("eth_getLogs", [_log_filter(number, decision, specs)]),
    )
    try:
        touched = _touched_pools(raw_logs, decision, specs)
        touched = {key: pools for key, pools in touched.items() if key[1] not in bundle.transaction_hashes}
        base_fee, fee_recipient = int(header["baseFeePerGas"], 16), str(header["miner"]).lower()
        rivals = await asyncio.gather(
            *(
                _rival(rpc, transaction_hash, tuple(pools), base_fee, fee_recipient)
                for (_, transaction_hash), pools in sorted(touched.items())
            )
        )
        receipt = None if raw_receipt is None else read_receipt(raw_receipt)
    except (KeyError, TypeError, ValueError) as error:
        raise ExecutionError(
            "the node answered in another shape; settle with another node", problem=repr(error)
        ) from error
    return BlockFacts(number, receipt, tuple(rivals), accepted, late)


def read_receipt(raw: Mapping[str, Any]) -> Receipt:
    """Read a JSON-RPC receipt.

    Raises
    ------
    KeyError, TypeError, ValueError
        If it is none.
    """
    return Receipt(
        transaction_hash=_bytes(raw["transactionHash"]),
        block_number=int(raw["blockNumber"], 16),
        transaction_index=int(raw["transactionIndex"], 16),
        ok=int(raw["status"], 16) == 1,
        gas_used=int(raw["gasUsed"], 16),
        effective_gas_price=int(raw["effectiveGasPrice"], 16),
        logs=tuple(_read_log(log) for log in raw["logs"]),
    )


def direct_payment(trace: Mapping[str, Any], fee_recipient: Address) -> int:
    """Return the wei that a call trace sends to the fee recipient; failed calls send nothing.

    Examples
    --------
    >>> inner = {"to": "0xFE", "value": "0x5"}
    >>> direct_payment({"to": "0x01", "value": "0x9", "calls": [inner, {**inner, "error": "x"}]}, "0xfe")
    5
    """
    sent, waiting = 0, [trace]
    while waiting:
        call = waiting.pop()
        if call.get("error"):
            continue
        if call.get("type") not in _KEEP_THEIR_WEI and str(call.get("to", "")).lower() == fee_recipient:
            sent += int(call.get("value") or "0x0", 16)
        waiting += call.get("calls") or ()
    return sent


async def _rival(
    rpc: Rpc, transaction_hash: bytes, pools: tuple[str, ...], base_fee: int, fee_recipient: Address
) -> Rival:
    name = "0x" + transaction_hash.hex()
    receipt = read_receipt(await rpc.call("eth_getTransactionReceipt", [name]))
    tip = receipt.gas_used * (receipt.effective_gas_price - base_fee)
    try:
        trace = await rpc.call("debug_traceTransaction", [name, {"tracer": "callTracer"}])
        payment: int | None = tip + direct_payment(trace, fee_recipient)
    except (RpcError, RecursionError):  # whoever nests calls deeply enough stops a JSON parser
        payment = None
    return Rival(transaction_hash, receipt.transaction_index, pools, receipt.gas_used, payment)


def _log_filter(number: int, decision: Decision, specs: Mapping[str, PoolSpec]) -> dict[str, Any]:
    try:
        addresses = {specs[hop.pool_id].address for hop in decision.opportunity.hops}
    except KeyError as error:
        raise ExecutionError(
            "a pool of the route is not described; load its description first", pool_id=error.args[0]
        ) from None
    return {"fromBlock": hex(number), "toBlock": hex(number), "address": sorted(addresses)}


def _touched_pools(
    raw_logs: list[dict[str, Any]], decision: Decision, specs: Mapping[str, PoolSpec]
) -> dict[tuple[int, bytes], list[str]]:
    """Return the cycle's pools that each transaction touched, by its position and hash.

    A pool of the vault shows as the first indexed argument of the vault's event.
    """
    of_address: dict[Address, list[str]] = defaultdict(list)
    for hop in decision.opportunity.hops:
        of_address[specs[hop.pool_id].address].append(hop.pool_id)
    touched: dict[tuple[int, bytes], list[str]] = defaultdict(list)
    for log in raw_logs:
        address, topics = str(log["address"]).lower(), log["topics"]
        for pool_id in of_address.get(address, ()):
            in_vault = pool_id != address
            if in_vault and (len(topics) < 2 or str(topics[1]).lower() != pool_id):
                continue
            pools = touched[int(log["transactionIndex"], 16), _bytes(log["transactionHash"])]
            if pool_id not in pools:
                pools.append(pool_id)
    return touched


def _read_log(log: Mapping[str, Any]) -> RawLog:
    return RawLog(
        block_number=int(log["blockNumber"], 16),
        log_index=int(log["logIndex"], 16),
        transaction_index=int(log["transactionIndex"], 16),
        transaction_hash=_bytes(log["transactionHash"]),
        address=str(log["address"]).lower(),
        topics=tuple(_bytes(topic) for topic in log["topics"]),
        data=_bytes(log["data"]),
    )


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
