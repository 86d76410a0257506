"""Help with examples that work, and wrong options named before anything begins."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.stage import files, omniarb, plain

COMMANDS = (
    "run",
    "replay",
    "devnet",
    "record",
    "config",
    "chains",
    "bench",
    "doctor",
    "score",
    "train",
    "evaluate",
    "bids",
)


def test_help_lists_every_command() -> None:
    result = omniarb("--help")
    assert result.exit_code == 0
    for command in COMMANDS:
        assert f" {command} " in plain(result.output)
    assert "first-run.md" in result.output


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_ends_with_an_example_that_its_options_accept(command: str) -> None:
    result = omniarb(command, "--help")
    assert result.exit_code == 0
    text = plain(result.output)
    example = re.search(rf"Example: omniarb {command}([^|]*)", text)
    assert example
    for option in re.findall(r"--[a-z-]+", example[1]):
        assert option in text.replace(example[0], "")


def test_a_command_without_arguments_shows_the_help() -> None:
    assert "Usage" in omniarb().output


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("fly",), "fly"),
        (("run", "--blocks", "0"), "--blocks"),
        (("run", "--seed", "-1"), "--seed"),
        (("run", "--seed", str(2**63)), "--seed"),
        (("run", "--seed", "seven"), "--seed"),
        (("run", "--realtime", "-1"), "--realtime"),
        (("run", "--realtime", "inf"), "--realtime"),
        (("run", "--realtime", "nan"), "--realtime"),
        (("devnet", "--blocks", "0"), "--blocks"),
        (("run", "--colour"), "--colour"),
        (("config",), "name"),
        (("replay", "--tape", ""), "--tape"),
        (("devnet", "--record", ""), "--record"),
        (("devnet", "--keys", " "), "--keys"),
        (("bench", "doctor", "loop", "--write", ""), "--write"),
    ],
)
def test_a_wrong_option_is_named(arguments: tuple[str, ...], named: str) -> None:
    result = omniarb(*arguments)
    assert result.exit_code == 2
    assert named in result.stderr
    assert "Traceback" not in result.output
    assert files(Path.cwd()) == {}
    if arguments[-1].strip() == "":
        assert "it is empty" in result.stderr
