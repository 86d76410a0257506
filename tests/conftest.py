"""Fixtures every test may use."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

from serving.environment import quiet_libraries
from tests.devnet_fixtures import anvil_world, devnet, pyrevm_world

quiet_libraries(os.environ)
# cores are shared: an example that takes long is no fault
settings.register_profile("shared cores", deadline=None)
settings.load_profile("shared cores")

__all__ = ["anvil_world", "data_root", "devnet", "pyrevm_world"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let workers share the files: a file stays whole, and all that starts Ray is with one of them."""
    if not config.pluginmanager.hasplugin("xdist"):
        return
    for item in items:
        group = "ray" if item.get_closest_marker("ray") else item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session", autouse=True)
def usual_signals() -> None:
    """Listen to signals that whoever runs the tests may ignore: nohup does, and ``&`` in a script.

    A child would inherit that, and what is tested is what a child does about them.
    """
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Folder of recorded history, or a skip that says what is missing."""
    root = os.environ.get("OMNIARB_DATA", "")
    if not root or not (Path(root) / "README.md").exists():
        pytest.skip("recorded history is not here: set OMNIARB_DATA to its folder")
    return Path(root)
