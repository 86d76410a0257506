"""What is known beside a block: the last closed candle, the winning bid, the builder."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from core.errors import MarketError


@dataclass(frozen=True, slots=True)
class Candle:
    """A closed one-minute candle of a centralised exchange.

    Parameters
    ----------
    symbol
        Pair, as the exchange writes it.
    close_time
        Second at which it had closed; a block may only see candles with
        ``close_time <= block timestamp``.
    open, high, low, close
        Prices, quote units per base unit; finite and positive.
    volume
        Base units traded, at least 0.

    Raises
    ------
    MarketError
        If a price or the volume is no such number.
    """

    symbol: str
    close_time: int
    open: float
    high: float
    low: float
    close: float
    volume: float

    def __post_init__(self) -> None:
        prices = (self.open, self.high, self.low, self.close)
        if not (all(price > 0 and isfinite(price) for price in prices) and 0 <= self.volume < float("inf")):
            raise MarketError(
                "a candle has a price or a volume that is none; fetch the candles again",
                symbol=self.symbol,
                close_time=self.close_time,
            )


@dataclass(frozen=True, slots=True)
class BlockContext:
    """Facts beside a block; ``None`` where nobody recorded them.

    Parameters
    ----------
    candle
        Last candle that had closed at the block's timestamp.
    winning_bid
        Wei the block's builder paid its proposer.
    builder
        Builder's label.
    """

    candle: Candle | None = None
    winning_bid: int | None = None
    builder: str | None = None


NO_CONTEXT = BlockContext()
