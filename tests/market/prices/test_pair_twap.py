"""Averages of pairs: published bytecode against a sum over the reserves it announced."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from chain.devnet.backend import PyrevmBackend
from chain.devnet.calldata import decode_result, encode_call
from chain.devnet.flow import swap_v2
from chain.devnet.world import World
from core.errors import MarketError
from core.reasons import Reason, Refusal
from market.pools.spec import PoolSpec
from market.prices.pair_twap import PairTwap
from market.prices.price import Price
from tests.market.prices.reading import read, read_with
from tests.pyrevm_node import specs_of

WINDOW = 240
World_ = tuple[PyrevmBackend, World]


def pair_of(world: World) -> PoolSpec:
    return next(spec for spec in specs_of(world) if spec.family == "uniswap_v2")


def reserves(backend: PyrevmBackend, spec: PoolSpec) -> tuple[int, int]:
    answer = backend.call(spec.address, encode_call("getReserves()"))
    return decode_result("uint112,uint112", answer[:64])  # type: ignore[return-value]


@pytest.mark.parametrize("side", [0, 1])
def test_the_average_is_the_mean_of_the_prices_weighed_by_their_seconds(
    pyrevm_world: World_, side: int
) -> None:
    backend, world = pyrevm_world
    spec, rng = pair_of(world), np.random.default_rng(side)
    twap = PairTwap(spec, spec.tokens[side], WINDOW, 1)
    trader = world.accounts["trader-0"].address
    history: list[tuple[int, Fraction]] = []
    judged = 0
    for _ in range(80):
        if rng.random() < 0.4:
            forth = bool(rng.integers(0, 2))
            amount = int(reserves(backend, spec)[0 if forth else 1] * rng.uniform(0, 0.05))
            call = swap_v2(world.flow_trader, spec.address, forth, amount)
            assert backend.send(trader, call.to, call.data).ok
        else:
            backend.send(trader, trader)
        now, held = backend.timestamp, reserves(backend, spec)
        history.append((now, Fraction(held[1 - side], held[side])))
        price = read(backend, twap.reading(now))
        past = [(at, ratio) for at, ratio in history if at >= now - WINDOW]
        if now - history[0][0] < WINDOW:
            assert isinstance(price, Refusal)
            assert price.reason is Reason.TWAP_TOO_SHORT
            continue
        assert isinstance(price, Price)
        ends = [at for at, _ in past[1:]]
        mean = sum((ratio * (end - at) for (at, ratio), end in zip(past, ends, strict=False)), Fraction(0))
        mean /= WINDOW
        # each second the pair rounds its price down by less than 2**-112
        assert 0 <= mean - Fraction(price.numerator, price.denominator) < Fraction(1, 2**112)
        judged += 1
    assert judged > 50


def test_a_thin_pair_and_a_contract_that_is_none_are_refused(pyrevm_world: World_) -> None:
    backend, world = pyrevm_world
    spec = pair_of(world)
    for twap, reason in (
        (PairTwap(spec, spec.tokens[0], WINDOW, 2**112), Reason.TWAP_LIQUIDITY_LOW),
        (
            PairTwap(PoolSpec("uniswap_v2", "0x", "0x" + "99" * 20, spec.tokens, 3000), spec.tokens[0], 9, 1),
            Reason.PRICE_UNREADABLE,
        ),
    ):
        found = read(backend, twap.reading(backend.timestamp))
        assert isinstance(found, Refusal)
        assert found.reason is reason
    with pytest.raises(MarketError, match="no average over time"):
        PairTwap(spec, "0x" + "99" * 20, WINDOW, 1)


def word(value: int) -> bytes:
    return value.to_bytes(32, "big")


def at(twap: PairTwap, now: int, sums: int) -> Price | Refusal:
    """Read a pair that was touched just now and whose sums are these."""
    answers = [word(sums % 2**256), word(7), word(10**6) + word(10**6) + word(now % 2**32)]
    return read_with(twap.reading(now), lambda _: answers)


def test_sums_and_clocks_that_wrap_around_and_long_pauses_are_understood() -> None:
    spec = PoolSpec("uniswap_v2", "0x", "0x" + "01" * 20, ("0xa", "0xb"), 3000)
    twap = PairTwap(spec, "0xa", 100, 1)
    start = 2**32 - 50
    assert isinstance(at(twap, start, 2**256 - (50 << 112)), Refusal)
    price = at(twap, start + 100, 50 << 112)
    assert isinstance(price, Price)
    assert price.of(10**9) == 10**9
    assert isinstance(at(twap, start + 301, 0), Refusal)  # nothing between one and two windows ago
    assert isinstance(at(twap, start + 50, 0), Refusal)  # another branch, from before
    assert isinstance(at(twap, start + 149, 90 << 112), Refusal)
    price = at(twap, start + 150, 100 << 112)
    assert isinstance(price, Price)
    assert price.at - price.denominator // 2**112 == start + 50
