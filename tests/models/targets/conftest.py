"""Small made-up recordings, and what it means that a table looks back only."""

from __future__ import annotations

import numpy as np
import pytest

from models.targets.block_rows import BlockRows
from models.targets.candles import Candles
from models.targets.slot_paths import GENESIS_SECONDS, SLOT_SECONDS
from models.targets.swaps import Swaps

START = GENESIS_SECONDS + 8_000_000 * SLOT_SECONDS


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture
def candles(random: np.random.Generator) -> Candles:
    price = 2000 * np.exp(np.cumsum(random.normal(0, 1e-3, 300)))
    close_time = START - 3600 + 60 * np.arange(300, dtype=np.int64)
    return Candles(close_time, price, price * 1.001, price * 0.999, random.gamma(2, 100, 300))


@pytest.fixture
def block_rows(random: np.random.Generator) -> BlockRows:
    count = 120
    slot = 8_000_000 + np.cumsum(random.choice([1, 1, 1, 2], count))
    return BlockRows(
        number=np.arange(100, 100 + count, dtype=np.int64),
        slot=slot,
        time=slot * SLOT_SECONDS + GENESIS_SECONDS,
        base_fee=random.integers(10**10, 3 * 10**10, count),
        gas_used=random.integers(0, 30_000_000, count),
        gas_limit=np.full(count, 30_000_000, dtype=np.int64),
        transactions=random.integers(0, 300, count),
        bid=np.where(random.random(count) < 0.2, np.nan, random.gamma(1, 0.1, count)),
        bid_delay=np.where(random.random(count) < 0.2, np.nan, random.normal(0, 1, count)),
        builder=random.choice(np.array(["", "geth", "Titan Builder", "other"], dtype=object), count),
    )


@pytest.fixture
def swaps(random: np.random.Generator) -> Swaps:
    count = 400
    block = np.sort(random.integers(0, 150, count))
    walk = np.log(2000) + np.cumsum(random.normal(0, 8e-4, count)) % 4e-3
    cheap = random.random(count) < 0.8
    price = np.where(cheap, walk, np.log(2000) + random.normal(0, 1e-3, count))
    return Swaps(block, START + block * SLOT_SECONDS, cheap, price, random.normal(0, 5, count))
