"""All sources of prices behind one question: the worth of an amount of a token in one numeraire."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chain.blocks import Address
from core.errors import MarketError
from core.reasons import Reason, Refusal
from market.prices.price import Price, PriceKind, PriceSource

BOUND_PPM = 20_000
"""Two per cent: more than feeds wait for before they update, and pools' fees, taken together."""


@dataclass(frozen=True, slots=True)
class Valued:
    """What an amount is worth.

    Parameters
    ----------
    token, amount
        What was asked, raw units.
    numeraire, value
        What it is worth, raw units, rounded down.
    price
        What decided; ``None`` for the numeraire itself.
    reasons
        Why sources that would have been preferred were passed over, and whether the price is a spot
        price. Empty if the first choice decided.
    """

    token: Address
    amount: int
    numeraire: Address
    value: int
    price: Price | None
    reasons: tuple[Refusal, ...] = ()


class PriceRegistry:
    """Prices of the newest reading, asked in order of preference.

    A token is priced by a source of it in the numeraire, or over one step in between (token, dollar,
    ether). A source that refuses, or whose reading has become too old, is passed over with its reason.
    Where several prices are at hand they must agree; spot prices, which anybody can move, neither
    decide while there is another nor count as a contradiction.

    Parameters
    ----------
    sources
        The preferred ones first; the order of those that price the token itself decides.
    numeraire
        What amounts are valued in; the wrapped native token as a rule.
    bound_ppm
        How far two prices may be apart.
    """

    def __init__(
        self, sources: Sequence[PriceSource], numeraire: Address, bound_ppm: int = BOUND_PPM
    ) -> None:
        self.sources = tuple(sources)
        self.skipped: Counter[Reason] = Counter()
        """How often a source was passed over, by reason."""
        self._numeraire = numeraire
        self._bound_ppm = bound_ppm
        unread = Refusal(Reason.PRICE_STALE, "nothing was read yet")
        self._read: tuple[Price | Refusal, ...] = (unread,) * len(self.sources)

    def update(self, read: Sequence[Price | Refusal]) -> None:
        """Take over a reading.

        Parameters
        ----------
        read
            What each source read, in order of :attr:`sources`.

        Raises
        ------
        MarketError
            If a price is of other tokens than its source.
        """
        for source, result in zip(self.sources, read, strict=True):
            if isinstance(result, Price) and (result.base, result.quote) != (source.base, source.quote):
                raise MarketError("a source gave a price of other tokens", source=source.name)
        self._read = tuple(read)

    def value(
        self, token: Address, amount: int, now: int, numeraire: Address | None = None
    ) -> Valued | Refusal:
        """Return what an amount is worth.

        Parameters
        ----------
        token, amount
            What to value, raw units; a loss may be negative.
        now
            Timestamp of the block at which the value is used, Unix seconds.
        numeraire
            Another one than the registry's.
        """
        wanted = numeraire or self._numeraire
        if token == wanted:
            return Valued(token, amount, wanted, amount, None)
        passed: dict[str, Refusal] = {}
        found = [price for path in self._paths(token, wanted) if (price := self._along(path, now, passed))]
        self.skipped.update(refusal.reason for refusal in passed.values())
        firm = [price for price in found if price.kind is not PriceKind.SPOT]
        if not found:
            why = "; ".join(map(str, passed.values())) or "no source prices it"
            return Refusal(Reason.TOKEN_NOT_PRICED, f"{token} has no price in {wanted}: {why}")
        for other in firm[1:]:
            apart = firm[0].differs_ppm(other)
            if apart > self._bound_ppm:
                why = f"{firm[0].source} and {other.source} are {apart} ppm apart, {self._bound_ppm} allowed"
                return Refusal(Reason.PRICES_DISAGREE, why)
        price = (firm or found)[0]
        reasons = list(passed.values())
        if not firm:
            reasons.append(Refusal(Reason.SPOT_PRICE, f"only a spot price is at hand: {price.source}"))
        return Valued(token, amount, wanted, price.of(amount), price, tuple(reasons))

    def _paths(self, token: Address, wanted: Address) -> Iterator[list[tuple[int, bool]]]:
        """Yield ways from a token to another, in order of preference; a step is (place, forwards)."""
        for first, source in enumerate(self.sources):
            between = _other_side(source, token)
            if between == wanted:
                yield [(first, source.base == token)]
            elif between is not None:
                for second, onwards in enumerate(self.sources):
                    if second != first and _other_side(onwards, between) == wanted:
                        yield [(first, source.base == token), (second, onwards.base == between)]

    def _along(self, path: list[tuple[int, bool]], now: int, passed: dict[str, Refusal]) -> Price | None:
        """Return the price of a way; note the sources that refuse."""
        total: Price | None = None
        for place, forwards in path:
            name, read = self.sources[place].name, self._read[place]
            if isinstance(read, Price) and now > read.good_until:
                late = now - read.good_until
                read = Refusal(Reason.PRICE_STALE, f"{name}: the reading is {late} s too old")
            if isinstance(read, Refusal):
                passed[name] = read
                return None
            step = read if forwards else read.inverse()
            total = step if total is None else total.times(step)
        return total


def _other_side(source: PriceSource, token: Address) -> Address | None:
    """Return what a source prices a token in, either way round; ``None`` if it does not."""
    if token == source.base:
        return source.quote
    return source.base if token == source.quote else None
