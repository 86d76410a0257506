"""Chainlink aggregators: an answer is believed only if it is complete, positive and recent.

References
----------
Chainlink, interface AggregatorV3Interface.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from chain.blocks import Address
from chain.questions import ContractCall, Reading
from core.reasons import Reason, Refusal
from market.discovery.answers import values
from market.prices.price import Price, PriceKind
from market.tokens import Token

_LATEST_ROUND_DATA = bytes.fromhex("feaf968c")
_DECIMALS = bytes.fromhex("313ce567")
_DESCRIPTION = bytes.fromhex("7284e416")
MARGIN_SECONDS = 300
"""How late an update may be after its heartbeat: it has to be seen, signed and mined."""


class Round(NamedTuple):
    """What ``latestRoundData`` answers."""

    round_id: int
    answer: int
    started_at: int
    updated_at: int
    answered_in_round: int


@dataclass(frozen=True, slots=True)
class ChainlinkFeed:
    """One aggregator.

    Parameters
    ----------
    address
        Its proxy.
    base_token, quote_token
        What it prices, and in what; :data:`market.prices.price.USD` for dollars.
    heartbeat
        Longest time between two updates, in seconds, as the feed's page promises.
    description
        What the contract must say of itself, such as ``ETH / USD``.
    margin
        Seconds that an update may be late.
    """

    address: Address
    base_token: Token
    quote_token: Token
    heartbeat: int
    description: str
    margin: int = MARGIN_SECONDS

    @property
    def name(self) -> str:
        """Name for people."""
        return f"chainlink {self.description}"

    @property
    def base(self) -> Address:
        """Token that is priced."""
        return self.base_token.address

    @property
    def quote(self) -> Address:
        """Token, or the dollar, that it is priced in."""
        return self.quote_token.address

    def reading(self, now: int) -> Reading[Price | Refusal]:
        """Read the latest round and judge it at ``now``, Unix seconds."""
        calls = (_LATEST_ROUND_DATA, _DECIMALS, _DESCRIPTION)
        answers = yield [ContractCall(self.address, data) for data in calls]
        latest = values(("uint80", "int256", "uint256", "uint256", "uint80"), answers[0])
        decimals, description = values(("uint8",), answers[1]), values(("string",), answers[2])
        if latest is None or description is None:
            return self._refused(Reason.PRICE_UNREADABLE, "the contract does not answer as a feed does")
        if description[0] != self.description:
            return self._refused(Reason.PRICE_UNREADABLE, f"the contract says it is {description[0]!r}")
        if decimals is None:
            return self._refused(Reason.PRICE_DECIMALS_UNKNOWN, "the contract does not say its decimals")
        return self._judged(Round(*latest), decimals[0], now)

    def _judged(self, latest: Round, decimals: int, now: int) -> Price | Refusal:
        good_until = latest.updated_at + self.heartbeat + self.margin
        if latest.answer <= 0:
            return self._refused(Reason.PRICE_NOT_POSITIVE, f"the answer is {latest.answer}")
        if latest.updated_at == 0 or latest.answered_in_round < latest.round_id:
            why = f"round {latest.round_id} was answered in round {latest.answered_in_round}"
            return self._refused(Reason.PRICE_ROUND_INCOMPLETE, why)
        if latest.updated_at > now:
            ahead = latest.updated_at - now
            return self._refused(Reason.PRICE_FROM_FUTURE, f"it was updated {ahead} s after the block")
        if now > good_until:
            age = now - latest.updated_at
            return self._refused(
                Reason.PRICE_STALE, f"it is {age} s old, its heartbeat is {self.heartbeat} s"
            )
        return Price(
            base=self.base,
            quote=self.quote,
            numerator=latest.answer * 10**self.quote_token.decimals,
            denominator=10 ** (decimals + self.base_token.decimals),
            at=latest.updated_at,
            known_at=now,
            good_until=good_until,
            source=self.name,
            kind=PriceKind.ORACLE,
        )

    def _refused(self, reason: Reason, why: str) -> Refusal:
        return Refusal(reason, f"{self.name}: {why}")
