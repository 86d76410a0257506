"""Mine the chosen order on the local node, once, and hold the node to the simulation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chain.blocks import BlockHeader
from chain.wire import head_from_json
from core.errors import DevnetError, RpcError
from execution.prestate import Rpc, TargetBlock
from execution.relays.block_simulation import Outcome
from execution.relays.transactions import SignedTransaction


async def fetch_header(rpc: Rpc, block: str) -> BlockHeader:
    """Return a block's header by height (hex) or tag.

    Raises
    ------
    RpcError
        If the node does not answer.
    """
    return head_from_json(await rpc.call("eth_getBlockByNumber", [block, False])).header


async def commit_block(
    rpc: Rpc,
    target: TargetBlock,
    parent: BlockHeader,
    included: Sequence[tuple[SignedTransaction, Outcome]],
) -> BlockHeader:
    """Mine ``target`` on ``parent`` with exactly these transactions and return its header.

    Raises
    ------
    DevnetError
        If the node refuses a transaction, or its receipts are not what was simulated.
    """
    await rpc.call("anvil_dropAllTransactions", [])
    await rpc.call("anvil_setCoinbase", [target.fee_recipient])
    await rpc.call("anvil_setNextBlockBaseFeePerGas", [hex(target.base_fee)])
    await rpc.call("evm_setNextBlockTimestamp", [target.timestamp])
    for transaction, _ in included:
        # one after the other: the node orders a block by arrival
        try:
            await rpc.call("eth_sendRawTransaction", ["0x" + transaction.raw.hex()])
        except RpcError as error:
            raise DevnetError(
                f"the node refuses a transaction that the simulation accepted: {error}",
                transaction="0x" + transaction.hash.hex(),
            ) from error
    await rpc.call("evm_mine", [])
    header = await fetch_header(rpc, "latest")
    if header.number != target.number or header.parent_hash != parent.hash:
        raise DevnetError(
            "something else moved the chain; only the builder may mine",
            block=header.number,
            parent=parent.number,
        )
    if header.base_fee != target.base_fee or header.timestamp != target.timestamp:
        raise DevnetError("the node mined with another base fee or time than asked", block=header.number)
    _compare(await rpc.call("eth_getBlockReceipts", [hex(header.number)]), included, header.number)
    return header


def _compare(
    receipts: Sequence[dict[str, Any]],
    included: Sequence[tuple[SignedTransaction, Outcome]],
    block: int,
) -> None:
    mined = [(r["transactionHash"], r["status"] == "0x1", int(r["gasUsed"], 16)) for r in receipts]
    simulated = [("0x" + t.hash.hex(), outcome.ok, outcome.gas_used) for t, outcome in included]
    if mined != simulated:
        raise DevnetError(
            "the mined block is not the simulated one (hash, success, gas); report this as a bug",
            block=block,
            mined=mined,
            simulated=simulated,
        )
