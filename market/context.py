"""What is known beside a block: the last closed candle, the winning bid, the builder."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Candle:
    """A closed one-minute candle of a centralised exchange.

    ``close_time`` is the second at which it had closed; a block may only see candles with
    ``close_time <= block timestamp``.
    """

    symbol: str
    close_time: int
    open: float
    high: float
    low: float
    close: float
    volume: float


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
