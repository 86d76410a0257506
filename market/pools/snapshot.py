"""Pools and their specs as JSON values, for tapes; integers are decimal text."""

from __future__ import annotations

from typing import Any

from core.errors import MarketError
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import UniswapV2Pool
from market.pools.uniswap_v3 import UniswapV3Pool
from market.pools.v3_ticks import TickMap
from market.pools.weighted import WeightedPool


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
        pool_id=row["pool_id"],
        address=row["address"],
        tokens=tuple(row["tokens"]),
        fee=int(row["fee"]),
        tick_spacing=int(row["tick_spacing"]),
        weights=tuple(int(weight) for weight in row["weights"]),
        venue=row["venue"],
        # tapes that were written before a spec had these have none of these
        fees=tuple(int(fee) for fee in row.get("fees", ())),
        hooks=row.get("hooks", ""),
        variant=row.get("variant", ""),
        factory=row.get("factory", ""),
    )


def pool_to_json(pool: Pool) -> dict[str, Any]:
    """Return a pool, spec and state, as JSON values.

    Raises
    ------
    MarketError
        If the family is not one of ours.
    """
    match pool:
        case UniswapV2Pool():
            state: dict[str, Any] = {"reserves": [str(pool.reserve0), str(pool.reserve1)]}
        case UniswapV3Pool():
            ticks = pool.tick_map
            state = {
                "sqrt_price_x96": str(pool.sqrt_price_x96),
                "tick": pool.tick,
                "liquidity": str(pool.liquidity),
                "ticks": [[tick, str(net), str(ticks.gross[tick])] for tick, net in ticks.items()],
                "known": None if pool.known is None else list(pool.known),
            }
        case WeightedPool():
            state = {
                "balances": [str(balance) for balance in pool.balances],
                "decimals": list(pool.decimals),
            }
        case _:
            raise MarketError("this family of pools has no snapshot", pool_id=pool.pool_id)
    return {"spec": spec_to_json(pool.spec), "state": state}


def pool_from_json(row: dict[str, Any]) -> Pool:
    """Return the pool that :func:`pool_to_json` wrote.

    Raises
    ------
    MarketError
        If the family is not one of ours, or the state is impossible.
    """
    spec, state = spec_from_json(row["spec"]), row["state"]
    match spec.family:
        case "uniswap_v2":
            return UniswapV2Pool(spec, *(int(reserve) for reserve in state["reserves"]))
        case "uniswap_v3":
            net = {tick: int(value) for tick, value, _ in state["ticks"]}
            gross = {tick: int(value) for tick, _, value in state["ticks"]}
            known = None if state["known"] is None else (state["known"][0], state["known"][1])
            price, liquidity = int(state["sqrt_price_x96"]), int(state["liquidity"])
            return UniswapV3Pool(spec, price, state["tick"], liquidity, TickMap(net, gross), known)
        case "weighted":
            balances = tuple(int(balance) for balance in state["balances"])
            return WeightedPool(spec, balances, tuple(state["decimals"]))
    raise MarketError(f"{spec.family!r} is not a family of pools we know", pool_id=spec.pool_id)
