"""Steps that can go on for ever: of features, of what learns cheaply, of the LSTM."""

from __future__ import annotations

import numpy as np

from benchmarks.learning_market import TOKENS, WatchedMarket
from benchmarks.learning_tape import SEED
from chain.blocks import Block, BlockHeader, RawLog, next_base_fee
from core.seams import Randomness
from features.feature import FeatureRow
from features.registry import MARKET
from features.schema import FeatureSchema
from features.stream import FeatureStream
from market.context import BlockContext, Candle
from market.events import PAIR_SYNC
from market.state import MarketState
from models.conformal import AdaptiveConformal
from models.forecaster import Forecast, Window
from models.inputs import BASELINE
from models.labels import DelayedLabels, Issued
from models.quantile_lstm import QuantileLSTM
from models.replay_buffer import ReplayBuffer
from models.residual import FORMULA
from models.river_models import RiverResidual

HORIZON = 2
REHEARSED, REMEMBERED = 8, 512
_UNIT = 10**21
_BUILDERS = ("one", "two", "three")


class FeatureRun:
    """The market and its features, set ``market``: two pairs, of which each block moves one."""

    def __init__(self) -> None:
        market = WatchedMarket(SEED, pairs=2, concentrated=0)
        self._addresses = [pool.address for pool in market.pools]
        self._header = market.head
        self._state = MarketState(market.pools, TOKENS, market.head)
        self._stream = FeatureStream(TOKENS, [pool.spec for pool in market.pools], MARKET)

    def step(self, number: int) -> None:
        """Do what one block brings."""
        block, context = self._next(number)
        self._stream.update(block, context, self._state, self._state.apply(block))

    def _next(self, number: int) -> tuple[Block, BlockContext]:
        parent = self._header
        height, at = parent.number + 1, parent.timestamp + 12
        own, used = height.to_bytes(32, "big"), number * 7_919_317 % parent.gas_limit
        fee = max(next_base_fee(parent), 10**9)
        self._header = BlockHeader(height, own, parent.hash, at, fee, used, parent.gas_limit)
        reserves = 900 * _UNIT + number * 6_700_417 % 1000 * 10**18, 900 * _UNIT
        data = b"".join(reserve.to_bytes(32, "big") for reserve in reserves)
        log = RawLog(height, 0, 0, own, self._addresses[number % 2], (PAIR_SYNC,), data)
        candle = Candle("ETHUSDC", at, 1.0, 1.2, 0.9, 1.0 + number % 97 / 1000, 100.0)
        context = BlockContext(candle, 10**16 + number % 1000 * 10**14, _BUILDERS[number % 3])
        return Block(self._header, (log,), at * 10**9), context


class LearningRun:
    """A river pipeline, intervals, forecasts that wait for their labels, and rehearsal."""

    NAMES = (FORMULA, "gas_used_ratio", "base_fee_gap_12")

    def __init__(self) -> None:
        self._random = np.random.default_rng(SEED)
        self._schema = FeatureSchema(self.NAMES)
        self._model = RiverResidual(self._schema)
        self._intervals = AdaptiveConformal()
        self._labels = DelayedLabels(HORIZON)
        self._buffer = ReplayBuffer(REMEMBERED, (1, len(self.NAMES)), self._random)

    def step(self, number: int) -> None:
        """Forecast a block's label, and learn from the one that is known now."""
        self._learn(number)
        fee, full, gap = self._random.random(3).tolist()
        window = (FeatureRow(number, 12 * number, 0, self.NAMES, (10 + fee, full, gap)),)
        value = self._model.predict_one(window)
        lower, upper = self._intervals.interval(value)
        forecast = Forecast(
            "base_fee_gwei", number, HORIZON, value, lower, upper, 0.9, self._model.name, "formula", 10 + fee
        )
        self._labels.add(Issued(window, (forecast,)))

    def _learn(self, number: int) -> None:
        known = self._labels.release(number)
        if known is None:
            return
        (forecast,), label = known.forecasts, 10 + self._random.random()
        self._intervals.update(forecast.value, forecast.lower, forecast.upper, label)
        self._model.learn_one(known.window, label)
        self._buffer.draw(REHEARSED)
        self._buffer.add(self._schema.matrix(known.window), label - forecast.value)


class LstmRun:
    """A forecast of the LSTM, and the step that its label brings."""

    WINDOW, WIDTH = 16, 37

    def __init__(self) -> None:
        self._names = (*(f"feature_{place}" for place in range(self.WIDTH)), BASELINE)
        self._random = np.random.default_rng(SEED)
        self._model = QuantileLSTM(FeatureSchema(self._names), Randomness(SEED), window=self.WINDOW)
        self._window: Window = tuple(self._row(place) for place in range(self.WINDOW))

    def step(self, number: int) -> None:
        """Forecast, and learn."""
        self._window = (*self._window[1:], self._row(self.WINDOW + number))
        self._model.predict_quantiles(self._window)
        self._model.learn_one(self._window, float(self._random.normal()))

    def _row(self, place: int) -> FeatureRow:
        values = tuple(self._random.normal(size=len(self._names)).tolist())
        return FeatureRow(place, 12 * place, 0, self._names, values)
