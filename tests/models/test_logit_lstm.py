"""The LSTM of probabilities: it learns what moves the odds, and refuses what is no coin."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.errors import ModelError
from core.seams import Randomness
from models.inputs import BASELINE
from models.logit_lstm import EDGE, LogitLSTM
from tests.models.stream_stories import SCHEMA, WINDOW, coin_stream, walk, window_at

ROWS, COINS = coin_stream(900, 3)


def model() -> LogitLSTM:
    return LogitLSTM(SCHEMA, Randomness(1), window=WINDOW, hidden=8)


def test_it_learns_what_moves_the_odds() -> None:
    fitted, places = model(), range(WINDOW, 600)
    fitted.fit([window_at(ROWS, at) for at in places], [COINS[at] for at in places])
    said = np.array(walk(fitted, ROWS, COINS, 600, 900))
    labels = np.array(COINS[600:])
    assert ((said - labels) ** 2).mean() < 0.85 * ((0.6 - labels) ** 2).mean()
    # and what it says of many is near what comes of them
    assert abs(said.mean() - labels.mean()) < 0.06


@pytest.mark.parametrize(("base", "said"), [(0.0, EDGE), (1.0, 1 - EDGE), (0.3, 0.3)])
def test_a_baseline_that_is_certain_leaves_room_for_doubt(base: float, said: float) -> None:
    window = window_at(ROWS, 20)
    at = SCHEMA.names.index(BASELINE)
    values = (*window[-1].values[:at], base)
    sure = (*window[:-1], replace(window[-1], values=values))
    fresh = model()
    assert fresh.predict_one(sure) == pytest.approx(said)
    for label in (0.0, 1.0):
        fresh.learn_one(sure, label)
    assert 0 < fresh.predict_one(sure) < 1


def test_a_label_that_is_no_coin_is_refused_and_nothing_changes() -> None:
    one, window = model(), window_at(ROWS, 20)
    with pytest.raises(ModelError, match="labels 0 and 1"):
        one.learn_one(window, 0.5)
    assert one.predict_one(window) == pytest.approx(0.6)
