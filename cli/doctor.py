"""``omniarb doctor``: what this machine has, which device scores and why, and what is missing."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version

from chain.devnet.anvil import BINARY
from chain.devnet.artifacts import CONTRACTS, PACKAGED
from cli.output import print_json
from cli.screen import Screen
from core.config_loader import load_settings
from core.data_root import find_data_root
from core.errors import InputError
from scoring.devices.choice import choose_device

NEEDED = ("numpy", "numba", "torch", "river", "mlflow", "ray", "web3", "pyrevm")
LEAST_PYTHON = (3, 11)
LEAST_GIB = 4.0
SET_UP = "run scripts/setup.sh"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Parameters
    ----------
    what, found
        What, and what there is.
    healthy
        Whether it will do.
    note
        Why it is so, or what to do.
    """

    what: str
    found: str
    healthy: bool = True
    note: str = ""


def examine(*, as_json: bool) -> bool:
    """Print what there is, and return whether everything needed is."""
    findings = [*_machine(), *_packages(), _device(), _history(), *_local_chain()]
    healthy = all(finding.healthy for finding in findings)
    if as_json:
        print_json({"healthy": healthy, "findings": [asdict(finding) for finding in findings]})
        return healthy
    rows = [
        (each.what, each.found, each.note if each.healthy else f"MISSING: {each.note}") for each in findings
    ]
    Screen(quiet=False, steps=1).table("All is there" if healthy else "Something is missing", rows)
    return healthy


def _machine() -> Iterator[Finding]:
    least = ".".join(map(str, LEAST_PYTHON))
    yield Finding(
        "Python", platform.python_version(), sys.version_info >= LEAST_PYTHON, f"{least} or newer is needed"
    )
    cores = len(os.sched_getaffinity(0))
    yield Finding("cores", f"{cores}", note=f"of {os.cpu_count()} in the machine")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    yield Finding("memory", f"{memory:.1f} GiB", memory >= LEAST_GIB, f"a run needs {LEAST_GIB:g} GiB")


def _packages() -> Iterator[Finding]:
    for name in NEEDED:
        try:
            yield Finding(name, version(name))
        except PackageNotFoundError:
            yield Finding(name, "none", healthy=False, note=SET_UP)


def _device() -> Finding:
    chosen = choose_device()
    # the processor scores as well: a card that is not there is nothing to mend
    return Finding("scoring on", chosen.name, note=chosen.why)


def _history() -> Finding:
    try:
        root = find_data_root(load_settings("replay", os.environ))
    except InputError as error:
        return Finding("recorded history", "none", healthy=False, note=error.message)
    if root is None:
        return Finding(
            "recorded history", "none", note="set OMNIARB_DATA to replay some; a run records a tape"
        )
    return Finding("recorded history", str(root))


def _local_chain() -> Iterator[Finding]:
    runs = os.access(BINARY, os.X_OK)
    yield Finding("local node", BINARY.name if runs else "none", runs, "" if runs else SET_UP)
    missing = [name for name, path in PACKAGED.items() if not (CONTRACTS / "node_modules" / path).is_file()]
    yield Finding(
        "protocols' bytecode",
        f"{len(PACKAGED) - len(missing)} of {len(PACKAGED)} contracts",
        not missing,
        SET_UP if missing else "",
    )
