"""The verdict on a prediction: what the pools are after the simulated transaction's own logs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from chain.blocks import RawLog
from core.errors import MarketError, TapeError
from core.reasons import Reason, Refusal
from market.advance import advance, may_follow, timed
from market.decoding import decode_log
from market.pending.effects import Prediction
from market.pools.pool import Pool
from market.state import MarketState


class Verdict(StrEnum):
    """What the simulation says about a prediction."""

    AGREES = "agrees"
    DIFFERS = "differs"
    UNDECODED = "undecoded"
    REVERTS = "reverts"
    UNJUDGED = "unjudged"


@dataclass(frozen=True, slots=True)
class SimulatedRun:
    """A transaction as a node ran it on the head's state.

    Parameters
    ----------
    ok
        Whether it went through.
    logs
        What it emitted, in order.
    detail
        Why it reverted, in the node's words.
    """

    ok: bool
    logs: tuple[RawLog, ...] = ()
    detail: str = ""


@dataclass(frozen=True, slots=True)
class PendingEffect:
    """What a pending transaction would do to the pools if it came next.

    Parameters
    ----------
    transaction_hash
        32 bytes.
    pools
        The pools it changes, after it, by id; empty if it changes none that are followed.
    source
        Whose state that is: of the calldata, or of the simulation, which is believed where they differ.
    verdict
        What the simulation says.
    reason
        Why it is not "agrees"; ``None`` if it is.
    """

    transaction_hash: bytes
    pools: Mapping[str, Pool]
    source: Literal["decoded", "simulated"]
    verdict: Verdict
    reason: Refusal | None


def judge(
    transaction_hash: bytes,
    predicted: Prediction | Refusal,
    run: SimulatedRun | Refusal,
    state: MarketState,
    timestamp: int,
) -> PendingEffect:
    """Compare a prediction with a simulation of the same transaction on the same state.

    Parameters
    ----------
    transaction_hash
        Which transaction.
    predicted
        From its calldata, or why there is nothing.
    run
        From a node, or why there is nothing.
    state
        The market both start from; it is left as it is.
    timestamp
        Of the block it was run in, unix seconds.
    """
    simulated = _pools_after(run, state, timestamp)
    if isinstance(simulated, Refusal):
        after = predicted.pools if isinstance(predicted, Prediction) else {}
        return PendingEffect(transaction_hash, after, "decoded", Verdict.UNJUDGED, simulated)
    if isinstance(run, SimulatedRun) and not run.ok:
        why = Refusal(Reason.PENDING_REVERTS, run.detail or "the node gives no reason")
        return PendingEffect(transaction_hash, {}, "simulated", Verdict.REVERTS, why)
    if isinstance(predicted, Refusal):
        return PendingEffect(transaction_hash, simulated, "simulated", Verdict.UNDECODED, predicted)
    different = _different(predicted.pools, simulated, state, timestamp)
    if different:
        why = Refusal(Reason.PENDING_DIFFERS, f"other than predicted: {', '.join(different)}")
        return PendingEffect(transaction_hash, simulated, "simulated", Verdict.DIFFERS, why)
    return PendingEffect(transaction_hash, simulated, "decoded", Verdict.AGREES, None)


def _pools_after(
    run: SimulatedRun | Refusal, state: MarketState, timestamp: int
) -> dict[str, Pool] | Refusal:
    if isinstance(run, Refusal):
        return run
    met: dict[str, Pool] = {}
    changed: dict[str, Pool] = {}
    try:
        for log in run.logs:
            event = decode_log(log)
            pool_id = state.place_of(event.pool_id) if event is not None else ""
            before = changed.get(pool_id) or state.pools.get(pool_id)
            if event is None or before is None or pool_id in state.frozen or not may_follow(before, event):
                continue
            met.setdefault(pool_id, timed(before, timestamp))
            changed[pool_id] = advance(changed.get(pool_id, met[pool_id]), event)
    except (MarketError, TapeError) as error:
        return Refusal(Reason.PENDING_UNJUDGED, error.message)
    return {pool_id: pool for pool_id, pool in changed.items() if pool != met[pool_id]}


def _different(
    predicted: Mapping[str, Pool], simulated: Mapping[str, Pool], state: MarketState, timestamp: int
) -> list[str]:
    def after(pools: Mapping[str, Pool], pool_id: str) -> Pool:
        return pools[pool_id] if pool_id in pools else timed(state.pools[pool_id], timestamp)

    touched = sorted({*predicted, *simulated})
    return [pool_id for pool_id in touched if after(predicted, pool_id) != after(simulated, pool_id)]
