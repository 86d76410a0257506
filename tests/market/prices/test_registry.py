"""The registry: preference, steps in between, reasons, contradictions, and exact values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.questions import Reading
from core.errors import MarketError
from core.reasons import Reason, Refusal
from market.pools.uniswap_v2 import UniswapV2Pool
from market.prices.price import USD, Price, PriceKind
from market.prices.registry import PriceRegistry, Valued
from market.prices.spot import PoolSpot
from market.tokens import Token
from tests.market.prices.reading import read_with
from tests.small_tapes import POOLS

WETH, TKN, USDC = (Token("0x" + digits * 20, "T", 18).address for digits in ("0e", "01", "0c"))
NOW = 1_000


@dataclass(frozen=True)
class Stub:
    """A source that has nothing to read; the test gives its prices."""

    name: str
    base: str
    quote: str

    def reading(self, now: int) -> Reading[Price | Refusal]:
        yield from ()
        return Refusal(Reason.PRICE_UNREADABLE, "a stub")


FEED, ETHER, POOL, SPOT = (
    Stub("feed", TKN, USD.address),
    Stub("ether", WETH, USD.address),
    Stub("pool", TKN, WETH),
    Stub("spot", WETH, TKN),
)
STALE = Refusal(Reason.PRICE_STALE, "it is old")


def price(
    source: Stub, numerator: int, denominator: int = 1, kind: PriceKind = PriceKind.ORACLE, until: int = NOW
) -> Price:
    return Price(source.base, source.quote, numerator, denominator, 900, 950, until, source.name, kind)


def registry_of(*read: tuple[Stub, Price | Refusal]) -> PriceRegistry:
    registry = PriceRegistry([source for source, _ in read], WETH)
    registry.update([result for _, result in read])
    return registry


def test_a_token_is_priced_over_the_dollar() -> None:
    registry = registry_of((FEED, price(FEED, 3)), (ETHER, price(ETHER, 2_000)))
    valued = registry.value(TKN, 10_001, NOW)
    assert isinstance(valued, Valued)
    assert valued.value == 10_001 * 3 // 2_000 == 15
    assert (valued.reasons, valued.numeraire) == ((), WETH)
    assert valued.price is not None
    assert valued.price.source == "feed * ether"
    in_dollars = registry.value(TKN, 10_001, NOW, USD.address)
    assert isinstance(in_dollars, Valued)
    assert in_dollars.value == 30_003
    ether = registry.value(WETH, 5, NOW)
    assert (isinstance(ether, Valued) and ether.value, ether.price) == (5, None)  # type: ignore[union-attr]


def test_a_source_that_refuses_is_passed_over_with_its_reason_and_counted() -> None:
    registry = registry_of((FEED, STALE), (ETHER, price(ETHER, 2_000)), (POOL, price(POOL, 1, 700)))
    for _ in range(2):
        valued = registry.value(TKN, 7_000, NOW)
        assert isinstance(valued, Valued)
        assert (valued.value, valued.reasons) == (10, (STALE,))
    assert registry.skipped == {Reason.PRICE_STALE: 2}


def test_a_reading_that_has_become_too_old_is_stale() -> None:
    registry = registry_of((FEED, price(FEED, 3)), (ETHER, price(ETHER, 2_000, until=NOW + 50)))
    refused = registry.value(TKN, 1, NOW + 1)
    assert isinstance(refused, Refusal)
    assert refused.reason is Reason.TOKEN_NOT_PRICED
    assert "price_stale: feed: the reading is 1 s too old" in refused.detail
    unread = PriceRegistry([FEED], WETH).value(TKN, 1, NOW)
    assert isinstance(unread, Refusal)


@pytest.mark.parametrize(("apart", "agree"), [(20_000, True), (20_001, False)])
def test_two_prices_that_are_too_far_apart_decide_nothing(apart: int, agree: bool) -> None:
    registry = registry_of(
        (FEED, price(FEED, 2_000)),
        (ETHER, price(ETHER, 2_000)),
        (POOL, price(POOL, 1_000_000 + apart, 1_000_000, PriceKind.AVERAGE)),
    )
    found = registry.value(TKN, 10**6, NOW)
    assert isinstance(found, Valued) is agree
    if isinstance(found, Valued):
        assert found.value == 10**6
    else:
        assert found.reason is Reason.PRICES_DISAGREE
        assert "20001 ppm apart, 20000 allowed" in found.detail


def test_a_spot_price_decides_only_alone_and_says_so() -> None:
    spot = price(SPOT, 5, kind=PriceKind.SPOT)
    beside = registry_of((SPOT, spot), (POOL, price(POOL, 1, 2)))
    valued = beside.value(TKN, 100, NOW)
    assert isinstance(valued, Valued)
    assert (valued.value, valued.reasons) == (50, ())
    alone = registry_of((POOL, STALE), (SPOT, spot)).value(TKN, 100, NOW)
    assert isinstance(alone, Valued)
    assert alone.value == 20
    assert [reason.reason for reason in alone.reasons] == [Reason.PRICE_STALE, Reason.SPOT_PRICE]


def test_more_than_one_step_in_between_is_not_taken() -> None:
    registry = registry_of(
        (FEED, price(FEED, 3)),
        (stable := Stub("stable", USDC, USD.address), price(stable, 1)),
        (pool := Stub("other", USDC, WETH), price(pool, 1)),
    )
    assert isinstance(registry.value(TKN, 1, NOW), Refusal)
    assert isinstance(registry.value(USDC, 1, NOW), Valued)
    missing = registry.value("0x" + "77" * 20, 1, NOW)
    assert isinstance(missing, Refusal)
    assert "no source prices it" in missing.detail


def test_a_price_of_other_tokens_is_not_taken_over() -> None:
    with pytest.raises(MarketError, match="other tokens"):
        registry_of((FEED, price(POOL, 3)))


ratios = st.integers(1, 10**40)


@given(ratios, ratios, ratios, ratios, st.integers(-(10**30), 10**30))
def test_a_value_is_the_exact_product_rounded_down_once(a: int, b: int, c: int, d: int, amount: int) -> None:
    registry = registry_of((FEED, price(FEED, a, b)), (ETHER, price(ETHER, c, d)))
    valued = registry.value(TKN, amount, NOW)
    assert isinstance(valued, Valued)
    exact = amount * Fraction(a, b) / Fraction(c, d)
    assert 0 <= exact - valued.value < 1


def spots() -> Iterator[tuple[PoolSpot, bool]]:
    for pool in POOLS:
        for base, quote in (pool.tokens, pool.tokens[::-1]):
            yield PoolSpot(lambda it=pool: it, base, quote), pool.family != "weighted"  # type: ignore[misc]


@pytest.mark.parametrize(("spot", "readable"), list(spots()))
def test_a_spot_price_is_that_of_the_pool_at_size_zero(spot: PoolSpot, readable: bool) -> None:
    found = read_with(spot.reading(NOW), lambda _: [])
    assert isinstance(found, Price) is readable
    if isinstance(found, Price):
        fee = 1 - spot.pool().spec.fee / 1e6
        rate = spot.pool().marginal_rate(spot.base, spot.quote)
        assert found.numerator / found.denominator * fee == pytest.approx(rate, rel=1e-9)
        assert found.kind is PriceKind.SPOT


def test_an_empty_pool_has_no_spot_price() -> None:
    pool = POOLS[0]
    assert isinstance(pool, UniswapV2Pool)
    empty = UniswapV2Pool(pool.spec, 0, 0)
    for tokens, reason in (
        (pool.tokens, Reason.ZERO_LIQUIDITY),
        ((WETH, TKN), Reason.PRICE_UNREADABLE),
    ):
        found = read_with(PoolSpot(lambda: empty, *tokens).reading(NOW), lambda _: [])
        assert isinstance(found, Refusal)
        assert found.reason is reason
