"""Compiling what is published as source only: kept under what decides it, and clear when it fails."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import ContractError
from tests.conformance import compiled
from tests.conformance.compiled import Sources, version

LIBRARY = "openzeppelin-contracts-5.2.0"
TINY = Sources(
    compiler="solc-0.8.26",
    settings={"optimizer": {"enabled": False}},
    contracts={"@openzeppelin/contracts/utils/Errors.sol": ["Errors"]},
    prefixes={"@openzeppelin/contracts/": f"{LIBRARY}/"},
    packages=(LIBRARY,),
)


def test_a_contract_is_compiled_once_and_then_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "_CACHE", tmp_path)
    compiled._compiled.cache_clear()
    first = compiled.compiled(TINY)["Errors"]
    assert first.bytecode
    assert [path.name for path in tmp_path.iterdir()] == [f"{TINY.key()}.json"]
    compiled._compiled.cache_clear()
    monkeypatch.setattr(compiled, "_compile", lambda request: pytest.fail("compiled again"))
    assert compiled.compiled(TINY)["Errors"] == first


def test_the_key_follows_what_decides_the_result() -> None:
    assert TINY.key() == replace(TINY).key()
    assert TINY.key() != replace(TINY, settings={}).key()
    assert TINY.key() != replace(TINY, packages=(LIBRARY, "solc-0.8.26")).key()


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(ContractError, match="no-such-package is not installed"):
        version("no-such-package")
    gone = replace(TINY, contracts={"@openzeppelin/contracts/Gone.sol": ["Gone"]})
    with pytest.raises(ContractError, match=r"compile-package: no file contracts/node_modules/.*Gone\.sol"):
        compiled.compiled(gone)
