"""The registry says everything about every feature, and the reference page says the same."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from core.errors import InputError
from features.facts import FactRecorder
from features.feature import BESIDE_CHAIN
from features.feature_set import FeatureSet
from features.registry import (
    BLOCK,
    CYCLE,
    FEATURE_SETS,
    FEATURES,
    LIVE_SCHEMA,
    MARKET,
    SCHEMA,
    describe,
    feature_set,
)
from features.registry_page import table_of
from tests.small_market import Market

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "features.md"
FACTS = {*FactRecorder({}, ()).columns().columns, "quotes", "depths", "touched"}
EVERY = pytest.mark.parametrize("features", FEATURE_SETS.values(), ids=FEATURE_SETS)


@EVERY
def test_every_feature_has_a_unit_a_meaning_and_inputs_that_exist(features: FeatureSet) -> None:
    for feature in features.features:
        assert feature.unit
        assert feature.doc.endswith(".")
        assert feature.inputs
        assert set(feature.inputs) <= FACTS, feature.name
        assert -math.inf < feature.low < feature.high < math.inf
        assert feature.absent == "" or feature.absent.endswith(".")


@EVERY
def test_the_reference_page_lists_the_set_as_it_is(features: FeatureSet) -> None:
    assert table_of(features) in PAGE.read_text()


def test_the_market_begins_with_the_block() -> None:
    assert MARKET.features[: len(FEATURES)] == FEATURES == BLOCK.features
    assert BLOCK.schema == SCHEMA
    assert not set(MARKET.names) & set(CYCLE.names)


def test_what_is_not_of_the_chain_is_unknown_in_a_live_row_and_nothing_that_models_read_there_is() -> None:
    assert BESIDE_CHAIN <= FACTS
    market = Market()
    rows = [market.step(number, ((number % 2, 2_000_000 + number, 1_000),)) for number in range(1, 6)]
    never = set.intersection(*(set(row.missing) for row in rows))
    assert never == set(SCHEMA.names) - set(LIVE_SCHEMA.names)
    for feature in FEATURES:
        assert feature.on_chain == (feature.name not in never)


def test_a_missing_value_has_its_reason() -> None:
    row = Market().step(1)
    why = BLOCK.why_missing(row)
    assert set(why) == set(row.missing)
    assert str(why["winning_bid_log"]) == "feature_missing: Nobody recorded the winning bid."
    assert all(refusal.detail for refusal in why.values())


@pytest.mark.parametrize("ask", [describe, feature_set])
def test_an_unknown_name_is_refused(ask: object) -> None:
    with pytest.raises(InputError):
        ask("nothing")  # type: ignore[operator]
