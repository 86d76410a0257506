"""Algebra's fee and oracle against its own bytecode: followed by events, for days, with a full ring."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from eth_utils.crypto import keccak

from chain.blocks import RawLog
from chain.devnet.backend import PyrevmBackend
from chain.devnet.calldata import encode_call
from chain.devnet.protocols import must_send
from core.errors import MarketError
from market.events import V3Burn, V3Mint, V3Swap, decode
from market.events_v3_family import AlgebraFee, decode_v3_family
from market.pools.algebra import AlgebraPool
from market.pools.algebra_fee import FeeConfiguration
from market.pools.algebra_oracle import (
    CAPACITY,
    WINDOW,
    Timepoint,
    VolatilityOracle,
    volume_per_liquidity,
)
from market.pools.v3_math import sqrt_ratio_at_tick
from tests.conformance.stage import log_uniform
from tests.conformance.stages.algebra import (
    CONFIGURATION,
    CORE,
    SLOT_OF_STATE,
    AlgebraStage,
    coefficients,
)
from tests.conformance.stages.concentrated import OWNER, PROVIDER, RECIPIENT, Layout
from tests.conformance.stages.packages import creation_code

QUICKSWAP_INIT_CODE_HASH = "6ec6c9c8091d160c0aa74b2b14ba9c1717e95093bd3ac085cee99a49aab294a4"


def test_the_package_is_what_quickswap_v3_runs() -> None:
    code = creation_code(f"{CORE}/AlgebraPool.sol/AlgebraPool.json")
    assert keccak(code).hex() == QUICKSWAP_INIT_CODE_HASH


class Followed:
    """A pool on the chain, and ours, which sees nothing but time and logs."""

    def __init__(self, stage: AlgebraStage, pool_id: str) -> None:
        self.stage = stage
        self.pool_id = pool_id
        self.time = stage.clock.timestamp
        self.ours = self.read()
        self.fees = 0

    def read(self) -> AlgebraPool:
        return self.stage.read(self.stage.placed[self.pool_id])

    def go_to(self, seconds_on: int) -> None:
        self.time += seconds_on
        self.stage.clock.turn_to(self.time)
        self.ours = self.ours.at(self.time)

    def send(self, sender: str, to: str, data: bytes) -> None:
        receipt = self.stage.backend.send(sender, to, data)
        for index, log in enumerate(receipt.logs):
            self.apply(RawLog(1, index, 0, bytes(32), log.address, log.topics, log.data))

    def apply(self, log: RawLog) -> None:
        match decode(log) or decode_v3_family(log):
            case V3Swap() as swap:
                state = swap.sqrt_price_x96, swap.liquidity, swap.tick
                self.ours = self.ours.after_swap(swap.amount0, swap.amount1, *state)
            case V3Mint() as mint:
                self.ours = self.ours.after_position(mint.lower, mint.upper, mint.amount)
                self.stage.placed[self.pool_id].changed(mint.lower, mint.upper, mint.amount)
            case V3Burn() as burn:
                self.ours = self.ours.after_position(burn.lower, burn.upper, -burn.amount)
            case AlgebraFee() as told:
                assert self.ours.begun().fee == told.fee
                self.fees += 1

    def trade(self, rng: np.random.Generator) -> None:
        falls = bool(rng.integers(2))
        size = self.stage.typical_size(self.ours, self.ours.tokens[not falls])
        terms = (self.pool_id, falls, log_uniform(rng, 1, size + 1), RECIPIENT)
        self.send(OWNER, self.stage.trader, encode_call("sell(address,bool,int256,address)", *terms))

    def change_liquidity(self, rng: np.random.Generator) -> None:
        lower = (self.ours.tick // 60 + int(rng.integers(-30, 15))) * 60
        upper = lower + int(rng.integers(1, 30)) * 60
        liquidity = log_uniform(rng, 1, 10**19)
        terms = (self.pool_id, PROVIDER, lower, upper, liquidity)
        mint = encode_call("mintAlgebra(address,address,int24,int24,uint128)", *terms)
        self.send(OWNER, self.stage.trader, mint)
        if rng.random() < 0.5:
            self.go_to(log_uniform(rng, 1, 2 * WINDOW))
            taken = log_uniform(rng, 1, liquidity)
            self.send(PROVIDER, self.pool_id, encode_call("burn(int24,int24,uint128)", lower, upper, taken))


def test_time_and_logs_are_enough_to_follow_a_pool() -> None:
    rng = np.random.default_rng(7)
    stage = AlgebraStage()
    pool = Followed(stage, stage.pool_ids()[0])
    for _ in range(250):
        pool.go_to(log_uniform(rng, 1, 2 * WINDOW) if rng.random() < 0.7 else 0)
        if rng.random() < 0.6:
            pool.trade(rng)
        else:
            pool.change_liquidity(rng)
        assert pool.ours == pool.read()
    assert pool.fees > 80


def test_a_busy_day_is_followed_too() -> None:
    """A timepoint every few seconds: averages begin in the midst of hundreds of them."""
    rng = np.random.default_rng(8)
    stage = AlgebraStage()
    pool = Followed(stage, stage.pool_ids()[0])
    for _ in range(600):
        pool.go_to(int(rng.integers(1, 700)))
        pool.trade(rng)
    oracle = pool.ours.oracle
    assert pool.ours == pool.read()
    assert len(oracle.timepoints) > 200
    assert oracle.timepoints[1].timestamp > pool.time - WINDOW
    ages = [0, 1, WINDOW, *(int(age) for age in rng.integers(0, WINDOW, 200))]
    types, signature = "int56[],uint160[],uint112[],uint256[]", "getTimepoints(uint32[])"
    ticks, _, volatilities, volumes = stage.view(pool.pool_id, types, signature, ages)
    for age, *sums in zip(ages, ticks, volatilities, volumes, strict=True):
        ours = oracle.at(pool.time - age)
        assert [ours.tick_cumulative, ours.volatility_cumulative, ours.volume_cumulative] == sums


def test_a_full_ring_overwrites_its_oldest_timepoint() -> None:
    """A day of blocks of a second does not fit; averages then begin at the oldest that is left."""
    stage = AlgebraStage()
    pool = stage.read(stage.placed[stage.pool_ids()[0]])
    (operator,) = stage.view(pool.pool_id, "address", "dataStorageOperator()")
    first = pool.oracle.newest
    ring = [
        Timepoint(first.timestamp + at, 76_012 * at, 900 * at, first.average_tick, at << 50)
        for at in range(CAPACITY)
    ]
    assert ring[0] == first
    store(
        stage.backend,
        operator,
        {slot: word for at, each in enumerate(ring) for slot, word in packed(at, each)},
    )
    state = stage.backend.get_storage(pool.pool_id, SLOT_OF_STATE)
    newest_at = 160 + 24 + 16
    store(stage.backend, pool.pool_id, {SLOT_OF_STATE: state | CAPACITY - 1 << newest_at})
    pool = replace(pool, oracle=VolatilityOracle.of(ring), timestamp=ring[-1].timestamp)
    assert len(pool.oracle.timepoints) == CAPACITY
    for seconds in (1, 2, 20_000, 70_000, 5):
        pool = pool.at(pool.timestamp + seconds)
        stage.clock.turn_to(pool.timestamp)
        pool = pool.swap(*pool.tokens, 10**16).pool
        sell = encode_call("sell(address,bool,int256,address)", pool.pool_id, True, 10**16, RECIPIENT)
        must_send(stage.backend, OWNER, stage.trader, sell)
        types = "uint160,int24,uint16,uint16"
        price, tick, fee, newest = stage.view(pool.pool_id, types, "globalState()")
        assert (price, tick, fee) == (pool.sqrt_price_x96, pool.tick, pool.fee)
        assert pool.oracle.newest == stage.timepoint(operator, newest)
    assert newest == 4
    assert len(pool.oracle.timepoints) < CAPACITY


def packed(index: int, point: Timepoint) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the two storage slots of a timepoint and their words."""
    low = 1 | point.timestamp << 8 | point.tick_cumulative << 40
    high = point.volatility_cumulative | point.average_tick << 88 | point.volume_cumulative << 112
    return (2 * index, low), (2 * index + 1, high)


def store(backend: PyrevmBackend, contract: str, words: dict[int, int]) -> None:
    """Write storage slots of a contract: for a moment its code is one that stores what it is given."""
    code = backend.get_code(contract)
    backend.set_code(contract, bytes.fromhex("5f5b80361460165780602001358135556040016001565b00"))
    pairs = [slot.to_bytes(32, "big") + word.to_bytes(32, "big") for slot, word in words.items()]
    for start in range(0, len(pairs), 500):
        must_send(backend, OWNER, contract, b"".join(pairs[start : start + 500]))
    backend.set_code(contract, code)


def test_volume_per_liquidity_equals_the_operators() -> None:
    rng = np.random.default_rng(9)
    stage = AlgebraStage()
    (operator,) = stage.view(stage.pool_ids()[0], "address", "dataStorageOperator()")
    signature = "calculateVolumePerLiquidity(uint128,int256,int256)"
    amounts = [0, 1, 2, 3, 2**255 - 1, -(2**255) + 1, 2**192, 2**128 - 1]
    amounts += [log_uniform(rng, 1, 2.0**254) * int(rng.choice([-1, 1])) for _ in range(400)]
    amounts += [int(root) ** 2 + step for root in rng.integers(1, 2**62, 100) for step in (-1, 0, 1)]
    for amount0 in amounts:
        amount1 = amounts[int(rng.integers(len(amounts)))]
        liquidity = int(rng.choice([0, 1, 10**6, 10**18])) * int(rng.integers(1, 2**60)) % 2**128
        (theirs,) = stage.view(operator, "uint128", signature, liquidity, amount0, amount1)
        assert volume_per_liquidity(liquidity, amount0, amount1) == theirs


def test_the_fee_stays_between_its_least_and_its_most() -> None:
    rng = np.random.default_rng(10)
    for _ in range(2_000):
        configuration = FeeConfiguration(*coefficients(rng))
        most = configuration.base_fee + configuration.alpha1 + configuration.alpha2
        fees = [configuration.fee(volatility, 10**9) for volatility in (0, 10**3, 10**6, 2**88 - 1)]
        assert configuration.base_fee <= min(fees) <= max(fees) <= most
        assert fees == sorted(fees)


def test_a_new_pool_begins_with_a_timepoint_and_a_fee_of_its_own() -> None:
    stage = AlgebraStage()
    coefficients_of_new_pools = (0, 0, 1, 1, 1, 1, 1, 1, 777)
    change = f"setBaseFeeConfiguration({CONFIGURATION})"
    must_send(stage.backend, OWNER, stage.factory, encode_call(change, *coefficients_of_new_pools))
    stage.clock.turn_to(stage.clock.timestamp + 1_000)
    stage.place(Layout(0, 60, sqrt_ratio_at_tick(-777)))
    new = stage.read(stage.placed[stage.pool_ids()[-1]])
    assert new.configuration == FeeConfiguration(*coefficients_of_new_pools)
    assert (new.fee, new.begun().fee, new.at(new.timestamp + 1).begun().fee) == (100, 100, 777)
    some = stage.read(stage.placed[stage.pool_ids()[0]]).at(new.timestamp)
    some = replace(some, spec=new.spec, configuration=new.configuration)
    assert some.after_initialize(new.sqrt_price_x96, new.tick) == new


def test_a_pool_is_never_for_a_block_before_its_newest_timepoint() -> None:
    stage = AlgebraStage()
    pool = stage.read(stage.placed[stage.pool_ids()[0]])
    with pytest.raises(MarketError, match="reload"):
        pool.at(pool.oracle.newest.timestamp - 1)
    assert pool.begun() is pool
    dearer = replace(pool, configuration=FeeConfiguration(0, 0, 1, 1, 1, 1, 1, 1, 777))
    later = dearer.at(pool.timestamp + 1)
    assert later.path(True, 10**15) == later.begun().path(True, 10**15) != pool.path(True, 10**15)
    assert dearer.path(True, 10**15) == pool.path(True, 10**15)
    assert pool.at(pool.timestamp + 1).begun().oracle.newest.timestamp == pool.timestamp + 1


@pytest.mark.parametrize("times", [[], [5, 5], [5, 4]])
def test_timepoints_rise_and_there_is_one(times: list[int]) -> None:
    with pytest.raises(MarketError, match="timepoints"):
        VolatilityOracle.of([Timepoint(time, 0, 0, 0, 0) for time in times])


def test_only_the_timepoints_of_a_day_are_kept() -> None:
    hours = [Timepoint(3_600 * hour, hour, 0, 0, 0) for hour in range(100)]
    kept = VolatilityOracle.of(hours).timepoints
    assert kept == tuple(hours[75:])
    assert VolatilityOracle.of(hours[:3]).timepoints == tuple(hours[:3])
    late = VolatilityOracle.of([*hours[:3], Timepoint(10**7, 0, 0, 0, 0)])
    assert [point.timestamp for point in late.timepoints] == [7_200, 10**7]
