"""What an event does to a pool, for every family.

A pool follows an event only from the contract that may say it: swaps from the contract that holds the
tokens, parameters from the pool's own contract or its factory. Where an event tells that the state has
changed but not how, or contradicts the pool, nothing is guessed: the error says why, and whoever keeps
the market takes the pool out of it until it has been read again.
"""

from __future__ import annotations

from chain.blocks import Address
from core.errors import MarketError
from core.reasons import Reason
from market.events import EventBase
from market.pools.algebra import AlgebraPool
from market.pools.balancer_v3_stable import BalancerV3StablePool
from market.pools.composable_stable import ComposableStablePool
from market.pools.curve_stable import CurveStablePool
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from market.steps.balancer import BALANCER_STEPS
from market.steps.concentrated import CONCENTRATED_STEPS
from market.steps.curve import CURVE_STEPS
from market.steps.pairs import PAIR_STEPS
from market.steps.step import Speaker, Steps

STEPS: Steps = {**PAIR_STEPS, **CONCENTRATED_STEPS, **CURVE_STEPS, **BALANCER_STEPS}
_ADDRESS_DIGITS = 42
_VAULT_FAMILIES = ("weighted", "composable_stable")
"""Their ids in the vault begin with the address of the pool's own contract."""


def timed(pool: Pool, timestamp: int) -> Pool:
    """Return the pool as a block of that time, in unix seconds, finds it; itself if time does not matter."""
    if isinstance(pool, AlgebraPool | ComposableStablePool | BalancerV3StablePool | CurveStablePool):
        return pool.at(timestamp)
    return pool


def listens_to(spec: PoolSpec) -> tuple[Address, ...]:
    """Return every contract whose logs tell of a pool: what is called, the pool's own, its factory."""
    own = spec.pool_id[:_ADDRESS_DIGITS]
    return tuple(dict.fromkeys(address for address in (spec.address, own, spec.factory) if address))


def speaking_names(spec: PoolSpec) -> tuple[str, ...]:
    """Return names that events may have for a pool beside its id: its own contract, its fee's operator."""
    own = (spec.pool_id[:_ADDRESS_DIGITS],) if spec.family in _VAULT_FAMILIES else ()
    return (*own, spec.factory) if spec.family == "algebra_v1" and spec.factory else own


def may_follow(pool: Pool, event: EventBase) -> bool:
    """Tell whether an event comes from the contract that may say it of this pool."""
    step = STEPS.get((type(pool), type(event)))
    speaker = Speaker.TARGET if step is None else step.speaker
    match speaker:
        case Speaker.TARGET:
            return event.address == pool.address
        case Speaker.OWN:
            return event.address == pool.pool_id[:_ADDRESS_DIGITS]
        case Speaker.FACTORY:
            return event.address == pool.spec.factory


def advance(pool: Pool, event: EventBase) -> Pool:
    """Return the pool after one event of its own; the same object if nothing changed.

    Raises
    ------
    MarketError
        If the event is not of the pool's family, contradicts the pool's state, or leaves open what it is
        now; ``fields["reason"]`` tells which.
    """
    step = STEPS.get((type(pool), type(event)))
    if step is None:
        raise MarketError(
            f"a {pool.family} pool cannot have a {type(event).__name__} event; check the pool's family",
            pool_id=pool.pool_id,
            block=event.block_number,
            log_index=event.log_index,
            reason=Reason.EVENT_CONTRADICTS_STATE,
        )
    try:
        after: Pool = step.after(pool, event)
    except MarketError as error:
        place = {"pool_id": pool.pool_id, "block": event.block_number, "log_index": event.log_index}
        error.fields.update({"reason": Reason.EVENT_CONTRADICTS_STATE} | error.fields | place)
        raise
    except (ArithmeticError, LookupError, ValueError) as error:
        # anybody may put a pool with any numbers on a chain; none may stop the others
        raise MarketError(
            f"a {type(event).__name__} event is impossible for the pool ({error}); read it from a node",
            pool_id=pool.pool_id,
            block=event.block_number,
            log_index=event.log_index,
            reason=Reason.EVENT_CONTRADICTS_STATE,
        ) from error
    return after
