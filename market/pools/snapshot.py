"""Pools and their specs as JSON values, for tapes and snapshot files; integers are decimal text.

The state of a pool is its fields, whatever the family; only ticks are written as rows of tick, net and
gross liquidity.
"""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from core.errors import MarketError
from market.pools.algebra import AlgebraPool
from market.pools.balancer_v3_stable import BalancerV3StablePool
from market.pools.balancer_v3_weighted import BalancerV3WeightedPool
from market.pools.composable_stable import ComposableStablePool
from market.pools.curve_stable import CurveStablePool
from market.pools.pool import Pool
from market.pools.slipstream import SlipstreamPool
from market.pools.solidly import SolidlyPool
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import UniswapV2Pool
from market.pools.uniswap_v3 import UniswapV3Pool
from market.pools.uniswap_v4 import UniswapV4Pool
from market.pools.v3_ticks import TickMap
from market.pools.weighted import WeightedPool

FAMILIES: dict[str, type[Any]] = {
    "uniswap_v2": UniswapV2Pool,
    "uniswap_v3": UniswapV3Pool,
    "pancake_v3": UniswapV3Pool,
    "slipstream": SlipstreamPool,
    "algebra_v1": AlgebraPool,
    "uniswap_v4": UniswapV4Pool,
    "solidly_volatile": SolidlyPool,
    "solidly_stable": SolidlyPool,
    "curve_stable": CurveStablePool,
    "weighted": WeightedPool,
    "composable_stable": ComposableStablePool,
    "balancer_v3_weighted": BalancerV3WeightedPool,
    "balancer_v3_stable": BalancerV3StablePool,
}
"""What arithmetic each family has."""
_BY_HAND = ("spec", "ticks")


def spec_to_json(spec: PoolSpec) -> dict[str, Any]:
    """Return a spec as JSON values."""
    return {
        "family": spec.family,
        "pool_id": spec.pool_id,
        "address": spec.address,
        "tokens": list(spec.tokens),
        "fee": spec.fee,
        "tick_spacing": spec.tick_spacing,
        "weights": [str(weight) for weight in spec.weights],
        "venue": spec.venue,
        "fees": list(spec.fees),
        "hooks": spec.hooks,
        "variant": spec.variant,
        "factory": spec.factory,
    }


def spec_from_json(row: dict[str, Any]) -> PoolSpec:
    """Return the spec that :func:`spec_to_json` wrote."""
    return PoolSpec(
        family=row["family"],
        pool_id=row["pool_id"].lower(),
        address=row["address"].lower(),
        tokens=tuple(token.lower() for token in row["tokens"]),
        fee=int(row["fee"]),
        tick_spacing=int(row["tick_spacing"]),
        weights=tuple(int(weight) for weight in row["weights"]),
        venue=row["venue"],
        # tapes that were written before a spec had these have none of these
        fees=tuple(int(fee) for fee in row.get("fees", ())),
        hooks=row.get("hooks", "").lower(),
        variant=row.get("variant", ""),
        factory=row.get("factory", "").lower(),
    )


def pool_to_json(pool: Pool) -> dict[str, Any]:
    """Return a pool, spec and state, as JSON values.

    Raises
    ------
    MarketError
        If the family is not one of ours.
    """
    _family(pool.spec)
    assert dataclasses.is_dataclass(pool)
    names = [field.name for field in dataclasses.fields(pool) if field.name not in _BY_HAND]
    state = {name: _plain(getattr(pool, name)) for name in names}
    ticks = getattr(pool, "tick_map", None)
    if isinstance(ticks, TickMap):
        state["ticks"] = [[tick, str(net), str(ticks.gross[tick])] for tick, net in ticks.items()]
    return {"spec": spec_to_json(pool.spec), "state": state}


def pool_from_json(row: dict[str, Any]) -> Pool:
    """Return the pool that :func:`pool_to_json` wrote.

    Raises
    ------
    MarketError
        If the family is not one of ours, or the state is impossible or none of it.
    """
    try:
        return _pool(spec_from_json(row["spec"]), dict(row["state"]))
    except (KeyError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        raise MarketError(
            f"the snapshot of a pool cannot be read ({type(error).__name__}: {error}); write it again"
        ) from None


def _pool(spec: PoolSpec, state: dict[str, Any]) -> Pool:
    family = _family(spec)
    fields = {field.name for field in dataclasses.fields(family)}
    ticks = state.pop("ticks", None)
    if set(state) != fields.difference(_BY_HAND) or (ticks is None) is ("ticks" in fields):
        raise MarketError(
            f"the state of a {spec.family} pool has other fields than {', '.join(sorted(fields))}; "
            "write the snapshot again",
            pool_id=spec.pool_id,
        )
    net = {int(tick): int(value) for tick, value, _ in ticks or ()}
    # the constructor looks at the ticks of a plain mapping; gross liquidity goes in afterwards
    given = {} if ticks is None else {"ticks": net}
    try:
        pool: Pool = _adapter(spec.family).validate_python({"spec": spec, **given, **state})
    except ValidationError as error:
        raise MarketError(
            f"a value of a {spec.family} pool is none: {error.errors()[0]['msg']}; write the snapshot again",
            pool_id=spec.pool_id,
        ) from None
    if ticks is None:
        return pool
    return _with_gross(pool, net, {int(tick): int(value) for tick, _, value in ticks})


def _with_gross(pool: Pool, net: dict[int, int], gross: dict[int, int]) -> Pool:
    if len(pool.tokens) != 2 or any(gross[tick] < max(abs(value), 1) for tick, value in net.items()):
        raise MarketError(
            "a pool with ticks has two tokens, and at each tick at least as much liquidity as its net; "
            "write the snapshot again",
            pool_id=pool.pool_id,
        )
    return dataclasses.replace(pool, ticks=TickMap(net, gross))  # type: ignore[type-var]


def _family(spec: PoolSpec) -> type[Any]:
    try:
        return FAMILIES[spec.family]
    except KeyError:
        raise MarketError(
            f"{spec.family!r} is not a family of pools we know; there are {', '.join(FAMILIES)}",
            pool_id=spec.pool_id,
        ) from None


@cache
def _adapter(family: str) -> TypeAdapter[Any]:
    return TypeAdapter(FAMILIES[family])


def _plain(value: Any) -> Any:
    """Return a field as JSON values."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return f"{value:d}"
    if isinstance(value, str):
        return str(value)
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return [_plain(each) for each in value]
