"""What is fixed about a pool: enough to load its state from a chain or a tape."""

from __future__ import annotations

from dataclasses import dataclass

from chain.blocks import Address


@dataclass(frozen=True, slots=True)
class PoolSpec:
    """Immutable description of a pool.

    Parameters
    ----------
    family
        Name of the pool's arithmetic; docs/reference/pools.md lists them.
    pool_id
        Lowercase address, or 32-byte hex id of a Balancer pool.
    address
        Contract to call: the pair, the pool, or the vault.
    tokens
        In the contract's order.
    fee
        Parts per million of the input (V2 0.3 % = 3000; V3 pips; a weighted pool's
        fixed-point swap fee is ``fee * 10**12``).
    tick_spacing
        Concentrated liquidity only.
    weights
        Weighted only, 1e18 fixed point.
    venue
        Name shown to people: ``uniswap_v2``, ``sushiswap``, ``balancer_v2`` …
    fees
        Where the fee depends on the token that is paid (Camelot V2): one for each of
        ``tokens``, in parts per million, and then ``fee`` is not used. Empty elsewhere.
    hooks
        Uniswap V4: address of the hooks contract, the zero address if there is none. Balancer V3:
        the same, named only if the hooks take part in swaps.
    variant
        Which of a family's contracts it is, where that changes the arithmetic: the generation of a
        Curve pool. Empty elsewhere.
    factory
        Contract that made the pool, where part of the pool's state lies there (Solidly's and
        Slipstream's fees). Of an Algebra pool that was read from a chain it is the pool's own
        ``dataStorageOperator``. Empty elsewhere.
    """

    family: str
    pool_id: str
    address: Address
    tokens: tuple[Address, ...]
    fee: int
    tick_spacing: int = 0
    weights: tuple[int, ...] = ()
    venue: str = ""
    fees: tuple[int, ...] = ()
    hooks: Address = ""
    variant: str = ""
    factory: Address = ""
