"""Every signal that asks us to stop takes the way of Ctrl-C, once, and lets the clean-up finish."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from cli.signals import STOPPING, CleanUp, like_ctrl_c
from core.errors import InputError


@pytest.fixture(autouse=True)
def handlers_given_back() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in STOPPING}
    yield
    now = {number: signal.getsignal(number) for number in STOPPING}
    for number, handler in before.items():
        signal.signal(number, handler)
    assert now == before


def receive(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", STOPPING)
def test_a_signal_is_ctrl_c(number: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt), like_ctrl_c():
        receive(number)


@pytest.mark.parametrize("number", STOPPING)
def test_a_signal_during_the_clean_up_is_answered_when_all_is_clean(number: signal.Signals) -> None:
    closed = []

    def close(name: str) -> None:
        receive(number)
        closed.append(name)

    def work() -> None:
        with like_ctrl_c(), CleanUp() as stack:
            stack.callback(close, "chain")
            stack.callback(close, "servers")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert closed == ["servers", "chain"]


def test_a_signal_during_the_clean_up_hides_no_error() -> None:
    def work() -> None:
        with like_ctrl_c(), CleanUp() as stack:
            stack.callback(receive, signal.SIGTERM)
            raise InputError("it is wrong; correct it")

    with pytest.raises(InputError):
        work()


def test_what_is_closed_by_hand_is_closed_undisturbed_too() -> None:
    closed: list[str] = []

    def work() -> None:
        with like_ctrl_c(), CleanUp() as stack:
            stack.callback(closed.append, "chain")
            stack.callback(receive, signal.SIGTERM)
            stack.close()
            closed.append("it went on")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert closed == ["chain"]


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with like_ctrl_c(), CleanUp():
            receive(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
