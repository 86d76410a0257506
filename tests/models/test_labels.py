from __future__ import annotations

import pytest

from core.errors import ModelError
from models.labels import DelayedLabels, Issued
from tests.stories import story

ROWS, _ = story(10, 1)


def issued(block: int) -> Issued:
    return Issued((ROWS[block - 1],), ())


def test_a_forecast_waits_exactly_its_horizon() -> None:
    labels = DelayedLabels(2)
    labels.add(issued(1))
    assert labels.release(2) is None
    labels.add(issued(2))
    found = labels.release(3)
    assert found is not None
    assert found.issued_block == 1
    assert len(labels) == 1


def test_labels_of_skipped_blocks_never_come() -> None:
    labels = DelayedLabels(2)
    for block in (1, 2, 3):
        labels.add(issued(block))
    assert labels.release(5) == issued(3)
    assert len(labels) == 0


def test_what_orphaned_blocks_issued_is_dropped() -> None:
    labels = DelayedLabels(3)
    for block in (1, 2, 3):
        labels.add(issued(block))
    assert labels.rollback(1) == 2
    assert labels.release(4) == issued(1)


def test_issuing_twice_on_one_block_is_refused() -> None:
    labels = DelayedLabels(2)
    labels.add(issued(1))
    with pytest.raises(ModelError, match="already issued"):
        labels.add(issued(1))


def test_a_horizon_must_be_positive() -> None:
    with pytest.raises(ModelError, match="at least 1 block"):
        DelayedLabels(0)
