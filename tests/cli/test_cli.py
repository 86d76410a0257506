"""The command line: help with examples, one clear line for every mistake, and nothing left behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import cli.bench
from benchmarks.harness import Row, at_least
from cli.main import app
from market.tape import TapeReader
from pipeline.devnet.description import DevnetDescription
from pipeline.live_config import KEYSTORE_PASSWORD_VARIABLE

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = ("run", "replay", "devnet", "config", "bench")
TAPE_BLOCKS = 8


@pytest.fixture(autouse=True)
def clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder, with no setting but those of the test."""
    for name in list(os.environ):
        if name.startswith("OMNIARB_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("OMNIARB_STORAGE__RUNS_DIR", str(tmp_path / "runs"))
    monkeypatch.setenv("OMNIARB_STORAGE__MLFLOW_HOME", str(tmp_path / "mlruns"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)


def omniarb(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def files(folder: Path) -> dict[str, bytes]:
    """Return what lies in a folder; an empty folder for runs is nothing."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in folder.rglob("*")
        if path != folder / "runs" or path.is_file()
    }


def refused(*arguments: str | Path, code: int = 2) -> str:
    """Run a command that must be refused; return its one line."""
    before = files(Path.cwd())
    result = omniarb(*arguments)
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    assert re.fullmatch(r"error \[[A-Z_]+\]: .+\n", result.stderr), result.stderr
    assert files(Path.cwd()) == before
    return str(result.stderr)


def plain(text: str) -> str:
    """Return what a person reads, without colours, boxes and line breaks."""
    return re.sub(r"[\s│╭╮╰╯─]+", " ", re.sub(r"\x1b\[[0-9;]*m", "", text))


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
        (("run", "--seed", "seven"), "--seed"),
        (("run", "--realtime", "-1"), "--realtime"),
        (("devnet", "--blocks", "0"), "--blocks"),
        (("run", "--colour"), "--colour"),
        (("config",), "name"),
    ],
)
def test_a_wrong_option_is_named(arguments: tuple[str, ...], named: str) -> None:
    result = omniarb(*arguments)
    assert result.exit_code == 2
    assert named in result.stderr
    assert "Traceback" not in result.output
    assert files(Path.cwd()) == {}


def test_an_unknown_configuration_is_answered_with_the_known_ones() -> None:
    assert "did you mean 'replay'" in refused("config", "repaly")
    line = refused("config", "nothing-like-it")
    assert all(name in line for name in ("development", "production", "replay"))
    assert "did you mean 'replay'" in refused("run", "--config", "repaly")


def test_all_problems_of_a_configuration_are_told_at_once() -> None:
    document = json.loads((ROOT / "configs" / "replay.json").read_text())
    document["risk"]["min_profit_wei"] = -1
    document["serving"]["port"] = 99_999
    document["tokens"][0]["address"] = "0x12"
    document["colour"] = "blue"
    Path("mine.json").write_text(json.dumps(document))
    for command in (("config", "mine.json"), ("run", "--config", "mine.json")):
        line = refused(*command)
        assert "4 problems" in line
        for place in ("risk.min_profit_wei", "serving.port", "tokens.0.address", "colour"):
            assert line.count(f"{place}: found") == 1


def test_a_key_in_clear_is_refused_and_not_repeated() -> None:
    key = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"
    document = json.loads((ROOT / "configs" / "replay.json").read_text())
    document["web3"]["private_key"] = key
    Path("mine.json").write_text(json.dumps(document))
    line = refused("config", "mine.json", "--json")
    assert "web3.private_key" in line
    assert key not in line


def test_a_file_that_is_no_configuration_is_named() -> None:
    Path("broken.json").write_text('{"mode": ')
    assert "line 1" in refused("config", "broken.json")
    Path("list.json").write_text("[]")
    assert "list.json" in refused("config", "list.json")
    assert "missing.json" in refused("config", "missing.json")


def test_a_configuration_is_shown_as_json_or_for_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMNIARB_RISK__MIN_PROFIT_WEI", "5")
    document = json.loads(omniarb("config", "replay", "--json").stdout)
    assert document["risk"]["min_profit_wei"] == 5
    assert document["mode"] == "replay"
    assert document["storage"]["runs_dir"] == str(Path.cwd() / "runs")
    shown = omniarb("config", "replay")
    assert shown.exit_code == 0
    assert "risk.min_profit_wei" in shown.output
    assert not shown.output.lstrip().startswith("{")


def test_production_is_not_for_the_local_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    document = json.loads((ROOT / "configs" / "replay.json").read_text()) | {"mode": "production"}
    for section, name in (("web3", "wallet"), ("flashbots", "identity")):
        document.setdefault(section, {})[name] = {"keystore": "x.json"}
    Path("mine.json").write_text(json.dumps(document))
    assert "use replay or development" in refused("run", "--config", "mine.json")


def test_an_unknown_benchmark_is_answered_with_the_known_ones() -> None:
    line = refused("bench", "lop")
    assert "'lop'" in line
    assert "all, " in line
    assert "loop" in line


@pytest.fixture
def fast_benchmark(monkeypatch: pytest.MonkeyPatch) -> list[Row]:
    rows = [at_least("blocks", 900.0, "blocks/s", 500, "one by one"), Row("memory", 12.5, "MB")]

    def measured(progress: Any) -> list[Row]:
        progress("counting")
        return rows

    monkeypatch.setattr(cli.bench, "BENCHMARKS", {"fast": measured})
    return rows


def test_a_benchmark_prints_rows_and_writes_its_page(fast_benchmark: list[Row]) -> None:
    result = omniarb("bench", "fast", "--json", "--write", "page.md")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert (document["name"], document["ok"]) == ("fast", True)
    assert [row["what"] for row in document["rows"]] == ["blocks", "memory"]
    assert "counting" in result.stderr
    assert "900" in Path("page.md").read_text()
    shown = omniarb("bench", "all")
    assert shown.exit_code == 0
    assert "one by one" in shown.stdout


def test_a_figure_that_falls_short_is_exit_code_one(fast_benchmark: list[Row]) -> None:
    fast_benchmark[0] = at_least("blocks", 400.0, "blocks/s", 500)
    result = omniarb("bench", "fast", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["ok"] is False


def test_a_page_that_cannot_be_written_is_told_in_one_line(fast_benchmark: list[Row]) -> None:
    line = refused_late("bench", "fast", "--write", "no/such/folder/page.md")
    assert "page.md" in line


def refused_late(*arguments: str | Path) -> str:
    """Return the last line of a command that fails after it said what it does."""
    result = omniarb(*arguments)
    assert result.exit_code in (1, 2), result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    line = result.stderr.splitlines()[-1]
    assert re.fullmatch(r"error \[[A-Z_]+\]: .+", line)
    return str(line)


def test_a_data_root_that_is_not_there_is_named_and_no_run_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMNIARB_DATA", "/nowhere/at/all")
    for command in ("replay", "run"):
        line = refused(command)
        assert "/nowhere/at/all" in line
        assert "OMNIARB_DATA" in line


def test_a_data_root_without_data_is_named_and_no_run_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("empty").mkdir()
    monkeypatch.setenv("OMNIARB_DATA", str(Path("empty").resolve()))
    for command in ("replay", "run"):
        assert "empty" in refused(command)


def test_no_history_and_no_tape_is_answered_with_what_to_do() -> None:
    line = refused("replay")
    assert "OMNIARB_DATA" in line
    assert "omniarb devnet --record" in line


def test_a_tape_that_is_no_tape_is_named() -> None:
    assert "nowhere" in refused("replay", "--tape", "nowhere")
    Path("folder").mkdir()
    assert "folder is not a tape" in refused("replay", "--tape", "folder")
    Path("file").write_text("hello")
    assert "file" in refused("replay", "--tape", "file", "--json")


def test_a_tape_is_never_written_over() -> None:
    Path("tape").mkdir()
    (Path("tape") / "precious").write_text("data")
    assert "tape exists" in refused("devnet", "--record", "tape", "--blocks", "1")


def test_keystores_need_a_password() -> None:
    assert KEYSTORE_PASSWORD_VARIABLE in refused("devnet", "--keys", "keys", "--blocks", "1")


def test_a_place_that_cannot_be_written_to_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("file").write_text("hello")
    monkeypatch.setenv(KEYSTORE_PASSWORD_VARIABLE, "x")
    assert "file" in refused("devnet", "--keys", "file/keys", "--blocks", "1")
    assert "file" in refused("devnet", "--record", "file/tape", "--blocks", "1")
    monkeypatch.setenv("OMNIARB_STORAGE__RUNS_DIR", str(Path("file").resolve()))
    assert "file" in refused("run")


def in_a_process(*arguments: str | Path, **environ: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "cli.main", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
        start_new_session=True,
    )


@contextmanager
def devnet(
    *arguments: str | Path, **environ: str
) -> Iterator[tuple[subprocess.Popen[str], DevnetDescription]]:
    """Run ``omniarb devnet`` until it is ready; nothing of it survives the block."""
    with in_a_process("devnet", *arguments, **environ) as process:
        try:
            assert process.stdout is not None
            yield process, DevnetDescription.from_json(process.stdout.readline())
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def children_of(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()] if path.exists() else []


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def wait_until_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + 10
    while not all(map(gone, pids)):
        assert time.monotonic() < deadline, "a child is left behind"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tape as a person records it."""
    folder = tmp_path_factory.mktemp("recorded") / "tape"
    record(folder)
    return folder


def record(folder: Path) -> None:
    arguments = ("--record", folder, "--blocks", str(TAPE_BLOCKS), "--seed", "4")
    with in_a_process("devnet", *arguments) as process:
        out, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert said == f"recorded {TAPE_BLOCKS} blocks to {folder}\n"
    assert len(DevnetDescription.from_json(out).specs) == 10
    assert sorted(path.name for path in folder.parent.iterdir()) == ["tape"]


def test_a_recorded_tape_is_replayed_as_pure_json(recorded: Path) -> None:
    result = omniarb("replay", "--tape", recorded, "--json")
    assert result.exit_code == 0
    assert result.stderr == ""
    counts = json.loads(result.stdout)
    assert counts.keys() == {
        "source",
        "blocks",
        "logs",
        "swaps",
        "invariant_checked",
        "invariant_ok",
        "not_checkable",
        "opportunities",
        "digest",
    }
    assert counts["blocks"] == TAPE_BLOCKS
    assert counts["invariant_ok"] == counts["invariant_checked"] == counts["swaps"] > 0
    assert result.stdout == json.dumps(counts, indent=2) + "\n"


def test_a_replay_for_a_person_says_the_same(recorded: Path) -> None:
    counts = json.loads(omniarb("replay", "--tape", recorded, "--json").stdout)
    shown = omniarb("replay", "--tape", recorded)
    assert shown.exit_code == 0
    for value in counts.values():
        assert str(value) in plain(shown.stdout)


def test_the_same_seed_records_the_same_history(recorded: Path, tmp_path: Path) -> None:
    folder = tmp_path / "again" / "tape"
    folder.parent.mkdir()
    record(folder)
    first, second = (
        json.loads(omniarb("replay", "--tape", tape, "--json").stdout) for tape in (recorded, folder)
    )
    assert first == second
    assert TapeReader(folder).recorded().pools == TapeReader(recorded).recorded().pools


def test_a_falsified_tape_is_refused_in_one_line(recorded: Path, tmp_path: Path) -> None:
    folder = tmp_path / "tape"
    folder.mkdir()
    for part in recorded.iterdir():
        (folder / part.name).write_bytes(part.read_bytes())
    logs = folder / "logs.parquet"
    logs.write_bytes(logs.read_bytes()[:-1])
    assert "logs.parquet" in refused("replay", "--tape", folder, "--json")


def test_the_local_chain_writes_keystores_and_goes_when_asked(tmp_path: Path) -> None:
    secret = {KEYSTORE_PASSWORD_VARIABLE: "a good password"}
    with devnet("--blocks", "2", "--keys", tmp_path / "keys", **secret) as (process, place):
        assert place.chain_id == 1
        pids = children_of(process.pid)
        assert pids
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "Traceback" not in said
    wait_until_gone(pids)
    assert sorted(path.name for path in (tmp_path / "keys").iterdir()) == ["flashbots.json", "wallet.json"]
    for path in (tmp_path / "keys").iterdir():
        assert path.stat().st_mode & 0o077 == 0
        assert "crypto" in json.loads(path.read_text())


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_a_recording_that_is_stopped_leaves_no_half_tape(tmp_path: Path, kind: signal.Signals) -> None:
    with devnet("--blocks", "100000", "--record", tmp_path / "tape") as (process, _):
        pids = children_of(process.pid)
        time.sleep(1.0)
        process.send_signal(kind)
        _, said = process.communicate(timeout=20)
    assert "Traceback" not in said
    wait_until_gone(pids)
    assert [path.name for path in tmp_path.iterdir()] == []


@pytest.mark.parametrize("recording", [True, False])
def test_a_node_that_dies_under_the_local_chain_is_told_in_one_line(tmp_path: Path, recording: bool) -> None:
    arguments: tuple[str | Path, ...] = ("--record", tmp_path / "tape") if recording else ()
    with devnet("--blocks", "100000", *arguments) as (process, _):
        (node,) = children_of(process.pid)
        time.sleep(0.5)
        os.kill(node, signal.SIGKILL)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 1, said
    lines = [line for line in said.splitlines() if not line.startswith("block ")]
    assert len(lines) == 1, said
    assert re.fullmatch(r"error \[[A-Z_]+\]: .+", lines[0])
    assert [path.name for path in tmp_path.iterdir()] == []
