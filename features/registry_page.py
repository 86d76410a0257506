"""The registry as tables of the reference page."""

from __future__ import annotations

from features.feature import Feature
from features.feature_set import FeatureSet

_HEAD = (
    "| feature | unit | window | range | made of | unknown when (null) | meaning |\n"
    "|---|---|---|---|---|---|---|\n"
)


def table_of(features: FeatureSet) -> str:
    """Return a set's features as a Markdown table."""
    return _HEAD + "".join(f"{_line(feature)}\n" for feature in features.features)


def _line(feature: Feature) -> str:
    unknown = f"{feature.absent} ({feature.null:g})" if feature.absent else "never"
    inputs = ", ".join(f"`{name}`" for name in feature.inputs)
    window = str(feature.window) if feature.window else ""
    cells = [f"`{feature.name}`", feature.unit, window, _range(feature), inputs, unknown, feature.doc]
    return f"| {' | '.join(cells)} |"


def _range(feature: Feature) -> str:
    return f"{feature.low:g} to {feature.high:g}"
