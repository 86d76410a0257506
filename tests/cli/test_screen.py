"""What strangers name is shown as it is: no text of theirs is markup or reaches the terminal's controls."""

from __future__ import annotations

import pytest
from rich.console import Console

from chain.blocks import BlockHeader
from chain.networks import load_network
from cli import pools_verify
from cli.screen import Screen
from core.reasons import Reason
from market.life import PoolLife, Standing
from pipeline.token_check import TokenCheck
from pipeline.verification import Verification
from tests.cli.stage import plain

NAME = "[/red] [bold]gotcha :smile:"


def test_markup_of_strangers_is_shown_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(quiet=False, steps=1)
    with screen.step(f"step {NAME}"):
        pass
    with screen.bar(f"bar {NAME}", 1):
        pass
    screen.figure(f"figure {NAME}")
    screen.table(f"title {NAME}", [(f"row {NAME}", NAME, f"note {NAME}")])
    said = plain(capsys.readouterr().out)
    for what in ("step", "bar", "figure", "title", "row", "note"):
        assert f"{what} {NAME}" in said


def test_nothing_shown_moves_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(quiet=False, steps=1)
    screen.figure("a\x1b[2Jb")
    screen.table("", [("name", "a\x1b[2Jb", "")])
    assert "\x1b" not in capsys.readouterr().out


def test_a_step_is_bold_on_a_terminal() -> None:
    screen = Screen(quiet=False, steps=1)
    colourful = Console(force_terminal=True, markup=False, highlight=False)
    screen.console = colourful
    with colourful.capture() as shown, screen.step("History"):
        pass
    assert "\x1b[1m1/1 History" in shown.get()


def test_a_revert_text_with_markup_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    header = BlockHeader(1, bytes(32), bytes(32), 1, 0, 0, 1)
    at = Standing(PoolLife.QUARANTINED, Reason.POOL_UNREADABLE, f"reverted: {NAME}", 1)
    outcome = Verification(header, header, {}, {"0x01": at}, 0, TokenCheck())
    pools_verify._show(load_network("ethereum"), outcome)
    assert f"reverted: {NAME}" in plain(capsys.readouterr().out)
