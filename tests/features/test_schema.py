from __future__ import annotations

import numpy as np
import pytest

from core.errors import ModelError
from features.feature import FeatureRow
from features.registry import FEATURES, SCHEMA
from features.schema import FeatureSchema


def row(names: tuple[str, ...], values: tuple[float, ...]) -> FeatureRow:
    return FeatureRow(1, 0, 0, names, values)


def test_every_feature_has_a_unit_a_meaning_and_a_name_of_its_own() -> None:
    assert all(feature.unit and feature.doc.endswith(".") for feature in FEATURES)
    assert len({feature.name for feature in FEATURES}) == len(FEATURES) == len(SCHEMA.names)


def test_columns_follow_the_schema_whatever_the_order_of_the_row() -> None:
    schema = FeatureSchema(("b", "a"))
    assert schema.matrix((row(("a", "x", "b"), (1.0, 9.0, 2.0)),)).tolist() == [[2.0, 1.0]]


def test_rows_and_matrix_are_inverse_to_each_other() -> None:
    schema = FeatureSchema(("a", "b"))
    matrix = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert np.array_equal(schema.matrix(schema.rows(matrix)), matrix)


@pytest.mark.parametrize(
    "matrix",
    [np.zeros((2, 3)), np.zeros(2), np.zeros((0, 2)), np.array([[np.nan, 1.0]]), np.array([[np.inf, 1.0]])],
)
def test_a_matrix_of_another_shape_or_with_bad_numbers_is_refused(matrix: np.ndarray) -> None:
    with pytest.raises(ModelError):
        FeatureSchema(("a", "b")).rows(matrix)


def test_a_missing_feature_is_named() -> None:
    with pytest.raises(ModelError, match="rows lack the feature") as caught:
        FeatureSchema(("a", "b")).matrix((row(("a",), (1.0,)),))
    assert caught.value.fields["missing"] == ["b"]


def test_rows_with_different_features_make_no_window() -> None:
    with pytest.raises(ModelError, match="same features"):
        FeatureSchema(("a",)).matrix((row(("a",), (1.0,)), row(("b",), (1.0,))))


@pytest.mark.parametrize("values", [(1.0,), (1.0, 2.0, 3.0), (1.0, None)])
def test_rows_without_a_number_for_each_name_make_no_window(values: tuple[float, ...]) -> None:
    with pytest.raises(ModelError, match="one number per feature"):
        FeatureSchema(("a", "b")).matrix((row(("a", "b"), values),))


@pytest.mark.parametrize("names", [(), ("a", "a")])
def test_a_schema_without_names_or_with_a_repeated_one_is_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(ModelError):
        FeatureSchema(names)


def test_the_digest_depends_on_the_order() -> None:
    assert FeatureSchema(("a", "b")).digest != FeatureSchema(("b", "a")).digest
