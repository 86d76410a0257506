"""Balancer's pools, followed by the logs of real receipts alone, stay what the chain says they are."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from chain.blocks import RawLog
from market import events_balancer as events
from market.events import VaultBalanceChanged, VaultSwap, decode
from market.events_balancer import decode_balancer
from market.pools.amplification import Amplification
from market.pools.balancer_v3 import BalancerV3Pool
from market.pools.balancer_v3_stable import BalancerV3StablePool
from market.pools.composable_stable import ComposableStablePool
from tests.conformance.stage import log_uniform
from tests.conformance.stages.balancer_v3 import Made, VaultV3Chain
from tests.conformance.stages.balancer_v3_stable import BalancerV3StableStage
from tests.conformance.stages.balancer_v3_weighted import BalancerV3WeightedStage
from tests.conformance.stages.composable_stable import ComposableStableStage
from tests.conformance.stages.own_tokens import TokenChain

STEPS = 300


def written(chain: TokenChain) -> list[tuple[int, Any]]:
    """Return the events of all receipts since the last time, each with the time of its block."""
    logs = [
        (time, RawLog(receipt.block_number, index, 0, bytes(32), log.address, log.topics, log.data))
        for time, receipt in chain.receipts
        for index, log in enumerate(receipt.logs)
    ]
    chain.receipts.clear()
    found = [(time, decode(log) or decode_balancer(log)) for time, log in logs]
    return [(time, event) for time, event in found if event is not None]


def after_v2(pool: ComposableStablePool, event: Any) -> ComposableStablePool:
    match event:
        case VaultSwap():
            tokens, amounts = (event.token_in, event.token_out), (event.amount_in, -event.amount_out)
            return pool.after_changes(tokens, amounts)
        case VaultBalanceChanged():
            return pool.after_changes(event.tokens, event.changes)
        case events.AmpUpdateStarted():
            line = Amplification(event.start, event.end, event.start_time, event.end_time)
            return replace(pool, amplification=line)
        case events.AmpUpdateStopped():
            line = Amplification(event.value, event.value, pool.timestamp, pool.timestamp)
            return replace(pool, amplification=line)
        case events.SwapFeePercentageChanged():
            return replace(pool, swap_fee=event.fee)
        case events.TokenRateCacheUpdated():
            return pool.after_rate_cached(event.place, event.rate)
        case events.TokenRateProviderSet():
            return pool.after_duration_set(event.place, event.duration)
    raise AssertionError(event)


def after_v3(pool: BalancerV3Pool, event: Any, time: int) -> BalancerV3Pool:
    account = pool.account
    match event:
        case events.BalancerV3Swap():
            amounts = event.amount_in, event.amount_out, event.fee
            return pool.after_swap(event.token_in, event.token_out, *amounts)
        case events.BalancerV3Liquidity():
            return pool.after_liquidity(event.changes, event.fees, event.adding)
        case events.SwapFeePercentageChanged():
            return replace(pool, account=replace(account, swap_fee=event.fee))
        case events.ProtocolSwapFeeChanged():
            return replace(pool, account=replace(account, protocol_swap_fee=event.share))
        case events.ProtocolYieldFeeChanged():
            return replace(pool, account=replace(account, protocol_yield_fee=event.share))
        case events.RecoveryModeChanged():
            return replace(pool, account=account.recovered(event.recovering))
    assert isinstance(pool, BalancerV3StablePool)
    match event:
        case events.AmpUpdateStarted():
            line = Amplification(event.start, event.end, event.start_time, event.end_time)
        case events.AmpUpdateStopped():
            line = Amplification(event.value, event.value, time, time)
        case _:
            raise AssertionError(event)
    return replace(pool, amplification=line)


def something_happens(stage: Any, pool: Any, rng: np.random.Generator) -> None:
    if rng.random() < 0.5:
        stage.disturb(pool.pool_id, rng)
        return
    first, second = rng.choice(len(pool.tokens), 2, replace=False)
    amount = log_uniform(rng, 1, max(stage.typical_size(pool, pool.tokens[first]), 2))
    stage.swap(pool.pool_id, pool.tokens[first], pool.tokens[second], amount)


def test_a_composable_stable_pool_is_followed_by_its_logs() -> None:
    stage, rng = ComposableStableStage(), np.random.default_rng(7)
    pools = {pool_id: stage.load(pool_id) for pool_id in stage.pool_ids()}
    of_contract = {pool.share: pool_id for pool_id, pool in pools.items()}
    seen: Counter[str] = Counter()
    for _ in range(STEPS):
        pool_id = str(rng.choice(stage.pool_ids()))
        stage.chain.receipts.clear()
        something_happens(stage, pools[pool_id], rng)
        pool = pools[pool_id]
        for time, event in written(stage.chain):
            assert of_contract.get(event.pool_id, event.pool_id) == pool_id
            pool = after_v2(pool.at(time), event)
            seen[type(event).__name__] += 1
        on_chain = stage.load(pool_id)
        assert with_provided(pool.at(on_chain.timestamp), on_chain) == on_chain
        pools[pool_id] = on_chain
    assert len(seen) == 7, seen


def with_provided(pool: ComposableStablePool, on_chain: ComposableStablePool) -> ComposableStablePool:
    """Take over what the providers say: nothing writes a log when they say something new."""
    rates = tuple(
        ours and theirs and replace(ours, provided=theirs.provided)
        for ours, theirs in zip(pool.rates, on_chain.rates, strict=True)
    )
    return replace(pool, rates=rates)


@pytest.mark.parametrize("kind", [BalancerV3WeightedStage, BalancerV3StableStage])
def test_a_pool_of_the_v3_vault_is_followed_by_its_logs(kind: type) -> None:
    stage, rng = kind(), np.random.default_rng(8)
    chain: VaultV3Chain = stage.chain
    pools = {pool_id: stage.load(pool_id) for pool_id in stage.pool_ids()}
    seen: Counter[str] = Counter()
    for _ in range(STEPS):
        pool_id = str(rng.choice(stage.pool_ids()))
        chain.receipts.clear()
        before = rates(chain, chain.made[pool_id])
        something_happens(stage, pools[pool_id], rng)
        pool = pools[pool_id]
        assert pool.account.rates == before
        for time, event in written(chain):
            assert event.pool_id == pool_id
            pool = after_v3(pool, event, time)
            seen[type(event).__name__] += 1
        on_chain = stage.load(pool_id)
        pool = replace(pool, account=replace(pool.account, rates=on_chain.account.rates))
        if isinstance(pool, BalancerV3StablePool):
            pool = pool.at(on_chain.timestamp)
        assert pool == on_chain
        pools[pool_id] = on_chain
    assert len(seen) == (8 if kind is BalancerV3StableStage else 6), seen


def rates(chain: VaultV3Chain, made: Made) -> tuple[int, ...]:
    """Return what the providers say; no log tells it."""
    return tuple(
        chain.number(made.providers[token], "getRate()") if token in made.providers else 10**18
        for token in made.tokens
    )
