"""CEX: how far the pools stand from the last closed candle of an exchange."""

from __future__ import annotations

import math
from collections.abc import Mapping

from chain.blocks import Address
from features.feature import Feature
from features.groups.group import Observed
from features.groups.prices import PPM, Pair, find_token
from market.tokens import Token

FEATURES = (
    Feature(
        "cex_dex_gap_ppm", "ppm", "Log of the mean WETH/USDC pool price over the last closed candle's close."
    ),
    Feature("candle_age_seconds", "seconds", "Time since that candle closed."),
)


class CexGroup:
    """Gap between decentralised pools and a centralised exchange."""

    def __init__(self, tokens: Mapping[Address, Token]) -> None:
        weth, usdc = find_token(tokens, "WETH"), find_token(tokens, "USDC")
        self._pair: Pair | None = None
        if weth is None or usdc is None:
            return
        self._pair = (min(weth, usdc), max(weth, usdc))
        # raw units to dollars per ether, and the side of the pair on which the ether stands
        self._shift = (tokens[weth].decimals - tokens[usdc].decimals) * math.log(10)
        self._sign = 1.0 if self._pair[0] == weth else -1.0

    def update(self, observed: Observed) -> tuple[float | None, ...]:
        """Take in the next block; values in the order of ``FEATURES``."""
        candle = observed.context.candle
        if candle is None:
            return None, None
        age = float(observed.block.header.timestamp - candle.close_time)
        quotes = observed.book.quotes.get(self._pair, {}) if self._pair else {}
        if not quotes:
            return None, age
        # summed by value: the order in which pools were touched must not show in the last bit
        price = self._sign * math.fsum(quotes.values()) / len(quotes) + self._shift
        return (price - math.log(candle.close)) * PPM, age
