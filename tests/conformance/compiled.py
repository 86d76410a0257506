"""Contracts that a protocol publishes as source only, compiled once and kept in ``build/``.

Neither the source nor what comes out of it is part of this repository: the source lies in
``contracts/node_modules``, the result in a folder that git ignores, under the hash of everything
that decides it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from chain.devnet.artifacts import CONTRACTS, Artifact
from core.errors import ContractError

_MODULES = CONTRACTS / "node_modules"
_SCRIPT = CONTRACTS / "scripts" / "compile-package.js"
_CACHE = CONTRACTS.parent / "build" / "conformance"
_LONGEST_SECONDS = 280


@dataclass(frozen=True)
class Sources:
    """What to compile, and how.

    Parameters
    ----------
    compiler
        Package of the compiler.
    settings
        As the compiler takes them.
    contracts
        File, named as an import would, to the contracts wanted of it.
    prefixes
        Beginning of an import path to the package that holds it, where the names differ.
    packages
        All packages that are read; their versions are part of the hash.
    """

    compiler: str
    settings: dict[str, Any]
    contracts: dict[str, list[str]]
    prefixes: dict[str, str]
    packages: tuple[str, ...]

    def request(self) -> str:
        """Return the request to the compiler's script."""
        fields = ("compiler", "settings", "contracts", "prefixes")
        return json.dumps({name: getattr(self, name) for name in fields}, sort_keys=True)

    def key(self) -> str:
        """Return the hash of the request, of the compiler's script, and of the versions of all packages."""
        digest = hashlib.sha256(self.request().encode() + _SCRIPT.read_bytes())
        for package in (self.compiler, *self.packages):
            digest.update(f"{package} {version(package)}\n".encode())
        return digest.hexdigest()[:24]


def version(package: str) -> str:
    """Return the installed version of an npm package.

    Raises
    ------
    ContractError
        If it is not installed.
    """
    path = _MODULES / package / "package.json"
    if not path.is_file():
        raise ContractError(f"the package {package} is not installed; run `make setup`", path=str(path))
    return str(json.loads(path.read_text(encoding="utf-8"))["version"])


def compiled(sources: Sources) -> dict[str, Artifact]:
    """Return the contracts by name, compiled now or taken from an earlier time.

    Raises
    ------
    ContractError
        If a package is missing or the compiler refuses.
    """
    return _compiled(sources.request(), sources.key())


@cache
def _compiled(request: str, key: str) -> dict[str, Artifact]:
    kept = _CACHE / f"{key}.json"
    if not kept.is_file():
        _CACHE.mkdir(parents=True, exist_ok=True)
        unfinished = kept.with_suffix(f".{os.getpid()}")
        unfinished.write_text(_compile(request), encoding="utf-8")
        unfinished.replace(kept)
    contracts = json.loads(kept.read_text(encoding="utf-8"))
    return {
        name: Artifact(name, found["abi"], bytes.fromhex(found["bytecode"].removeprefix("0x")))
        for name, found in contracts.items()
    }


def _compile(request: str) -> str:
    node = shutil.which("node") or str(Path(sys.executable).with_name("node"))
    run = subprocess.run(
        [node, str(_SCRIPT)],
        input=request,
        capture_output=True,
        text=True,
        timeout=_LONGEST_SECONDS,
        check=False,
    )
    if run.returncode:
        raise ContractError(f"the published sources do not compile: {run.stderr.strip()}; run `make setup`")
    return run.stdout
