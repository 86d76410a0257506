"""Every feature of the project, in order: name, unit, window, null value and meaning.

The lists are the same whatever the market holds, so a model trained on recorded mainnet
reads the rows of a local chain.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from core.errors import InputError
from features.feature import Feature
from features.feature_set import FeatureSet
from features.groups import (
    arrivals,
    bids,
    calendar,
    cex,
    clock,
    competition,
    cycle,
    depth,
    exchange,
    flow,
    gap_dynamics,
    gaps,
    gas,
    mempool,
    order_flow,
    rivals,
    volatility,
)
from features.schema import FeatureSchema

FEATURES: tuple[Feature, ...] = (
    *gas.FEATURES,
    *calendar.FEATURES,
    *competition.FEATURES,
    *gaps.FEATURES,
    *flow.FEATURES,
    *cex.FEATURES,
)
"""The set ``block``, which the base-fee models read."""

BLOCK = FeatureSet("block", "A block of the chain and what base-fee models need of it.", FEATURES)
MARKET = FeatureSet(
    "market",
    "A block, and the whole market after it.",
    (
        *FEATURES,
        *depth.FEATURES,
        *volatility.FEATURES,
        *order_flow.FEATURES,
        *arrivals.FEATURES,
        *gap_dynamics.FEATURES,
        *bids.FEATURES,
        *rivals.FEATURES,
        *exchange.FEATURES,
        *clock.FEATURES,
        *mempool.FEATURES,
    ),
)
CYCLE = FeatureSet("cycle", "One cycle of pools after a block; a couple is a cycle of two.", cycle.FEATURES)

FEATURE_SETS: Mapping[str, FeatureSet] = MappingProxyType(
    {found.name: found for found in (BLOCK, MARKET, CYCLE)}
)

SCHEMA = BLOCK.schema
"""All features of the set ``block``, in the order of :data:`FEATURES`."""

LIVE_SCHEMA = FeatureSchema(tuple(feature.name for feature in FEATURES if feature.on_chain))
"""Those of the set ``block`` that a live run fills, so a model that serves there reads no others."""


def describe(name: str) -> Feature:
    """Return the definition of a feature.

    Raises
    ------
    InputError
        If there is no such feature.

    Examples
    --------
    >>> describe("gap_max_ppm").unit
    'ppm'
    """
    holder = next((found for found in (MARKET, CYCLE) if name in found.names), MARKET)
    return holder[name]


def feature_set(name: str) -> FeatureSet:
    """Return a feature set.

    Raises
    ------
    InputError
        If there is none of this name.
    """
    if name not in FEATURE_SETS:
        raise InputError(f"there is no feature set {name}; use one of {', '.join(FEATURE_SETS)}", name=name)
    return FEATURE_SETS[name]
