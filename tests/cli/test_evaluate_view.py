"""What an evaluation says of intervals: where they keep their promise, and where they do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cli.evaluate_view import card_lines, coverage_sentence, page
from models.prequential import run_prequential
from models.scorecard import Scorecard, make_scorecard
from models.targets.table import Kind
from tests.models.target_tables import make_table, probability_table

ROWS = 2400


@pytest.fixture(scope="module")
def card() -> Scorecard:
    noise = np.random.default_rng(3).normal(size=ROWS) * np.where(np.arange(ROWS) < ROWS / 2, 1, 4)
    table = make_table(Kind.NUMBER, noise, noise, {"zero": np.zeros(ROWS)}, 1, 600)
    return make_scorecard(run_prequential(table, []), seed=1)


def worse(card: Scorecard) -> Scorecard:
    line = replace(card.lines[0], coverage=0.88, coverage_after_breaks=0.7)
    return replace(card, target="worse", lines=(line,))


def written(*cards: Scorecard) -> str:
    document = {
        "short": False,
        "machine": "one core",
        "code_version": "abc",
        "measured_at": "now",
        "seed": 7,
        "seconds": 1.0,
    }
    return page(document, cards, (), ())


def test_a_card_says_how_many_breaks_and_rows_there_were_and_what_the_best_one_covered(
    card: Scorecard,
) -> None:
    *_, last = card_lines(card)
    after = card.lines[0].coverage_after_breaks
    assert f"in the {card.after_breaks:,} rows after, zero's intervals cover {after:.3f}" in last
    assert "short" not in last
    *_, last = card_lines(worse(card))
    assert "they fall short: 0.880 over all rows, 0.700 after breaks" in last


def test_a_card_of_a_mix_says_how_often_its_lead_changed_and_the_page_what_is_judged(card: Scorecard) -> None:
    assert not [line for line in card_lines(card) if "leader" in line]
    assert "the mix changed its leader 2 times" in card_lines(replace(card, leader_changes=2))
    assert "the mix changed its leader once" in card_lines(replace(card, leader_changes=1))
    assert "best: zero" in " ".join(card_lines(card))
    assert "The gate judges versions frozen as they serve" in written(card)


def test_the_page_has_a_column_and_names_the_targets_that_fall_short(card: Scorecard) -> None:
    text = written(card, worse(card))
    assert "| coverage | after breaks | terciles | width |" in text
    assert f"| {card.lines[0].coverage:.3f} | {card.lines[0].coverage_after_breaks:.3f} |" in text
    assert "on 1 of 2 targets with intervals, 2 of which had breaks; short: worse (0.880" in text
    assert "short:" not in written(card)


def test_targets_without_breaks_or_without_intervals_count_as_what_they_are(card: Scorecard) -> None:
    calm = replace(
        card, breaks=0, after_breaks=0, lines=(replace(card.lines[0], coverage_after_breaks=None),)
    )
    chances = make_scorecard(run_prequential(probability_table(600), []), seed=1)
    assert "on 2 of 2 targets with intervals, 1 of which had breaks" in coverage_sentence(
        (card, calm, chances)
    )
    assert "never rose for good" in list(card_lines(calm))[-1]
    assert not any("break" in line for line in card_lines(chances))
    assert "Intervals of the best one" not in written(chances)
