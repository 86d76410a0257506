"""From a market in JSON to the market the rest of the house knows, and opportunities back."""

from __future__ import annotations

from chain.blocks import BlockHeader
from core.errors import InputError, MarketError
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import UniswapV2Pool
from market.pools.uniswap_v3 import UniswapV3Pool
from market.pools.weighted import WeightedPool
from market.state import MarketState
from market.tokens import Token
from scoring.opportunity import Opportunity
from serving.schemas import HopBody, MarketSnapshot, OpportunityBody, PoolBody

NEEDED = {
    "uniswap_v2": ("balances",),
    "uniswap_v3": ("tick_spacing", "sqrt_price_x96", "tick", "liquidity", "ticks"),
    "weighted": ("balances", "weights"),
}


def state_from(snapshot: MarketSnapshot) -> MarketState:
    """Return the market state a snapshot describes.

    Raises
    ------
    InputError
        If a pool lacks a field of its family, a token is not described, or numbers are
        impossible for the pool's contract.
    """
    tokens = {body.address: Token(body.address, body.symbol, body.decimals) for body in snapshot.tokens}
    head = BlockHeader(snapshot.block_number, b"", b"", 0, 0, 0, 0)
    try:
        return MarketState([_pool(body, tokens) for body in snapshot.pools], tokens, head)
    except MarketError as error:
        raise InputError(error.message, **error.fields) from error


def _pool(body: PoolBody, tokens: dict[str, Token]) -> Pool:
    missing = [name for name in NEEDED[body.family] if getattr(body, name) is None]
    if missing:
        raise InputError(
            f"pool {body.pool_id} of family {body.family} needs {', '.join(missing)}", pool_id=body.pool_id
        )
    unknown = [token for token in body.tokens if token not in tokens]
    if unknown:
        raise InputError(f"pool {body.pool_id} holds {unknown[0]}, which is not among the tokens")
    spec = PoolSpec(
        family=body.family,
        pool_id=body.pool_id,
        address=body.address,
        tokens=tuple(body.tokens),
        fee=body.fee,
        tick_spacing=body.tick_spacing or 0,
        weights=tuple(int(weight) for weight in body.weights or ()),
        venue=body.venue or body.family,
    )
    if body.family == "uniswap_v3":
        return UniswapV3Pool(
            spec=spec,
            sqrt_price_x96=int(body.sqrt_price_x96 or 0),
            tick=body.tick or 0,
            liquidity=int(body.liquidity or 0),
            ticks={tick: int(net) for tick, net in (body.ticks or {}).items()},
        )
    balances = tuple(int(balance) for balance in body.balances or ())
    if body.family == "weighted":
        decimals = tuple(tokens[token].decimals for token in body.tokens)
        return WeightedPool(spec=spec, balances=balances, decimals=decimals)
    if len(balances) != 2 or len(body.tokens) != 2:
        raise InputError(f"pool {body.pool_id} is a pair: two tokens, two balances", pool_id=body.pool_id)
    return UniswapV2Pool(spec=spec, reserve0=balances[0], reserve1=balances[1])


def opportunity_body(found: Opportunity) -> OpportunityBody:
    """Return an opportunity as it goes over the wire."""
    return OpportunityBody(
        cycle_id=found.cycle_id,
        token=found.token,
        hops=[
            HopBody(
                pool_id=hop.pool_id,
                token_in=hop.token_in,
                token_out=hop.token_out,
                amount_in=str(hop.amount_in),
                amount_out=str(hop.amount_out),
            )
            for hop in found.hops
        ],
        amount_in=str(found.amount_in),
        amount_out=str(found.amount_out),
        gross_profit=str(found.gross_profit),
        upper_bound=str(found.certificate.upper_bound),
        state_block=found.state_block,
        found_at_ns=found.found_at_ns,
    )
