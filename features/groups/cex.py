"""CEX: how far the pools stand from the last closed candle of an exchange."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from chain.blocks import Address
from features.feature import Feature
from features.groups.group import Observed
from features.groups.limits import MOST_PPM, MOST_SECONDS
from features.groups.prices import PPM, find_token
from market.tokens import Token

NO_CANDLE = "No candle has closed, or nobody records them."

FEATURES = (
    Feature(
        "cex_dex_gap_ppm",
        "ppm",
        "Log of the mean WETH/USDC pool price over the last closed candle's close.",
        inputs=("quotes", "candle_close"),
        absent="No candle has closed, or no WETH/USDC pool has a price.",
        low=-MOST_PPM,
        high=MOST_PPM,
    ),
    Feature(
        "candle_age_seconds",
        "seconds",
        "Time since that candle closed.",
        inputs=("timestamp", "candle_time"),
        absent=NO_CANDLE,
        low=0,
        high=MOST_SECONDS,
    ),
)


@dataclass(frozen=True, slots=True)
class DollarScale:
    """From mean log prices in raw units to log dollars per ether.

    Parameters
    ----------
    sign
        1.0 if the ether is the first of the pair, else -1.0.
    shift
        Log of the ratio of whole units.
    """

    sign: float
    shift: float

    @classmethod
    def of(cls, tokens: Mapping[Address, Token]) -> DollarScale:
        """Return the scale of a market's WETH and USDC; any, if one is not in it."""
        weth, usdc = find_token(tokens, "WETH"), find_token(tokens, "USDC")
        if weth is None or usdc is None:
            return cls(1.0, 0.0)
        shift = (tokens[weth].decimals - tokens[usdc].decimals) * math.log(10)
        return cls(1.0 if weth < usdc else -1.0, shift)

    def gap_ppm(self, quotes: Collection[float], close: float) -> float:
        """Return the log of the mean price over a close.

        Summed exactly: the order in which pools were touched must not show in the last bit.
        """
        price = self.sign * math.fsum(quotes) / len(quotes) + self.shift
        return (price - math.log(close)) * PPM


class CexGroup:
    """Gap between decentralised pools and a centralised exchange."""

    def __init__(self, scale: DollarScale) -> None:
        self._scale = scale

    def update(self, observed: Observed) -> tuple[float | None, ...]:
        """Take in the next block; values in the order of ``FEATURES``."""
        candle = observed.context.candle
        if candle is None:
            return None, None
        age = float(observed.block.header.timestamp - candle.close_time)
        if not observed.reference:
            return None, age
        return self._scale.gap_ppm(observed.reference.values(), candle.close), age
