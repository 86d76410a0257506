"""The shape of a step: who may say an event, and what it does to a pool."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from core.errors import MarketError
from core.reasons import Reason
from market.events import EventBase
from market.pools.pool import Pool


class Speaker(Enum):
    """The contract that an event must come from."""

    TARGET = "target"
    """The one that is called for a swap: pool, vault or manager."""
    OWN = "own"
    """The pool's own contract, where a vault holds the tokens."""
    FACTORY = "factory"
    """What the pool's description names as its factory."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one kind of event does to one family.

    Parameters
    ----------
    after
        Pool and event to the pool after it; the same object if nothing changed.
    speaker
        Who must have written the event.
    """

    after: Callable[[Any, Any], Pool]
    speaker: Speaker = Speaker.TARGET


Steps = Mapping[tuple[type[Any], type[EventBase]], Step]
"""By the pool's class and the event's."""


def unchanged(pool: Pool, event: EventBase) -> Pool:
    """Return the pool as it is: the event tells of flow, another one carries the state."""
    return pool


def left_open(pool: Pool, event: EventBase) -> Pool:
    """Refuse an event that says that the state changed, not how.

    Raises
    ------
    MarketError
        Always; ``fields["reason"]`` is ``STATE_LEFT_OPEN``.
    """
    raise MarketError(
        f"a {type(event).__name__} event leaves open what the pool holds now; read the pool from a node",
        pool_id=pool.pool_id,
        reason=Reason.STATE_LEFT_OPEN,
    )


def contradiction(pool: Pool, why: str) -> MarketError:
    """Return the error of an event that the pool's state does not allow."""
    return MarketError(
        f"{why}; read the pool from a node", pool_id=pool.pool_id, reason=Reason.EVENT_CONTRADICTS_STATE
    )
