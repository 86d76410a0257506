"""A named, ordered list of features, and the hash that says which one a row or a model is of."""

from __future__ import annotations

import hashlib
from dataclasses import astuple, dataclass

from core.errors import InputError
from core.reasons import Reason, Refusal
from features.feature import Feature, FeatureRow
from features.schema import FeatureSchema


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """Features that make up one row.

    Parameters
    ----------
    name
        Short name.
    doc
        One sentence: what a row is about.
    features
        In the order of a row's values.

    Raises
    ------
    ModelError
        If there are no features, or a name repeats.
    """

    name: str
    doc: str
    features: tuple[Feature, ...]

    def __post_init__(self) -> None:
        FeatureSchema(self.names)

    @property
    def names(self) -> tuple[str, ...]:
        """Names in order."""
        return tuple(feature.name for feature in self.features)

    @property
    def schema(self) -> FeatureSchema:
        """What models see of it."""
        return FeatureSchema(self.names)

    @property
    def nulls(self) -> tuple[float, ...]:
        """Values that stand for unknown ones."""
        return tuple(feature.null for feature in self.features)

    @property
    def digest(self) -> str:
        """Return the hash of every definition in order: equal iff the sets mean the same."""
        text = "\n".join(repr(astuple(feature)) for feature in self.features)
        return hashlib.sha256(text.encode()).hexdigest()

    def __getitem__(self, name: str) -> Feature:
        found = next((feature for feature in self.features if feature.name == name), None)
        if found is None:
            raise InputError(
                f"the feature set {self.name} has no {name}; see docs/reference/features.md", name=name
            )
        return found

    def why_missing(self, row: FeatureRow) -> dict[str, Refusal]:
        """Return, for each value of a row that is unknown, why."""
        return {name: Refusal(Reason.FEATURE_MISSING, self[name].absent) for name in row.missing}
