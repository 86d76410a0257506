"""A price as an exact ratio of raw units, and what every source of prices has."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from chain.blocks import Address
from chain.questions import Reading
from core.reasons import Refusal
from market.tokens import Token

USD = Token("usd", "USD", 18)
"""The dollar as a quote; its raw unit is 1e-18 dollars. No contract has this address."""


class PriceKind(StrEnum):
    """How hard a price is to move: for a feed's signers, over a window, or within one block."""

    ORACLE = "oracle"
    AVERAGE = "average"
    SPOT = "spot"


@dataclass(frozen=True, slots=True)
class Price:
    """Raw units of ``quote`` for one raw unit of ``base``, as a ratio of integers.

    Parameters
    ----------
    base, quote
        Tokens' addresses; :data:`USD` is one as well.
    numerator, denominator
        Positive; decimals of both sides are in them, so none is applied later.
    at
        Unix seconds of what the price says: a feed's update, the end of a window.
    known_at
        Timestamp of the block at which it was read.
    good_until
        Last Unix second at which it may be used.
    source
        Where it comes from, for people.
    kind
        How hard it is to move.

    Examples
    --------
    >>> price = Price("0xa", "0xb", 2_000 * 10**6, 10**18, 0, 0, 60, "test", PriceKind.ORACLE)
    >>> price.of(15 * 10**17), price.inverse().of(10**6)
    (3000000000, 500000000000000)
    """

    base: Address
    quote: Address
    numerator: int
    denominator: int
    at: int
    known_at: int
    good_until: int
    source: str
    kind: PriceKind

    def of(self, amount: int) -> int:
        """Return the raw units of ``quote`` that an amount of ``base`` is worth, rounded down."""
        return amount * self.numerator // self.denominator

    def inverse(self) -> Price:
        """Return the price the other way round."""
        return replace(
            self,
            base=self.quote,
            quote=self.base,
            numerator=self.denominator,
            denominator=self.numerator,
        )

    def times(self, other: Price) -> Price:
        """Return the price over two steps: as old as the older, as easy to move as the easier."""
        kinds = list(PriceKind)
        return Price(
            base=self.base,
            quote=other.quote,
            numerator=self.numerator * other.numerator,
            denominator=self.denominator * other.denominator,
            at=min(self.at, other.at),
            known_at=min(self.known_at, other.known_at),
            good_until=min(self.good_until, other.good_until),
            source=f"{self.source} * {other.source}",
            kind=max(self.kind, other.kind, key=kinds.index),
        )

    def differs_ppm(self, other: Price) -> int:
        """Return how far the larger of two prices of the same tokens is above the smaller, in ppm."""
        mine, others = self.numerator * other.denominator, other.numerator * self.denominator
        return abs(mine - others) * 1_000_000 // min(mine, others)


class PriceSource(Protocol):
    """Something that prices one token in another; a reading asks for what it needs."""

    @property
    def name(self) -> str:
        """Name for people, and for the reasons of refusals."""
        ...

    @property
    def base(self) -> Address:
        """Token that is priced."""
        ...

    @property
    def quote(self) -> Address:
        """Token, or the dollar, that it is priced in."""
        ...

    def reading(self, now: int) -> Reading[Price | Refusal]:
        """Read the price at a block.

        Parameters
        ----------
        now
            That block's timestamp.
        """
        ...
