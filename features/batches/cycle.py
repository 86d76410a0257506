"""Batch columns of the set ``cycle``."""

from __future__ import annotations

import numpy as np

from features.batches.arrays import Flags, Floats, before, known, logs, since
from features.batches.kernels import follow
from features.batches.market import half_lives
from features.facts import FactColumns
from features.groups.cycle import LONG_STEP, MIDDLE_STEP, SHORT_STEP, Cycle
from features.groups.flow import WEI_PER_ETHER
from features.groups.prices import PPM


def cycle_columns(facts: FactColumns, cycle: Cycle) -> list[Floats]:
    """Return the columns of :mod:`features.groups.cycle` for one cycle."""
    gap = _gap(facts, cycle)
    pools = sorted({facts.pools.index(pool_id) for pool_id, _, _ in cycle.hops})
    changes, touched = gap - before(gap), facts.touched[:, pools].sum(axis=1)
    depths = np.where(facts.depths[:, pools] > 0, facts.depths[:, pools], np.inf).min(axis=1)
    return [
        np.abs(gap) * PPM,
        (np.abs(gap) - cycle.cost) * PPM,
        _age(gap, cycle.cost),
        follow(gap, SHORT_STEP) * PPM,
        np.sqrt(follow(changes * changes, MIDDLE_STEP)) * PPM,
        half_lives(gap - before(follow(gap, LONG_STEP)), LONG_STEP),
        logs(known(depths / WEI_PER_ETHER, np.isfinite(depths))),
        since(facts["timestamp"], touched > 0),
        follow(touched.astype(np.float64), MIDDLE_STEP),
    ]


def _gap(facts: FactColumns, cycle: Cycle) -> Floats:
    total = np.zeros(len(facts))
    for pool_id, token_in, token_out in cycle.hops:
        if token_in < token_out:
            total = total + facts.quotes[:, facts.slots.index((token_in, token_out, pool_id))]
        else:
            total = total - facts.quotes[:, facts.slots.index((token_out, token_in, pool_id))]
    return total


def _age(gap: Floats, cost: float) -> Floats:
    present: Flags = ~np.isnan(gap)
    side = np.where(present, 2 * (np.abs(gap) > cost) + (gap > 0), -1)
    changed = np.ones(len(gap), dtype=np.bool_)
    changed[1:] = side[1:] != side[:-1]
    return known(since(np.arange(len(gap)), changed), present)
