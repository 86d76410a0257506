"""Starting Ray changes nothing about how the caller's process ends, and its environment is ours alone."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator

import pytest

from serving.environment import TOKEN_VARIABLE, quiet_libraries
from serving.ray_session import signal_handlers_kept


@pytest.fixture
def ours() -> Iterator[object]:
    def handler(_number: int, _frame: object) -> None: ...

    before = signal.signal(signal.SIGTERM, handler)
    yield handler
    signal.signal(signal.SIGTERM, before)


def test_a_handler_that_ray_replaces_is_put_back(ours: object) -> None:
    with signal_handlers_kept():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    assert signal.getsignal(signal.SIGTERM) is ours


def test_a_signal_that_hits_rays_own_handler_is_ctrl_c_to_us(ours: object) -> None:
    with pytest.raises(KeyboardInterrupt), signal_handlers_kept():
        sys.exit(1)  # as Ray's handler does
    assert signal.getsignal(signal.SIGTERM) is ours


def test_each_command_draws_a_token_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ray")
    first: dict[str, str] = {}
    second: dict[str, str] = {}
    for environ in (first, second):
        quiet_libraries(environ)
    assert len(first[TOKEN_VARIABLE]) == len(second[TOKEN_VARIABLE]) == 64
    assert first[TOKEN_VARIABLE] != second[TOKEN_VARIABLE]


def test_a_ray_that_was_imported_keeps_the_token_it_may_hold() -> None:
    environ: dict[str, str] = {}
    quiet_libraries(environ)
    assert TOKEN_VARIABLE not in environ
    assert environ["RAY_USAGE_STATS_ENABLED"] == "0"
