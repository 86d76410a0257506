"""How each family's state is read from a chain: one reading a pool, carried out by whoever has a node."""

from __future__ import annotations

from collections.abc import Mapping

from chain.blocks import Address
from chain.questions import Reading
from core.errors import MarketError
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from market.readings.algebra import read_algebra
from market.readings.balancer_v2 import read_composable_stable, read_weighted
from market.readings.balancer_v3 import read_v3_stable, read_v3_weighted
from market.readings.concentrated import read_slipstream, read_v3
from market.readings.curve_stable import read_curve
from market.readings.pairs import read_pair, read_solidly
from market.readings.uniswap_v4 import read_v4
from market.tokens import Token


def reading_of(spec: PoolSpec, tokens: Mapping[Address, Token], timestamp: int) -> Reading[Pool]:
    """Read a pool's whole state at one block.

    What can change is read even if the description holds it too (a weighted pool's fee, a pair's fees
    by token); what cannot must be as described.

    Parameters
    ----------
    spec
        The pool, of any family of docs/reference/pools.md.
    tokens
        Its tokens, by address; needed where a contract does not tell their decimals.
    timestamp
        Of the block's header, in unix seconds.

    Raises
    ------
    MarketError
        If the family is not known, the pool is none that can be traded from its state, or the
        contract is not what the description says; ``fields["pool_id"]`` names the pool.
    """
    try:
        return (yield from _reading(spec, tokens, timestamp))
    except MarketError as error:
        error.fields.setdefault("pool_id", spec.pool_id)
        raise


def _reading(spec: PoolSpec, tokens: Mapping[Address, Token], timestamp: int) -> Reading[Pool]:
    match spec.family:
        case "uniswap_v2":
            return (yield from read_pair(spec))
        case "uniswap_v3" | "pancake_v3":
            return (yield from read_v3(spec))
        case "slipstream":
            return (yield from read_slipstream(spec))
        case "algebra_v1":
            return (yield from read_algebra(spec, timestamp))
        case "uniswap_v4":
            return (yield from read_v4(spec))
        case "solidly_volatile" | "solidly_stable":
            return (yield from read_solidly(spec))
        case "curve_stable":
            return (yield from read_curve(spec, tokens, timestamp))
        case "weighted":
            return (yield from read_weighted(spec, tokens))
        case "composable_stable":
            return (yield from read_composable_stable(spec, tokens, timestamp))
        case "balancer_v3_weighted":
            return (yield from read_v3_weighted(spec))
        case "balancer_v3_stable":
            return (yield from read_v3_stable(spec, timestamp))
    raise MarketError(f"{spec.family!r} is not a family of pools we know; see docs/reference/pools.md")
