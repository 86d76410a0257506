"""Steps of pools in Balancer's vaults."""

from __future__ import annotations

from dataclasses import replace

from market.events import VaultBalanceChanged, VaultSwap
from market.events_balancer import (
    AmpUpdateStarted,
    AmpUpdateStopped,
    BalancerV3Liquidity,
    BalancerV3Swap,
    ProtocolSwapFeeChanged,
    ProtocolYieldFeeChanged,
    RecoveryModeChanged,
    SwapFeePercentageChanged,
    TokenRateCacheUpdated,
    TokenRateProviderSet,
)
from market.pools.amplification import Amplification
from market.pools.balancer_v3 import BalancerV3Pool, VaultAccount
from market.pools.balancer_v3_stable import BalancerV3StablePool
from market.pools.balancer_v3_weighted import BalancerV3WeightedPool
from market.pools.composable_stable import ComposableStablePool
from market.pools.pool import Pool
from market.pools.weighted import WeightedPool
from market.steps.step import Speaker, Step, Steps, contradiction, left_open
from market.unseen import moves_unseen

_FIXED_PER_PPM = 10**12
VaultPool = WeightedPool | ComposableStablePool
StablePool = ComposableStablePool | BalancerV3StablePool


def _vault_swap(pool: VaultPool, event: VaultSwap) -> Pool:
    return pool.after_changes((event.token_in, event.token_out), (event.amount_in, -event.amount_out))


def _vault_change(pool: VaultPool, event: VaultBalanceChanged) -> Pool:
    return pool.after_changes(event.tokens, event.changes)


def _weighted_fee(pool: WeightedPool, event: SwapFeePercentageChanged) -> Pool:
    fee, finer = divmod(event.fee, _FIXED_PER_PPM)
    if finer:
        raise contradiction(pool, f"the fee {event.fee} is finer than parts per million")
    return replace(pool, spec=replace(pool.spec, fee=fee))


def _stable_fee(pool: ComposableStablePool, event: SwapFeePercentageChanged) -> Pool:
    return replace(pool, swap_fee=event.fee)


def _ramp(pool: StablePool, event: AmpUpdateStarted) -> Pool:
    moving = Amplification(event.start, event.end, event.start_time, event.end_time)
    return replace(pool, amplification=moving)


def _stop(pool: StablePool, event: AmpUpdateStopped) -> Pool:
    return replace(pool, amplification=Amplification.constant(event.value))


def _rate_cached(pool: ComposableStablePool, event: TokenRateCacheUpdated) -> Pool:
    return pool.after_rate_cached(event.place, event.rate)


def _v3_swap(pool: BalancerV3Pool, event: BalancerV3Swap) -> Pool:
    if moves_unseen(pool):  # yield fees are taken at rates that may have moved since the last block
        return left_open(pool, event)
    return pool.after_swap(event.token_in, event.token_out, event.amount_in, event.amount_out, event.fee)


def _v3_liquidity(pool: BalancerV3Pool, event: BalancerV3Liquidity) -> Pool:
    if moves_unseen(pool):
        return left_open(pool, event)
    if not len(event.changes) == len(event.fees) == len(pool.tokens):
        raise contradiction(pool, f"the event has {len(event.changes)} tokens")
    return pool.after_liquidity(event.changes, event.fees, event.adding)


def _with_account(pool: BalancerV3Pool, account: VaultAccount) -> Pool:
    return replace(pool, account=account)


def _v3_fee(pool: BalancerV3Pool, event: SwapFeePercentageChanged) -> Pool:
    return _with_account(pool, replace(pool.account, swap_fee=event.fee))


def _v3_swap_share(pool: BalancerV3Pool, event: ProtocolSwapFeeChanged) -> Pool:
    return _with_account(pool, replace(pool.account, protocol_swap_fee=event.share))


def _v3_yield_share(pool: BalancerV3Pool, event: ProtocolYieldFeeChanged) -> Pool:
    return _with_account(pool, replace(pool.account, protocol_yield_fee=event.share))


def _v3_recovery(pool: BalancerV3Pool, event: RecoveryModeChanged) -> Pool:
    return _with_account(pool, pool.account.recovered(event.recovering))


def _v3_steps(family: type[BalancerV3Pool]) -> Steps:
    return {
        (family, BalancerV3Swap): Step(_v3_swap),
        (family, BalancerV3Liquidity): Step(_v3_liquidity),
        (family, SwapFeePercentageChanged): Step(_v3_fee),
        (family, ProtocolSwapFeeChanged): Step(_v3_swap_share),
        (family, ProtocolYieldFeeChanged): Step(_v3_yield_share),
        (family, RecoveryModeChanged): Step(_v3_recovery),
    }


BALANCER_STEPS: Steps = {
    (WeightedPool, VaultSwap): Step(_vault_swap),
    (WeightedPool, VaultBalanceChanged): Step(_vault_change),
    (WeightedPool, SwapFeePercentageChanged): Step(_weighted_fee, Speaker.OWN),
    (ComposableStablePool, VaultSwap): Step(_vault_swap),
    (ComposableStablePool, VaultBalanceChanged): Step(_vault_change),
    (ComposableStablePool, SwapFeePercentageChanged): Step(_stable_fee, Speaker.OWN),
    (ComposableStablePool, AmpUpdateStarted): Step(_ramp, Speaker.OWN),
    (ComposableStablePool, AmpUpdateStopped): Step(_stop, Speaker.OWN),
    (ComposableStablePool, TokenRateCacheUpdated): Step(_rate_cached, Speaker.OWN),
    (ComposableStablePool, TokenRateProviderSet): Step(left_open, Speaker.OWN),
    **_v3_steps(BalancerV3WeightedPool),
    **_v3_steps(BalancerV3StablePool),
    (BalancerV3StablePool, AmpUpdateStarted): Step(_ramp, Speaker.OWN),
    (BalancerV3StablePool, AmpUpdateStopped): Step(_stop, Speaker.OWN),
}
