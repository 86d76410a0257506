"""Chainlink feeds, read from a contract of our own with their interface: no package publishes theirs."""

from __future__ import annotations

from decimal import Decimal, localcontext

import pytest
from eth_abi.abi import encode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chain.devnet.artifacts import load_artifact
from chain.devnet.backend import PyrevmBackend
from chain.devnet.calldata import encode_arguments, encode_call
from core.reasons import Reason, Refusal
from market.prices.chainlink import MARGIN_SECONDS, ChainlinkFeed
from market.prices.price import USD, Price, PriceKind
from market.tokens import Token
from tests.market.prices.reading import read, read_with

OWNER = "0x" + "a0" * 20
WETH = Token("0x" + "0e" * 20, "WETH", 18)
WBTC = Token("0x" + "0b" * 20, "WBTC", 8)
NOW, HOUR = 1_704_412_800, 3_600


class Aggregator:
    """The contract, on a chain of its own."""

    def __init__(self, decimals: int = 8, description: str = "ETH / USD") -> None:
        self.backend = PyrevmBackend()
        terms = encode_arguments("uint8,string", decimals, description)
        self.address = self.backend.deploy(OWNER, load_artifact("SettableAggregator").bytecode + terms)

    def set(self, answer: int, updated_at: int, round_id: int = 7, answered_in: int = 7) -> None:
        data = encode_call(
            "setRound(uint80,int256,uint256,uint80)", round_id, answer, updated_at, answered_in
        )
        assert self.backend.send(OWNER, self.address, data).ok

    def read(self, base: Token = WETH, description: str = "ETH / USD") -> Price | Refusal:
        feed = ChainlinkFeed(self.address, base, USD, HOUR, description)
        return read(self.backend, feed.reading(NOW))


@pytest.fixture(scope="module")
def feed() -> Aggregator:
    return Aggregator()


def test_an_answer_is_an_exact_ratio_of_raw_units(feed: Aggregator) -> None:
    feed.set(2_345_67890123, NOW - 60)
    price = feed.read()
    assert isinstance(price, Price)
    assert price.of(10**18) == 2_345_67890123 * 10**10
    assert (price.at, price.known_at, price.good_until) == (NOW - 60, NOW, NOW - 60 + HOUR + MARGIN_SECONDS)
    assert price.kind is PriceKind.ORACLE
    assert "ETH / USD" in price.source


@pytest.mark.parametrize(
    ("answer", "updated_at", "answered_in", "reason"),
    [
        (0, NOW, 7, Reason.PRICE_NOT_POSITIVE),
        (-1, NOW, 7, Reason.PRICE_NOT_POSITIVE),
        (5, NOW, 6, Reason.PRICE_ROUND_INCOMPLETE),
        (5, 0, 7, Reason.PRICE_ROUND_INCOMPLETE),
        (5, NOW + 1, 7, Reason.PRICE_FROM_FUTURE),
        (5, NOW - HOUR - MARGIN_SECONDS - 1, 7, Reason.PRICE_STALE),
        (5, NOW - HOUR - MARGIN_SECONDS, 7, None),
        (5, NOW, 8, None),
    ],
)
def test_an_answer_that_cannot_be_believed_is_refused(
    feed: Aggregator, answer: int, updated_at: int, answered_in: int, reason: Reason | None
) -> None:
    feed.set(answer, updated_at, answered_in=answered_in)
    found = feed.read()
    assert (found.reason if isinstance(found, Refusal) else None) is reason


def test_a_contract_that_is_another_feed_or_none_is_refused(feed: Aggregator) -> None:
    feed.set(5, NOW)
    other = feed.read(description="BTC / USD")
    assert isinstance(other, Refusal)
    assert other.reason is Reason.PRICE_UNREADABLE
    assert "'ETH / USD'" in other.detail
    nobody = ChainlinkFeed("0x" + "99" * 20, WETH, USD, HOUR, "ETH / USD")
    none = read(feed.backend, nobody.reading(NOW))
    assert isinstance(none, Refusal)
    assert none.reason is Reason.PRICE_UNREADABLE


@given(st.integers(1, 10**30), st.sampled_from([0, 6, 8, 18, 36]), st.sampled_from([WETH, WBTC]))
@settings(max_examples=12, deadline=None)
def test_no_decimal_is_lost_whatever_the_feed_counts_in(answer: int, decimals: int, base: Token) -> None:
    feed = Aggregator(decimals, "X / USD")
    feed.set(answer, NOW)
    price = feed.read(base, "X / USD")
    assert isinstance(price, Price)
    with localcontext() as context:
        context.prec = 200
        dollars = Decimal(answer) / 10**decimals * Decimal(123_456_789) / 10**base.decimals
        assert price.of(123_456_789) == int(dollars * 10**USD.decimals)


ANSWERS = (
    st.none()
    | st.binary(max_size=200)
    | st.lists(st.integers(0, 2**256 - 1), max_size=6).map(
        lambda words: b"".join(word.to_bytes(32, "big") for word in words)
    )
)


@given(st.tuples(ANSWERS, ANSWERS, ANSWERS))
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_a_contract_answers_there_is_a_price_or_a_reason(
    answers: tuple[bytes | None, bytes | None, bytes | None],
) -> None:
    feed = ChainlinkFeed("0x" + "99" * 20, WETH, USD, HOUR, "ETH / USD")
    assert isinstance(read_with(feed.reading(NOW), lambda _: answers), Price | Refusal)


def test_an_answer_without_decimals_has_no_scale() -> None:
    feed = ChainlinkFeed("0x" + "99" * 20, WETH, USD, HOUR, "ETH / USD")
    latest = encode(["uint80", "int256", "uint256", "uint256", "uint80"], [1, 5, NOW, NOW, 1])
    found = read_with(feed.reading(NOW), lambda _: [latest, None, encode(["string"], ["ETH / USD"])])
    assert isinstance(found, Refusal)
    assert found.reason is Reason.PRICE_DECIMALS_UNKNOWN
