"""A tape that the whole room shares and nobody may change; and a chain that one test may break."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.live_stage import make_tape
from tests.mining_stage import Stage, staged

TAPE_BLOCKS = 40


@pytest.fixture(scope="session")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty blocks of the local chain."""
    return make_tape(tmp_path_factory.mktemp("recorded") / "tape", seed=11, blocks=TAPE_BLOCKS)


@pytest.fixture
async def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    """A node that mines what our relay takes, with a loop that has not begun."""
    async with staged(tmp_path, monkeypatch) as made:
        yield made
