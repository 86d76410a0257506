"""From a snapshot to pools that may be traded, each with its standing."""

from __future__ import annotations

from market.life import Evidence, EvidenceKind, Roster
from market.plausibility.judgement import Judgement
from market.snapshots.snapshot import MarketSnapshot


def admit(snapshot: MarketSnapshot) -> Roster:
    """Return a roster in which every pool that could be read is live and every other is quarantined.

    The evidence is the file: a pool is consistent with itself and with the factory that its address
    tells, nothing was asked of a chain.

    Parameters
    ----------
    snapshot
        As a reader gave it.
    """
    roster = Roster()
    evidence = Evidence(
        EvidenceKind.FILE_CHECK, f"consistent within {snapshot.source}", snapshot.block_number
    )
    for pool in snapshot.pools:
        roster.enter(pool.pool_id)
        roster.verified(pool.pool_id, evidence)
        roster.go_live(pool.pool_id)
    for name, refusal in snapshot.refused.items():
        roster.quarantine(name, refusal.reason, refusal.detail, snapshot.block_number)
    return roster


def quarantine_implausible(roster: Roster, judgement: Judgement, block: int | None = None) -> None:
    """Quarantine the pools that were judged implausible, with the reason.

    Parameters
    ----------
    roster
        Is changed.
    judgement
        Of pools in the roster.
    block
        Height of the state that was judged; ``None`` if it is not known.
    """
    for pool_id, refusal in judgement.refused.items():
        roster.quarantine(pool_id, refusal.reason, refusal.detail, block)
