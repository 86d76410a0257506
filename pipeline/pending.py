"""Pending transactions to state changes: decoded here, run by a node on real bytecode, and compared.

Every transaction is looked at alone, as if it came first in the next block.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chain.blocks import BlockHeader, next_base_fee
from chain.multicall import AskableNode
from chain.pending_transactions import PendingTransaction
from chain.wire import log_from_json
from core.errors import MarketError, RpcError
from core.reasons import Reason, Refusal
from execution.prestate import TargetBlock, block_overrides
from market.pending.decode import decode_pending
from market.pending.effects import Prediction, predict
from market.pending.intents import swaps_in
from market.pending.targets import Targets
from market.state import MarketState
from pipeline.pending_judge import PendingEffect, SimulatedRun, Verdict, judge

_RUNS_PER_BATCH = 25
_SELECTOR_BYTES = 4


async def pending_effects(
    node: AskableNode,
    transactions: Sequence[PendingTransaction],
    targets: Targets,
    state: MarketState,
    block_seconds: float,
) -> list[PendingEffect]:
    """Return what each transaction would do if it came next, in the order given.

    A transaction that cannot touch a followed pool is not simulated: one without a call, and one
    all of whose swaps are decoded and lie elsewhere.

    Parameters
    ----------
    node
        Runs transactions with ``eth_simulateV1``; it must hold the head's state. A node that refuses
        or is away leaves the predictions unjudged, it is no error.
    transactions
        To look at.
    targets
        Contracts that are understood.
    state
        The market as its head left it.
    block_seconds
        Time between blocks, for the block that a transaction is run in.

    Raises
    ------
    MarketError
        If the market has no head yet.
    """
    if state.head is None:
        raise MarketError("the market has no head; load it from a node first")
    target = _next_block(state.head, block_seconds)
    effects: dict[int, PendingEffect] = {}
    to_run: dict[int, Prediction | Refusal] = {}
    for index, transaction in enumerate(transactions):
        found = _predicted(transaction, targets, state, target.timestamp)
        if isinstance(found, PendingEffect):
            effects[index] = found
        else:
            to_run[index] = found
    runs = await _run_all(node, [transactions[index] for index in to_run], target)
    for (index, predicted), run in zip(to_run.items(), runs, strict=True):
        effects[index] = judge(transactions[index].hash, predicted, run, state, target.timestamp)
    return [effects[index] for index in range(len(transactions))]


def _next_block(head: BlockHeader, block_seconds: float) -> TargetBlock:
    return TargetBlock(
        head.number + 1,
        head.timestamp + max(round(block_seconds), 1),
        next_base_fee(head),
        head.fee_recipient,
        head.gas_limit,
    )


def _predicted(
    transaction: PendingTransaction, targets: Targets, state: MarketState, timestamp: int
) -> Prediction | Refusal | PendingEffect:
    """Return the prediction, or at once the effect of a transaction that need not be simulated."""
    steps = decode_pending(transaction, targets)
    if isinstance(steps, Refusal):
        if len(transaction.input) >= _SELECTOR_BYTES:
            return steps
        return PendingEffect(transaction.hash, {}, "decoded", Verdict.UNJUDGED, steps)
    ways = [hop.pool_id for swap in swaps_in(steps) for hop in swap.hops]
    if not any(pool_id in state.pools and pool_id not in state.frozen for pool_id in ways):
        why = Refusal(Reason.PENDING_UNKNOWN_POOL, f"none of its pools is followed: {', '.join(ways)}")
        return PendingEffect(transaction.hash, {}, "decoded", Verdict.UNJUDGED, why)
    frozen = sorted(state.frozen.intersection(ways))
    if frozen:
        return Refusal(Reason.PENDING_UNKNOWN_POOL, f"not followed at present: {', '.join(frozen)}")
    return predict(steps, state.pools, timestamp)


async def _run_all(
    node: AskableNode, transactions: Sequence[PendingTransaction], target: TargetBlock
) -> list[SimulatedRun | Refusal]:
    runs: list[SimulatedRun | Refusal] = []
    for start in range(0, len(transactions), _RUNS_PER_BATCH):
        part = transactions[start : start + _RUNS_PER_BATCH]
        try:
            answers = await node.attempt([_request(each, target) for each in part])
        except RpcError as error:
            answers = [error] * len(part)
        runs += map(_run, answers)
    return runs


def _request(transaction: PendingTransaction, target: TargetBlock) -> tuple[str, list[Any]]:
    """Ask for one run; without a gas price, so that only what the transaction itself does counts."""
    call = {
        "from": transaction.sender,
        "value": hex(transaction.value),
        "gas": hex(transaction.gas),
        "input": "0x" + transaction.input.hex(),
    }
    if transaction.to is not None:
        call["to"] = transaction.to
    block = {"blockOverrides": block_overrides(target), "calls": [call]}
    request = {"blockStateCalls": [block], "traceTransfers": False, "validation": False}
    return "eth_simulateV1", [request, hex(target.number - 1)]


def _run(answer: Any) -> SimulatedRun | Refusal:
    if isinstance(answer, RpcError):
        return Refusal(Reason.PENDING_UNJUDGED, answer.message)
    try:
        (run,) = answer[0]["calls"]
        if int(run["status"], 16) == 1:
            return SimulatedRun(True, tuple(log_from_json(log) for log in run["logs"]))
        error = run.get("error") or {}
        return SimulatedRun(False, detail=str(error.get("message", "")))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, RpcError) as error:
        why = f"eth_simulateV1 answered in another shape ({type(error).__name__}: {error})"
        return Refusal(Reason.PENDING_UNJUDGED, why)
