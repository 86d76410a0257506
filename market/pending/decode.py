"""From a pending transaction to the steps it asks for, or to the reason why they are not known."""

from __future__ import annotations

from collections.abc import Callable

from chain.pending_transactions import PendingTransaction
from core.reasons import Reason, Refusal
from market.pending.calldata import LARGEST, NotDecoded
from market.pending.direct import decode_direct
from market.pending.intents import Step, swaps_in
from market.pending.swap_router_02 import decode_swap_router_02
from market.pending.targets import Call, Router, RouterKind, Targets
from market.pending.universal_router import decode_universal
from market.pending.v2_router import decode_v2
from market.pending.v3_router import decode_v3
from market.pending.vault import decode_vault

_MOST_HOPS = 256
_DECODERS: dict[RouterKind, Callable[[Router, Call], tuple[Step, ...]]] = {
    RouterKind.V2_ROUTER: decode_v2,
    RouterKind.V3_ROUTER: decode_v3,
    RouterKind.SWAP_ROUTER_02: decode_swap_router_02,
    RouterKind.UNIVERSAL_ROUTER: decode_universal,
    RouterKind.VAULT: decode_vault,
}


def decode_pending(transaction: PendingTransaction, targets: Targets) -> tuple[Step, ...] | Refusal:
    """Return what a transaction asks for, in order; at least one swap is among the steps.

    Whatever the calldata holds, nothing is raised: calldata is written by strangers.

    Parameters
    ----------
    transaction
        Any transaction.
    targets
        Contracts that are understood.
    """
    to, data = transaction.to or "", transaction.input
    router, spec = targets.routers.get(to), targets.pools.get(to)
    if router is None and spec is None:
        return Refusal(
            Reason.PENDING_UNKNOWN_TARGET, f"{to or 'a new contract'} is no router or pool we know"
        )
    if len(data) > LARGEST:
        return Refusal(Reason.PENDING_UNDECODABLE, f"{len(data)} bytes of calldata, limit {LARGEST}")
    call = Call(transaction.sender, transaction.value, data)
    try:
        if router is not None:
            steps = _DECODERS[router.kind](router, call)
        elif spec is not None:
            steps = decode_direct(spec, call)
    except NotDecoded as error:
        return error.refusal
    hops = sum(len(swap.hops) for swap in swaps_in(steps))
    if hops == 0:
        return Refusal(Reason.PENDING_UNKNOWN_CALL, "there is no swap in it")
    if hops > _MOST_HOPS:
        return Refusal(Reason.PENDING_UNDECODABLE, f"{hops} swaps of a pool in one, limit {_MOST_HOPS}")
    return steps
