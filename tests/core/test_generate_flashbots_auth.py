"""The script that makes the signing identity."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from core.config_loader import ROOT
from core.secrets import read_keystore

SCRIPT = ROOT / "scripts" / "generate_flashbots_auth.py"


@pytest.fixture
def main() -> Callable[..., int]:
    spec = importlib.util.spec_from_file_location("generate_flashbots_auth", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    run: Callable[..., int] = module.main
    return run


def test_it_makes_a_keystore_and_prints_only_the_address(
    main: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "identity.json"
    assert main(["--out", str(out), "--password-env", "PW"], {"PW": "pw"}, light=True) == 0
    printed = capsys.readouterr()
    assert printed.out == read_keystore(out, "pw").address + "\n"
    assert printed.err == ""
    assert main(["--out", str(tmp_path / "b.json"), "--password-env", "PW"], {"PW": "pw"}, light=True) == 0
    assert capsys.readouterr().out != printed.out


def test_it_never_overwrites(
    main: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "identity.json"
    out.write_text("precious")
    assert main(["--out", str(out)], {"OMNIARB_FLASHBOTS_PASSWORD": "pw"}, light=True) == 2
    assert "left as it is" in capsys.readouterr().err
    assert out.read_text() == "precious"


def test_without_password_or_folder_it_makes_nothing(
    main: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--out", str(tmp_path / "a.json")], {}, light=True) == 2
    assert "OMNIARB_FLASHBOTS_PASSWORD holds no password" in capsys.readouterr().err
    assert (
        main(["--out", str(tmp_path / "no" / "a.json"), "--password-env", "PW"], {"PW": "x"}, light=True) == 2
    )
    assert "cannot write" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_it_runs_as_a_program(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, str(SCRIPT)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=dict(os.environ),
        check=False,
    )
    assert result.returncode == 2
    assert "--out" in result.stderr
