"""Learning models and the champion are compared on the same live blocks, or it is said why not."""

from __future__ import annotations

import pytest

from analysis.live_models import SERVED, compare_live, drift_table, learning_picture
from analysis.records import Calibration, DriftAlarm
from core.reasons import Reason
from models.evaluation import Study, make_study


def served(*blocks: int) -> Calibration:
    count = len(blocks)
    truth, low, high = (20.0,) * count, (19.0,) * count, (20.5,) * count
    return Calibration("champion", "gwei", (0.9,), (1.0,), blocks, truth, (21.0,) * count, low, high)


def study(*blocks: int) -> Study:
    def told(value: float) -> list[tuple[float, ...]]:
        return [(block, 20.0, value + 0.1 * (block % 2), value, value + 1) for block in blocks]

    return make_study("base_fee_gwei", 2, 0.9, {"lstm": told(20.5)}, {"persistence": told(18.0)})


def test_only_blocks_that_all_spoke_about_are_compared() -> None:
    found = compare_live(served(5, 6, 7, 8), study(6, 7, 9))
    assert found.blocks == (6, 7)
    assert list(found.errors) == [SERVED, "lstm", "persistence"]
    assert found.mae == pytest.approx({SERVED: 1.0, "lstm": 0.55, "persistence": 1.95})
    assert found.coverage == {SERVED: 1.0, "lstm": 0.0, "persistence": 0.0}


@pytest.mark.parametrize(
    ("champion", "learned"), [(None, study(6)), (served(6), None), (served(5), study(6)), (None, None)]
)
def test_where_nothing_can_be_compared_there_is_a_sentence(
    champion: Calibration | None, learned: Study | None
) -> None:
    found = compare_live(champion, learned)
    assert (found.blocks, found.mae, found.coverage) == ((), {}, {})
    picture = learning_picture(found)
    assert picture.data_uri == ""
    assert "met the same live block" in picture.sentence


def test_the_picture_names_the_champion_and_the_best_beside_it() -> None:
    picture = learning_picture(compare_live(served(6, 7), study(6, 7)))
    assert picture.data_uri.startswith("data:image/png;base64,")
    assert "stood still: 1 gwei" in picture.sentence
    assert "the best of them is lstm: 0.55 gwei" in picture.sentence
    assert "persistence ends at 1.95 gwei" in picture.alt


def test_drift_is_listed_by_block_with_its_reason() -> None:
    table = drift_table(
        {"trend": DriftAlarm(9, "adwin", "it is 3"), "noise": DriftAlarm(4, "adwin", "it is 2")}
    )
    assert table.rows[0] == ("noise", "4", Reason.FEATURE_DRIFT.value, "adwin", "it is 2")
    assert [row[0] for row in table.rows] == ["noise", "trend"]
    assert drift_table({}).rows == ()
