"""A tape that the whole room shares; nobody may change it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.live_stage import make_tape

TAPE_BLOCKS = 40


@pytest.fixture(scope="session")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty blocks of the local chain."""
    return make_tape(tmp_path_factory.mktemp("recorded") / "tape", seed=11, blocks=TAPE_BLOCKS)
