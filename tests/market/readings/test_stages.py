"""A reading gives what the conformance stages read by their own means, before and after trades."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from chain.asking import ask_all
from chain.multicall import Multicall
from core.errors import MarketError, RpcError
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from market.readings import reading_of
from tests.conformance.families import STAGES
from tests.conformance.stage import Stage, log_uniform
from tests.conformance.stages.algebra import AlgebraStage
from tests.market.readings.evm_node import EvmNode
from tests.market.readings.staged import backend_of, described, node_of, stand_at_the_time_of, tokens_of
from tests.multicall3 import ADDRESS

CHANGES = 60


async def check(name: str, stage: Stage, firsts: dict[str, PoolSpec]) -> None:
    """Compare every pool."""
    node = node_of(name, stage)
    multicall = Multicall(ADDRESS) if type(node) is EvmNode else None
    for pool_id in stage.pool_ids():
        loaded = stage.load(pool_id)
        stand_at_the_time_of(stage, loaded)
        spec = described(name, loaded, firsts[pool_id])
        tokens = {} if name == "uniswap_v4" else tokens_of(node, spec)
        timestamp = getattr(loaded, "timestamp", backend_of(stage).timestamp)
        (found,) = await ask_all(node, [reading_of(spec, tokens, timestamp)], "latest", multicall)
        if isinstance(found, MarketError | RpcError):
            raise found
        terms = replace(loaded.spec, variant=spec.variant, factory=_speaker(stage, loaded))
        expected = replace(loaded, spec=terms)  # type: ignore[type-var]
        assert found == expected
        assert multicall is None or multicall.fallback is None


def _speaker(stage: Stage, pool: Pool) -> str:
    """Return the contract whose logs tell of changes of a pool's fee, beside the pool's own."""
    if not isinstance(stage, AlgebraStage):
        return pool.spec.factory
    (operator,) = stage.view(pool.address, "address", "dataStorageOperator()")
    return str(operator)


def change(stage: Stage, rng: np.random.Generator) -> None:
    """Trade on a pool, and disturb it."""
    pool = stage.load(str(rng.choice(stage.pool_ids())))
    first, second = (int(each) for each in rng.choice(len(pool.tokens), 2, replace=False))
    amount = log_uniform(rng, 1, max(2.0 * stage.typical_size(pool, pool.tokens[first]), 2.0))
    stage.swap(pool.pool_id, pool.tokens[first], pool.tokens[second], amount)
    stage.disturb(pool.pool_id, rng)


@pytest.mark.parametrize("name", sorted(STAGES))
async def test_a_reading_gives_the_state_that_the_stage_reads(name: str) -> None:
    stage, rng = STAGES[name](), np.random.default_rng(5)
    firsts = {pool_id: stage.load(pool_id).spec for pool_id in stage.pool_ids()}
    await check(name, stage, firsts)
    for _ in range(CHANGES):
        change(stage, rng)
    await check(name, stage, firsts)
