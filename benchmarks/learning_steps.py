"""Steps that can go on for ever: of features, of the learner, of the LSTM."""

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
from models.baselines import ExactFormula, Persistence
from models.forecaster import Window
from models.inputs import BASELINE
from models.learner import PrequentialLearner
from models.quantile_lstm import QuantileLSTM
from models.residual import FORMULA
from models.river_models import RiverResidual

REORGANISED_EVERY, ORPHANS = 500, 3
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
    """The learner that a live run has beside the champion, of a river pipeline and both baselines.

    Every so often the chain takes back its last blocks, which are unlearned, and brings them again.
    """

    NAMES = (FORMULA, "base_fee_gwei", "gas_used_ratio")

    def __init__(self) -> None:
        schema = FeatureSchema(self.NAMES)
        self._learner = PrequentialLearner(
            [RiverResidual(schema)], [ExactFormula(), Persistence()], schema, window=1
        )

    def step(self, number: int) -> None:
        """Do what one block brings."""
        self._see(number)
        if number % REORGANISED_EVERY == REORGANISED_EVERY - 1:
            self._learner.rollback(number - ORPHANS)
            for again in range(number - ORPHANS + 1, number + 1):
                self._see(again)

    def _see(self, number: int) -> None:
        fee, full = 10 + number * 7_919 % 1000 / 1000, number * 6_701 % 997 / 997
        row = FeatureRow(number, 12 * number, 0, self.NAMES, (fee + (full - 0.5) / 8, fee, full))
        self._learner.step(row, fee)


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
