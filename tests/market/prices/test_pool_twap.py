"""Averages of concentrated pools: published bytecode against a sum over the swaps it emitted."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from math import floor

import numpy as np
import pytest
from eth_abi.abi import encode

from chain.devnet.backend import PyrevmBackend
from chain.devnet.calldata import encode_call
from chain.devnet.flow import swap_v3
from chain.devnet.world import World
from core.errors import MarketError
from core.reasons import Reason, Refusal
from market.pools.spec import PoolSpec
from market.prices.pool_twap import PoolTwap
from market.prices.price import Price, PriceKind
from tests.conformance.stages.algebra import AlgebraStage
from tests.market.prices.reading import read, read_with
from tests.pyrevm_node import specs_of


@dataclass
class Traded:
    """A pool of the world, and the tick that each of its swaps left, by time."""

    backend: PyrevmBackend
    world: World
    spec: PoolSpec
    ticks: list[tuple[int, int]] = field(default_factory=list)

    def trade(self, rng: np.random.Generator, swaps: int) -> None:
        trader = self.world.accounts["trader-0"].address
        for _ in range(swaps):
            for _ in range(int(rng.integers(0, 4))):  # blocks without us
                self.backend.send(trader, trader)
            forth = bool(rng.integers(0, 2))
            unit = 10**18 if (self.spec.tokens[0] == self.world.weth) == forth else 2_000 * 10**6
            call = swap_v3(self.world.flow_trader, self.spec.address, forth, int(rng.uniform(0.1, 40) * unit))
            receipt = self.backend.send(trader, call.to, call.data)
            assert receipt.ok
            (log,) = (log for log in receipt.logs if log.address == self.spec.address)
            self.ticks.append((self.backend.timestamp, int.from_bytes(log.data[-32:], "big", signed=True)))

    def mean_tick(self, window: int) -> int:
        """Weigh the tick that was in force by its seconds, from the events alone."""
        end = self.backend.timestamp
        starts = [*self.ticks, (end, 0)]
        total = 0
        for (since, tick), (until, _) in pairwise(starts):
            total += tick * max(until - max(since, end - window), 0)
        return floor(Fraction(total, window))


@pytest.fixture
def traded(pyrevm_world: tuple[PyrevmBackend, World]) -> Traded:
    backend, world = pyrevm_world
    spec = next(spec for spec in specs_of(world) if spec.family == "uniswap_v3" and spec.fee == 500)
    grow = encode_call("increaseObservationCardinalityNext(uint16)", 300)
    assert backend.send(world.accounts["lp"].address, spec.address, grow).ok
    return Traded(backend, world, spec)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_average_is_the_geometric_mean_of_the_recorded_swaps(traded: Traded, seed: int) -> None:
    rng = np.random.default_rng(seed)
    traded.trade(rng, 40)
    token0, token1 = traded.spec.tokens
    first = traded.ticks[0][0]
    for _ in range(12):
        traded.trade(rng, 2)
        now = traded.backend.timestamp
        window = int(rng.integers(1, now - first))
        price = read(traded.backend, PoolTwap(traded.spec, token0, window, 1).reading(now))
        assert isinstance(price, Price)
        tick = traded.mean_tick(window)
        low, high = 1.0001**tick, 1.0001 ** (tick + 1)
        assert low * (1 - 1e-9) <= price.numerator / price.denominator < high
        assert (price.at, price.kind) == (now, PriceKind.AVERAGE)
        other = read(traded.backend, PoolTwap(traded.spec, token1, window, 1).reading(now))
        assert isinstance(other, Price)
        assert (other.numerator, other.denominator) == (price.denominator, price.numerator)
        assert (other.base, other.quote) == (token1, token0)


def test_a_pool_that_does_not_remember_the_window_is_refused(traded: Traded) -> None:
    traded.trade(np.random.default_rng(0), 3)
    twap = PoolTwap(traded.spec, traded.spec.tokens[0], 10**6, 1)
    refused = read(traded.backend, twap.reading(traded.backend.timestamp))
    assert isinstance(refused, Refusal)
    assert refused.reason is Reason.TWAP_TOO_SHORT
    assert "1000000 s" in refused.detail


def test_the_depth_is_that_of_the_liquidity_over_the_window(traded: Traded) -> None:
    traded.trade(np.random.default_rng(0), 20)
    now = traded.backend.timestamp
    (liquidity,) = (
        int.from_bytes(traded.backend.call(traded.spec.address, encode_call("liquidity()")), "big"),
    )
    for token in traded.spec.tokens:
        enough = read(traded.backend, PoolTwap(traded.spec, token, 120, 1).reading(now))
        assert isinstance(enough, Price)
        # what the liquidity of now would hold, had the price been the average all the time
        root = (enough.numerator / enough.denominator) ** 0.5
        depth = int(liquidity * root)
        for least, fits in ((int(depth * 0.9), True), (int(depth * 1.1), False)):
            found = read(traded.backend, PoolTwap(traded.spec, token, 120, least).reading(now))
            assert isinstance(found, Price) is fits
            if isinstance(found, Refusal):
                assert found.reason is Reason.TWAP_LIQUIDITY_LOW


def test_algebra_keeps_the_same_sums_under_another_name() -> None:
    stage = AlgebraStage()
    pool_id = stage.pool_ids()[0]
    spec = stage.placed[pool_id].spec
    ticks = []
    for place in range(12):
        stage._pass(pool_id, 30)
        pool = stage.load(pool_id)
        token_in, token_out = spec.tokens if place % 3 else spec.tokens[::-1]
        assert stage.swap(pool_id, token_in, token_out, stage.typical_size(pool, token_in) // 3)
        ticks.append(stage.view(spec.address, "uint160,int24", "globalState()")[1])
    stage._pass(pool_id, 30)
    stage.load(pool_id)
    twap = PoolTwap(spec, spec.tokens[0], 300, 0)
    price = read(stage.backend, twap.reading(stage.backend.timestamp))
    assert isinstance(price, Price)
    mean = sum(ticks[-10:]) // 10
    assert 1.0001**mean * (1 - 1e-9) <= price.numerator / price.denominator < 1.0001 ** (mean + 1)


SUMS = ["int56[]", "uint160[]"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (None, Reason.TWAP_TOO_SHORT),
        (b"", Reason.PRICE_UNREADABLE),
        (b"\xff" * 64, Reason.PRICE_UNREADABLE),
        (encode(SUMS, [[1], [1]]), Reason.PRICE_UNREADABLE),
        (encode(SUMS, [[0, 900_000 * 60], [0, 1]]), Reason.PRICE_UNREADABLE),
        (encode(SUMS, [[0, 60], [0, 60 << 128]]), Reason.TWAP_LIQUIDITY_LOW),
    ],
)
def test_an_answer_that_is_no_average_is_refused(answer: bytes | None, reason: Reason) -> None:
    spec = PoolSpec("uniswap_v3", "0x" + "01" * 20, "0x" + "01" * 20, ("0xa", "0xb"), 500, 10)
    found = read_with(PoolTwap(spec, "0xa", 60, 10**6).reading(1_000), lambda _: [answer])
    assert isinstance(found, Refusal)
    assert found.reason is reason


def test_sums_that_wrapped_around_still_have_a_difference() -> None:
    spec = PoolSpec("uniswap_v3", "0x" + "01" * 20, "0x" + "01" * 20, ("0xa", "0xb"), 500, 10)
    for before, after, tick in ((2**55 - 30, -(2**55) + 30, 1), (-(2**55) + 29, 2**55 - 30, -1)):
        answer = encode(SUMS, [[before, after], [2**160 - 5, 5]])
        found = read_with(PoolTwap(spec, "0xa", 60, 0).reading(1_000), lambda _, it=answer: [it])  # type: ignore[misc]
        assert isinstance(found, Price)
        assert found.numerator / found.denominator == pytest.approx(1.0001**tick, rel=1e-9)


def test_a_pool_without_sums_is_no_source() -> None:
    spec = PoolSpec("uniswap_v2", "0x" + "01" * 20, "0x" + "01" * 20, ("0xa", "0xb"), 3000)
    with pytest.raises(MarketError, match="no average over time"):
        PoolTwap(spec, "0xa", 60, 1)
