"""The conformance kit: what every pool family must do, checked against its contracts.

One kit for all families. ``OMNIARB_CONFORMANCE_SWAPS`` sets the swaps a family; continuous
integration takes two thousand, a full run a hundred thousand.
"""

from __future__ import annotations

import copy
import os
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from core.reasons import Reason
from market.pools.pool import Pool, Swap
from tests.conformance.stage import Stage, log_uniform, swap_or_reason

SWAPS = int(os.environ.get("OMNIARB_CONFORMANCE_SWAPS", "2000"))
RELOAD_EVERY = 50
DISTURB_SHARE = 0.08
ROUND_TRIPS_EVERY = 5
SEED = 20240105


@dataclass(slots=True)
class Tally:
    """What was checked for one family."""

    swaps: int = 0
    refused: Counter[Reason] = field(default_factory=Counter)
    one_more_refused: int = 0
    states: int = 0
    round_trips: int = 0
    rates: int = 0
    loaded: int = 0


class Differs(AssertionError):
    """Our pool and the contracts disagree."""


def trade_at_random(stage: Stage, swaps: int = SWAPS, seed: int = SEED) -> Tally:
    """Trade on both sides until so many swaps went through, and compare everything after each.

    Raises
    ------
    Differs
        At the first difference, with all that is needed to repeat it.
    """
    rng = np.random.default_rng(seed)
    tally = Tally()
    pools = {pool_id: stage.load(pool_id) for pool_id in stage.pool_ids()}
    ids = sorted(pools)
    for _ in range(swaps * 4):
        if tally.swaps >= swaps:
            return tally
        pool_id = ids[int(rng.integers(len(ids)))]
        if rng.random() < DISTURB_SHARE:
            stage.disturb(pool_id, rng)
            pools[pool_id] = stage.load(pool_id)
            tally.loaded += 1
        pools[pool_id] = _one_swap(stage, pools[pool_id], rng, tally)
    raise Differs(f"{stage.family}: only {tally.swaps} of {swaps} swaps were possible: {dict(tally.refused)}")


def _one_swap(stage: Stage, pool: Pool, rng: np.random.Generator, tally: Tally) -> Pool:
    first, second = (int(each) for each in rng.choice(len(pool.tokens), 2, replace=False))
    token_in, token_out = pool.tokens[first], pool.tokens[second]
    amount_in = log_uniform(rng, 1, max(3.0 * stage.typical_size(pool, token_in), 2.0))
    before = copy.deepcopy(pool)
    ours = swap_or_reason(pool, token_in, token_out, amount_in)
    where = f"{stage.family} {pool.pool_id} {token_in}->{token_out} {amount_in} at {pool!r}"
    if pool != before:
        raise Differs(f"asking changed the pool: {where}")
    if isinstance(ours, Swap) and stage.exact_refusal:
        if not stage.refuses(pool, token_in, token_out, amount_in, ours.amount_out + 1):
            raise Differs(f"one unit more than {ours.amount_out} was paid: {where}")
        tally.one_more_refused += 1
    if isinstance(ours, Swap) and tally.swaps % ROUND_TRIPS_EVERY == 0:
        _check_round_trip(ours, token_in, token_out, where, tally)
    theirs = stage.swap(pool.pool_id, token_in, token_out, amount_in)
    if isinstance(ours, Reason):
        tally.refused[ours] += 1
        if theirs is not None:
            raise Differs(f"we refuse ({ours}), the contract pays {theirs}: {where}")
        return pool
    if theirs != ours.amount_out:
        raise Differs(f"we say {ours.amount_out}, the contract pays {theirs}: {where}")
    tally.swaps += 1
    if tally.swaps % RELOAD_EVERY == 0 or tally.swaps < RELOAD_EVERY:
        loaded = stage.load(pool.pool_id)
        if loaded != ours.pool:
            raise Differs(f"the state after it differs: {loaded!r} on chain, {ours.pool!r} here: {where}")
        tally.states += 1
    return ours.pool


def _check_round_trip(there: Swap, token_in: str, token_out: str, where: str, tally: Tally) -> None:
    if there.amount_out == 0:
        return
    back = swap_or_reason(there.pool, token_out, token_in, there.amount_out)
    if isinstance(back, Swap):
        if back.amount_out > there.amount_in:
            raise Differs(f"there and back gains {back.amount_out - there.amount_in}: {where}")
        tally.round_trips += 1


def check_marginal_rates(stage: Stage, tally: Tally, relative: float = 1e-6) -> None:
    """Compare every pool's marginal rate with what a small trade pays per unit.

    A trade of 1e-7 of a typical size has slippage of about that order; where it is too small for
    whole units to tell, the pair of tokens is left out.
    """
    for pool_id in stage.pool_ids():
        pool = stage.load(pool_id)
        for token_in in pool.tokens:
            for token_out in pool.tokens:
                if token_in != token_out:
                    _check_rate(stage, pool, token_in, token_out, relative, tally)


def _check_rate(
    stage: Stage, pool: Pool, token_in: str, token_out: str, relative: float, tally: Tally
) -> None:
    small = stage.typical_size(pool, token_in) // 10**7
    answer = swap_or_reason(pool, token_in, token_out, small) if small else Reason.AMOUNT_TOO_SMALL
    if isinstance(answer, Reason) or min(small, answer.amount_out) < 10 / relative:
        return
    rate = pool.marginal_rate(token_in, token_out)
    paid = answer.amount_out / small
    if not paid * (1 - relative) <= rate <= paid * (1 + 10 * relative):
        raise Differs(f"{stage.family} {pool.pool_id}: rate {rate}, a small trade pays {paid} per unit")
    tally.rates += 1
