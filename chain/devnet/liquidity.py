"""Pools of the world and their depth: ten, on four venues, at one price per token."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, localcontext
from math import isqrt

from chain.blocks import Address
from chain.devnet import protocols
from chain.devnet.backend import Backend
from chain.devnet.calldata import decode_result, encode_arguments, encode_call
from chain.devnet.flow import mint_v3
from chain.devnet.protocols import TOKENS, must_send

ETHER = 10**18
PER_ETHER = {"WETH": ETHER, "DAI": 2_000 * 10**18, "USDC": 2_000 * 10**6, "WBTC": 5 * 10**6}
"""Raw units of a token that one ether buys at the start."""

V2_POOLS = (
    ("uniswap_v2", protocols.UNISWAP_V2_FACTORY, "USDC", 5_000),
    ("uniswap_v2", protocols.UNISWAP_V2_FACTORY, "DAI", 2_000),
    ("uniswap_v2", protocols.UNISWAP_V2_FACTORY, "WBTC", 2_000),
    ("sushiswap", protocols.SUSHISWAP_FACTORY, "USDC", 1_500),
    ("sushiswap", protocols.SUSHISWAP_FACTORY, "WBTC", 1_200),
)
"""Venue, factory, the token beside WETH, ether on either side."""

V3_POOLS = (
    ("USDC", 500, 10, ((-10, 10, 60), (-60, 120, 150), (-600, 600, 400), (-6_000, 6_000, 900))),
    ("USDC", 3_000, 60, ((-120, 60, 60), (-180, 240, 120), (-1_200, 1_200, 300), (-9_000, 9_000, 600))),
    ("WBTC", 3_000, 60, ((-120, 120, 80), (-1_200, 900, 250), (-1_800, -240, 60), (-9_000, 9_000, 500))),
    ("DAI", 3_000, 60, ((-180, 120, 80), (-900, 1_500, 200), (-12_000, 12_000, 400))),
)
"""The token beside WETH, fee in ppm, tick spacing, and positions: lower and upper tick from the
starting tick, and the ether that lies below the starting price."""

WEIGHTED_SYMBOLS = ("DAI", "WETH")
"""In address order, as the vault wants them."""
WEIGHTS = (2 * 10**17, 8 * 10**17)
WEIGHTED_ETHER = (500, 2_000)
"""Ether, or its worth, of every token."""
WEIGHTED_FEE = 2_500
"""Parts per million."""

VAULT_ETHER = 20_000
"""Ether, and its worth in every other token, that lies in the vault beside the pool's own."""

_Q96 = 2**96
_ZERO: Address = "0x" + "00" * 20


@dataclass(frozen=True, slots=True)
class DeployedPool:
    """What is fixed about a pool of the local chain.

    Parameters
    ----------
    family
        ``uniswap_v2``, ``uniswap_v3`` or ``weighted``.
    pool_id
        Lowercase address, or the 32-byte hex id of a Balancer pool.
    address
        Contract to call: the pair, the pool, or the vault.
    tokens
        In the contract's order.
    fee
        Parts per million of the input.
    tick_spacing
        V3 only.
    weights
        Weighted only, 1e18 fixed point.
    venue
        ``uniswap_v2``, ``sushiswap``, ``uniswap_v3`` or ``balancer_v2``.
    """

    family: str
    pool_id: str
    address: Address
    tokens: tuple[Address, ...]
    fee: int
    tick_spacing: int = 0
    weights: tuple[int, ...] = ()
    venue: str = ""


def create_pools(backend: Backend, owner: Address, provider: Address) -> tuple[DeployedPool, ...]:
    """Create and fill all pools.

    Parameters
    ----------
    owner
        Sends the creations.
    provider
        Owns the liquidity: holds the tokens and has approved the trader contract and the vault.
    """
    pairs = [_create_v2(backend, owner, provider, *terms) for terms in V2_POOLS]
    pools = [_create_v3(backend, owner, provider, *terms) for terms in V3_POOLS]
    return (*pairs, *pools, _create_weighted(backend, owner, provider))


def fill_vault(backend: Backend, provider: Address) -> None:
    """Deposit internal balances into the vault, so that flash loans are deep in every token."""
    operations = [
        (0, token.address, VAULT_ETHER * PER_ETHER[symbol], provider, provider)
        for symbol, token in TOKENS.items()
    ]
    deposit = "manageUserBalance((uint8,address,uint256,address,address)[])"
    must_send(backend, provider, protocols.VAULT, encode_call(deposit, operations))


def _sorted_tokens(symbol: str) -> tuple[str, str]:
    first, second = sorted((symbol, "WETH"), key=lambda name: TOKENS[name].address)
    return first, second


def _addresses(symbols: tuple[str, ...]) -> tuple[Address, ...]:
    return tuple(TOKENS[symbol].address for symbol in symbols)


def _create_v2(
    backend: Backend, owner: Address, provider: Address, venue: str, factory: Address, symbol: str, ether: int
) -> DeployedPool:
    symbols = _sorted_tokens(symbol)
    tokens = _addresses(symbols)
    must_send(backend, owner, factory, encode_call("createPair(address,address)", *tokens))
    (pair,) = decode_result(
        "address", backend.call(factory, encode_call("getPair(address,address)", *tokens))
    )
    for token, name in zip(tokens, symbols, strict=True):
        give = encode_call("transfer(address,uint256)", pair, ether * PER_ETHER[name])
        must_send(backend, provider, token, give)
    must_send(backend, provider, pair, encode_call("mint(address)", provider))
    return DeployedPool("uniswap_v2", pair, pair, tokens, 3_000, venue=venue)


def _create_v3(
    backend: Backend,
    owner: Address,
    provider: Address,
    symbol: str,
    fee: int,
    spacing: int,
    positions: tuple[tuple[int, int, int], ...],
) -> DeployedPool:
    symbols = _sorted_tokens(symbol)
    tokens = _addresses(symbols)
    factory = protocols.UNISWAP_V3_FACTORY
    must_send(backend, owner, factory, encode_call("createPool(address,address,uint24)", *tokens, fee))
    find = encode_call("getPool(address,address,uint24)", *tokens, fee)
    (pool,) = decode_result("address", backend.call(factory, find))
    price = isqrt((PER_ETHER[symbols[1]] << 192) // PER_ETHER[symbols[0]])
    must_send(backend, owner, pool, encode_call("initialize(uint160)", price))
    _, tick = decode_result("uint160,int24", backend.call(pool, encode_call("slot0()"))[:64])
    for below, above, ether in positions:
        lower, upper = (tick + below) // spacing * spacing, -(-(tick + above) // spacing) * spacing
        liquidity = ether * ETHER * _Q96 // (min(price, _root_price(upper)) - _root_price(lower))
        call = mint_v3(protocols.FLOW_TRADER, pool, lower, upper, liquidity)
        must_send(backend, provider, call.to, call.data)
    return DeployedPool("uniswap_v3", pool, pool, tokens, fee, tick_spacing=spacing, venue="uniswap_v3")


def _root_price(tick: int) -> int:
    """Return the square root of the price at a tick, times 2**96; near enough to size liquidity."""
    with localcontext(prec=60):
        return int(Decimal("1.0001") ** (Decimal(tick) / 2) * _Q96)


def _create_weighted(backend: Backend, owner: Address, provider: Address) -> DeployedPool:
    tokens = _addresses(WEIGHTED_SYMBOLS)
    create = encode_call(
        "create(string,string,address[],uint256[],address[],uint256,address)",
        "80 WETH 20 DAI",
        "80WETH-20DAI",
        tokens,
        WEIGHTS,
        [_ZERO] * len(tokens),
        WEIGHTED_FEE * 10**12,
        _ZERO,
    )
    receipt = must_send(backend, owner, protocols.WEIGHTED_POOL_FACTORY, create)
    made = [log for log in receipt.logs if log.address == protocols.WEIGHTED_POOL_FACTORY]
    pool: Address = "0x" + made[-1].topics[1][12:].hex()
    (pool_id,) = decode_result("bytes32", backend.call(pool, encode_call("getPoolId()")))
    amounts = [
        ether * PER_ETHER[symbol] for symbol, ether in zip(WEIGHTED_SYMBOLS, WEIGHTED_ETHER, strict=True)
    ]
    initial = encode_arguments("uint256,uint256[]", 0, amounts)
    join = "joinPool(bytes32,address,address,(address[],uint256[],bytes,bool))"
    request = (tokens, amounts, initial, False)
    must_send(backend, provider, protocols.VAULT, encode_call(join, pool_id, provider, provider, request))
    return DeployedPool(
        "weighted",
        "0x" + pool_id.hex(),
        protocols.VAULT,
        tokens,
        WEIGHTED_FEE,
        weights=WEIGHTS,
        venue="balancer_v2",
    )
