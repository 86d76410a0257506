"""One-minute candles of an exchange, and what a row may say from those that had closed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.targets.past import Floats, Integers, rolling_mean
from models.targets.reading import read_columns

_FILE = "binance_1m_selected.parquet"
_MINUTE = 60
_HOUR_ROWS = 60
_MILLI = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Candles:
    """Candles in order of closing, arrays of one length.

    Parameters
    ----------
    close_time
        ``int64``, seconds.
    close, high, low
        US dollars.
    volume
        In the base coin.
    """

    close_time: Integers
    close: Floats
    high: Floats
    low: Floats
    volume: Floats

    def newest(self, time: Integers) -> Integers:
        """Return the place of the newest candle closed at each time in seconds; at least 0."""
        return np.maximum(np.searchsorted(self.close_time, time, side="right") - 1, 0).astype(np.int64)


def read_closed_candles(root: Path, symbol: str) -> Candles:
    """Read the candles of a symbol, for example ``ETHUSDT``.

    Raises
    ------
    InputError
        If the file is missing or not what it should be.
    """
    columns = read_columns(root / _FILE, ("open_time", "sym", "c", "h", "l", "v"))
    chosen = np.flatnonzero(columns["sym"] == symbol)
    chosen = chosen[np.argsort(columns["open_time"][chosen], kind="stable")]
    close_time = (columns["open_time"][chosen] // _MILLI + _MINUTE).astype(np.int64)
    return Candles(close_time, *(columns[name][chosen] for name in "chlv"))


def market_features(candles: Candles, time: Integers, prefix: str) -> dict[str, Floats]:
    """Return moves, range, volatility (log units) and relative volume of candles closed at each time."""
    at = candles.newest(time)
    price = np.log(candles.close)
    change = np.diff(price, prepend=price[0])
    volume = np.log1p(candles.volume)
    return {
        f"{prefix}_move_1m": np.abs(change)[at],
        f"{prefix}_move_5m": np.abs(price[at] - price[np.maximum(at - 5, 0)]),
        f"{prefix}_range_1m": np.log(candles.high / candles.low)[at],
        f"{prefix}_volatility_60m": np.sqrt(rolling_mean(change * change, _HOUR_ROWS))[at],
        f"{prefix}_volume_1m": (volume - rolling_mean(volume, _HOUR_ROWS))[at],
    }
