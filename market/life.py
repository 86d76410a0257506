"""The life of a pool: quarantined, verified, live, divergent.

A pool is traded only while it is live. It becomes live only by way of a verification, and one that
was found to differ from the chain has to take the whole way again: nothing heals by itself.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from enum import StrEnum

from core.errors import MarketError
from core.reasons import Reason, Refusal

HISTORY_LENGTH = 64
"""Changes of life that are remembered of each pool."""


class PoolLife(StrEnum):
    """How far a pool may be trusted."""

    QUARANTINED = "quarantined"
    VERIFIED = "verified"
    LIVE = "live"
    DIVERGENT = "divergent"


class EvidenceKind(StrEnum):
    """What a pool was verified against."""

    CHAIN_BLOCK = "chain_block"
    FILE_CHECK = "file_check"


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a pool counts as verified.

    Parameters
    ----------
    kind
        The chain itself, or only the file that the pool was read from.
    source
        What was compared, in words.
    block
        Height of the compared state; ``None`` where a file does not tell it.

    Raises
    ------
    MarketError
        If a comparison with the chain does not say at which block.
    """

    kind: EvidenceKind
    source: str
    block: int | None = None

    def __post_init__(self) -> None:
        if self.kind is EvidenceKind.CHAIN_BLOCK and self.block is None:
            raise MarketError("a comparison with the chain belongs to a block; name it", source=self.source)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a pool is in its life.

    Parameters
    ----------
    life
        The stage.
    reason
        Why it is not trusted; ``None`` when it is.
    detail
        One sentence: what was compared, or what differed.
    block
        Height that this is about; ``None`` where there is none.
    """

    life: PoolLife
    reason: Reason | None
    detail: str
    block: int | None = None


_FOLLOWS = {
    PoolLife.QUARANTINED: {PoolLife.QUARANTINED, PoolLife.VERIFIED},
    PoolLife.VERIFIED: {PoolLife.QUARANTINED, PoolLife.LIVE},
    PoolLife.LIVE: {PoolLife.QUARANTINED, PoolLife.DIVERGENT},
    PoolLife.DIVERGENT: {PoolLife.QUARANTINED},
}


class Roster:
    """The standing of every pool that we have heard of.

    Examples
    --------
    >>> roster = Roster()
    >>> roster.enter("0xp")
    >>> roster.verified("0xp", Evidence(EvidenceKind.CHAIN_BLOCK, "reserves by multicall", 100))
    >>> roster.go_live("0xp")
    >>> roster.live_ids()
    frozenset({'0xp'})
    >>> roster.diverged("0xp", Reason.MISSED_LOG, "reserve0 is 5 on chain, 4 here", 101)
    >>> roster.live_ids(), roster.standing("0xp").life
    (frozenset(), <PoolLife.DIVERGENT: 'divergent'>)
    """

    def __init__(self) -> None:
        self._history: dict[str, deque[Standing]] = {}
        self._only_chain: set[str] = set()

    def enter(self, pool_id: str) -> None:
        """Take in a pool that nobody has looked at yet.

        Raises
        ------
        MarketError
            If it is here already.
        """
        if pool_id in self._history:
            raise MarketError("the pool has entered already; ask for its standing", pool_id=pool_id)
        first = Standing(PoolLife.QUARANTINED, Reason.NOT_VERIFIED, "not compared with anything yet")
        self._history[pool_id] = deque((first,), maxlen=HISTORY_LENGTH)

    def verified(self, pool_id: str, evidence: Evidence) -> None:
        """Note that a quarantined pool was found to be what it says.

        Raises
        ------
        MarketError
            If it is not quarantined, or has differed from the chain before and the evidence is a file.
        """
        if evidence.kind is EvidenceKind.FILE_CHECK and pool_id in self._only_chain:
            raise MarketError(
                "this pool has differed from the chain, so a file proves nothing; verify it at a block",
                pool_id=pool_id,
                source=evidence.source,
            )
        self._move(pool_id, Standing(PoolLife.VERIFIED, None, evidence.source, evidence.block))

    def go_live(self, pool_id: str) -> None:
        """Let a verified pool be traded.

        Raises
        ------
        MarketError
            If it is not verified.
        """
        before = self.standing(pool_id)
        self._move(pool_id, Standing(PoolLife.LIVE, None, before.detail, before.block))

    def diverged(self, pool_id: str, reason: Reason, detail: str, block: int) -> None:
        """Note that a live pool differs from the chain.

        Parameters
        ----------
        pool_id
            The pool.
        reason
            The class of the difference.
        detail
            What differs, with both numbers.
        block
            Height at which they were compared.

        Raises
        ------
        MarketError
            If it is not live.
        """
        self._move(pool_id, Standing(PoolLife.DIVERGENT, reason, detail, block))
        self._only_chain.add(pool_id)

    def quarantine(self, pool_id: str, reason: Reason, detail: str, block: int | None = None) -> None:
        """Take a pool out, whatever its life was; a pool that is new enters with this reason."""
        if pool_id not in self._history:
            self.enter(pool_id)
        self._move(pool_id, Standing(PoolLife.QUARANTINED, reason, detail, block))

    def standing(self, pool_id: str) -> Standing:
        """Return where a pool is in its life.

        Raises
        ------
        MarketError
            If it has not entered.
        """
        return self._of(pool_id)[-1]

    def history(self, pool_id: str) -> tuple[Standing, ...]:
        """Return the last standings of a pool, oldest first; at most ``HISTORY_LENGTH``.

        Raises
        ------
        MarketError
            If it has not entered.
        """
        return tuple(self._of(pool_id))

    def live_ids(self) -> frozenset[str]:
        """Return the pools that may be traded."""
        return frozenset(pool_id for pool_id, past in self._history.items() if past[-1].life is PoolLife.LIVE)

    def refusals(self) -> dict[str, Refusal]:
        """Return why each pool is not trusted, for those that are quarantined or divergent."""
        latest = ((pool_id, past[-1]) for pool_id, past in self._history.items())
        return {pool_id: Refusal(at.reason, at.detail) for pool_id, at in latest if at.reason is not None}

    def counts(self) -> Counter[PoolLife]:
        """Return how many pools there are in each stage."""
        return Counter(past[-1].life for past in self._history.values())

    def reasons(self) -> Counter[Reason]:
        """Return how many pools are not trusted, by reason."""
        return Counter(refusal.reason for refusal in self.refusals().values())

    def _of(self, pool_id: str) -> deque[Standing]:
        try:
            return self._history[pool_id]
        except KeyError:
            raise MarketError("the pool has not entered; enter it first", pool_id=pool_id) from None

    def _move(self, pool_id: str, after: Standing) -> None:
        before = self.standing(pool_id)
        if after.life not in _FOLLOWS[before.life]:
            raise MarketError(
                f"a pool that is {before.life} does not become {after.life}; "
                "quarantine it, verify it, and then let it go live",
                pool_id=pool_id,
                before=before.life,
                after=after.life,
            )
        self._history[pool_id].append(after)
