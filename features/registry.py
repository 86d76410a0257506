"""Every feature of the project, in order: name, unit, window, null value and meaning.

The list is the same whatever the market holds, so a model trained on recorded mainnet
reads the rows of a local chain.
"""

from __future__ import annotations

from features.feature import Feature
from features.groups import calendar, cex, competition, flow, gaps, gas
from features.schema import FeatureSchema

FEATURES: tuple[Feature, ...] = (
    *gas.FEATURES,
    *calendar.FEATURES,
    *competition.FEATURES,
    *gaps.FEATURES,
    *flow.FEATURES,
    *cex.FEATURES,
)

SCHEMA = FeatureSchema(tuple(feature.name for feature in FEATURES))
"""All features, in the order of :data:`FEATURES`."""


def describe(name: str) -> Feature:
    """Return the definition of a feature.

    Raises
    ------
    KeyError
        If there is no such feature.

    Examples
    --------
    >>> describe("gap_max_ppm").unit
    'ppm'
    """
    return {feature.name: feature for feature in FEATURES}[name]
