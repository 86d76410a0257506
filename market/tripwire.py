"""Is our market the chain's? Pools are sampled, compared, and a difference is given its class.

Every live pool comes round in turn, so that none escapes; how many a block can afford is up to the caller.
What the node says now is compared field by field. The class of a difference follows from logs alone: those
that we applied since the pool was last right, and those that the node serves for the same blocks today.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from chain.blocks import RawLog
from core.reasons import Reason
from market.pools.pool import Pool
from market.pools.v3_ticks import TickMap

LogKey = tuple[int, int, bytes, bytes]
"""Height, log index, topics and data: what tells two logs of one contract apart."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that is not what the chain says.

    Parameters
    ----------
    field
        Name in the pool's state.
    ours, chains
        Both values, as text.
    """

    field: str
    ours: str
    chains: str

    def __str__(self) -> str:
        return f"{self.field} is {self.chains} on chain, {self.ours} here"


def differences(ours: Pool, chains: Pool) -> tuple[Difference, ...]:
    """Return every field in which two states of one pool differ.

    Examples
    --------
    >>> from market.pools.spec import PoolSpec
    >>> from market.pools.uniswap_v2 import UniswapV2Pool
    >>> pool = UniswapV2Pool(PoolSpec("uniswap_v2", "0xp", "0xp", ("0xa", "0xb"), 3000), 10, 20)
    >>> [str(each) for each in differences(pool, pool.after_sync(10, 21))]
    ['reserve1 is 21 on chain, 20 here']
    """
    if ours == chains:
        return ()
    if type(ours) is not type(chains) or not dataclasses.is_dataclass(ours):
        return (Difference("family", ours.family, chains.family),)
    found = []
    for field in dataclasses.fields(ours):
        mine, theirs = getattr(ours, field.name), getattr(chains, field.name)
        if mine != theirs:
            found.append(_difference(field.name, mine, theirs))
    return tuple(found)


def _difference(name: str, ours: object, chains: object) -> Difference:
    """Name the first tick that differs, where a whole map would be too much to read."""
    if isinstance(ours, TickMap) and isinstance(chains, TickMap):
        either = sorted({*ours, *chains})
        tick = next(
            tick
            for tick in either
            if (ours.get(tick), ours.gross.get(tick)) != (chains.get(tick), chains.gross.get(tick))
        )
        return Difference(f"liquidity_net at tick {tick}", str(ours.get(tick)), str(chains.get(tick)))
    return Difference(name, str(ours), str(chains))


def key_of(log: RawLog) -> LogKey:
    """Return what a log is known by."""
    return log.block_number, log.log_index, b"".join(log.topics), log.data


def class_of(
    applied: Collection[LogKey], served: Collection[LogKey], late: Collection[LogKey]
) -> tuple[Reason, str]:
    """Return the class of a difference, and what shows it.

    Parameters
    ----------
    applied
        Logs of the pool's contracts that we applied since it was last right.
    served
        Logs of these contracts that the node serves for the same blocks now.
    late
        Logs that were announced after their block had been applied.

    Returns
    -------
    tuple of Reason and str
        ``UNHANDLED_REORG`` if we applied a log that the chain does not have, ``LATE_DELIVERY`` or
        ``MISSED_LOG`` if it has one that we did not apply, ``CHANGED_WITHOUT_EVENT`` if both are the same.

    Examples
    --------
    >>> sync, other = (7, 0, b"s", b"1"), (7, 1, b"s", b"2")
    >>> class_of({sync}, {sync, other}, ())
    (<Reason.MISSED_LOG: 'missed_log'>, 'log 1 of block 7 was not applied')
    >>> class_of({sync}, {sync, other}, {other})[0], class_of({sync, other}, {sync}, ())[0]
    (<Reason.LATE_DELIVERY: 'late_delivery'>, <Reason.UNHANDLED_REORG: 'unhandled_reorg'>)
    >>> class_of({sync}, {sync}, ())[0]
    <Reason.CHANGED_WITHOUT_EVENT: 'changed_without_event'>
    """
    ours, chains = set(applied), set(served)
    foreign = sorted(ours - chains)
    if foreign:
        number, index, *_ = foreign[0]
        return Reason.UNHANDLED_REORG, f"log {index} of block {number} was applied and is not on the chain"
    missing = sorted(chains - ours)
    if missing:
        number, index, *_ = missing[0]
        reason = Reason.LATE_DELIVERY if missing[0] in set(late) else Reason.MISSED_LOG
        return reason, f"log {index} of block {number} was not applied"
    return Reason.CHANGED_WITHOUT_EVENT, "every log was applied"


class Rota:
    """Whose turn it is to be compared: every member comes round before any comes twice.

    Parameters
    ----------
    size
        How many are drawn at once.

    Examples
    --------
    >>> rota = Rota(2)
    >>> rota.draw(["a", "b", "c"]), rota.draw(["a", "b", "c"]), rota.draw(["a", "c"])
    (('a', 'b'), ('c', 'a'), ('c', 'a'))
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._waiting: dict[str, None] = {}

    def draw(self, members: Iterable[str]) -> tuple[str, ...]:
        """Return the next members whose turn it is, newcomers last."""
        present = dict.fromkeys(members)
        self._waiting = {name: None for name in self._waiting if name in present} | {
            name: None for name in present if name not in self._waiting
        }
        drawn = tuple(self._waiting)[: self._size]
        for name in drawn:
            del self._waiting[name]
            self._waiting[name] = None
        return drawn
