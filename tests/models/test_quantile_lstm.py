"""The quantile LSTM: its compiled network, its quantiles, what wakes it up; and what it rehearses."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from river import drift as river_drift

from core.errors import ModelError
from core.reasons import Reason
from core.seams import Randomness
from models.drift import FEWEST, DriftRate, PageHinkley
from models.inputs import BASELINE
from models.lstm_export import _tanh, export_lstm
from models.lstm_network import LstmNetwork
from models.quantile_lstm import MEDIAN, QUANTILES, QuantileLSTM
from models.replay_buffer import ReplayBuffer
from tests.models.stream_stories import SCHEMA, WINDOW, lstm, stream, walk, window_at

ROWS, LABELS = stream(700, 11)


@pytest.mark.parametrize(("features", "hidden", "window"), [(1, 1, 1), (5, 8, 4), (18, 32, 32), (17, 64, 16)])
def test_the_compiled_network_says_what_torch_says(features: int, hidden: int, window: int) -> None:
    random = np.random.default_rng(hidden)
    network = LstmNetwork(features, hidden, len(QUANTILES), torch.Generator().manual_seed(1))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.from_numpy(random.uniform(-0.3, 0.3, parameter.shape)))
    mean, scale = random.normal(size=features), random.uniform(0.5, 2, features)
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    kernel = export_lstm(weights, mean, scale)
    for _ in range(5):
        rows = 3 * random.normal(size=(window, features))
        scaled = np.clip((rows - mean) * scale, -4, 4).astype(np.float32)
        with torch.no_grad():
            expected = network(torch.from_numpy(scaled)[None])[0].numpy()
        assert np.abs(kernel.outputs(rows) - expected).max() < 1e-6


@given(st.floats(-1e6, 1e6))
def test_the_compiled_tanh_is_the_library_s(x: float) -> None:
    assert _tanh(x) == pytest.approx(math.tanh(x), abs=1e-15, rel=1e-13)


def test_quantiles_ascend_and_hold_their_shares() -> None:
    model = lstm(1)
    below = np.zeros(len(QUANTILES))
    for place in range(WINDOW, 700):
        quantiles = model.predict_quantiles(window_at(ROWS, place))
        assert list(quantiles) == sorted(quantiles)
        assert model.predict_one(window_at(ROWS, place)) == quantiles[MEDIAN]
        if place >= 400:
            below += np.array(quantiles) >= LABELS[place]
        model.learn_one(window_at(ROWS, place), LABELS[place])
    assert np.abs(below / 300 - QUANTILES).max() < 0.12


def test_a_forecast_strays_no_further_from_the_baseline_than_labels_have() -> None:
    model = lstm(1)
    walk(model, ROWS, LABELS, WINDOW, 200)
    widest = max(abs(LABELS[at] - ROWS[at][BASELINE]) for at in range(WINDOW, 200))
    for place in range(200, 300):
        window = window_at(ROWS, place)
        for quantile in model.predict_quantiles(window):
            assert abs(quantile - window[-1][BASELINE]) <= widest + 1e-9


def test_history_that_is_fitted_helps_the_first_forecasts() -> None:
    fitted, fresh = lstm(1), lstm(1)
    places = range(WINDOW, 500)
    fitted.fit([window_at(ROWS, at) for at in places], [LABELS[at] for at in places])
    errors = [
        np.mean([abs(one.predict_one(window_at(ROWS, at)) - LABELS[at]) for at in range(520, 600)])
        for one in (fitted, fresh)
    ]
    assert errors[0] < 0.9 * errors[1]


def test_a_baseline_that_is_always_right_is_left_alone() -> None:
    rows, _ = stream(60, 1)
    model = lstm(1)
    right = [row[BASELINE] for row in rows]
    assert walk(model, rows, right, WINDOW, 60) == right[WINDOW:]


def test_another_window_is_refused() -> None:
    with pytest.raises(ModelError, match="build it alike"):
        QuantileLSTM(SCHEMA, Randomness(1), window=9, hidden=8).restore(lstm(1).state())


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(50, 300))
def test_the_drift_detector_alarms_where_river_s_does(seed: int, change: int) -> None:
    random = np.random.default_rng(seed)
    values = np.abs(random.normal(size=600)) * np.where(np.arange(600) < change, 1.0, 2.5)
    ours = PageHinkley(slack=0.1, threshold=15.0)
    theirs = river_drift.PageHinkley(
        min_instances=FEWEST, delta=0.1, threshold=15.0, alpha=1 - 1e-4, mode="up"
    )
    for value in values.tolist():
        theirs.update(value)
        assert ours.update(value) == theirs.drift_detected


def test_errors_that_rise_make_it_learn_fast_again_and_say_why() -> None:
    rate = DriftRate(1e-3, 1e-4)
    for _ in range(2000):
        rate.update(1.0)
    assert (rate.rate, rate.reason) == (1e-4, None)
    steps = 0
    while rate.reason is None:
        rate.update(3.0)
        steps += 1
    assert steps < 20
    assert rate.rate == 1e-3
    assert rate.reason.reason is Reason.ERROR_DRIFT
    again = DriftRate(1e-3, 1e-4)
    again.restore(rate.state())
    assert (again.rate, again.reason, again.alarms) == (rate.rate, rate.reason, 1)


def test_every_example_is_kept_with_equal_chance() -> None:
    kept = np.zeros(100)
    for seed in range(400):
        buffer = ReplayBuffer(20, (1, 1), np.random.default_rng(seed))
        for number in range(100):
            buffer.add(np.full((1, 1), number), float(number))
        kept[buffer.state()["residuals"].astype(int)] += 1
    # 400 draws of chance 1/5 each: mean 80, deviation 8
    assert np.abs(kept - 80).max() < 5 * 8
    assert abs(kept[:50].sum() - kept[50:].sum()) < 5 * 8 * math.sqrt(100)


def test_its_learning_rate_is_kept_with_what_it_has_learned() -> None:
    slow = QuantileLSTM(SCHEMA, Randomness(1), window=WINDOW, hidden=8, rate=1e-4)
    walk(slow, ROWS, LABELS, WINDOW, 60)
    again = QuantileLSTM(SCHEMA, Randomness(2), window=WINDOW, hidden=8)
    again.restore(slow.state())
    assert again.rate == 1e-4
    assert walk(again, ROWS, LABELS, 60, 120) == walk(slow, ROWS, LABELS, 60, 120)


@pytest.mark.parametrize("rate", [0.0, -1e-3, math.nan, math.inf])
def test_a_learning_rate_that_is_none_is_refused(rate: float) -> None:
    with pytest.raises(ModelError, match="positive number"):
        QuantileLSTM(SCHEMA, Randomness(1), rate=rate)
    with pytest.raises(ModelError, match="positive number"):
        lstm(1).restore({**lstm(1).state(), "first_rate": rate})
