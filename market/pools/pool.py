"""The one shape every pool family has.

A pool is an immutable value: configuration and state together. A swap or an event gives
a *new* pool. That makes what-if states free, and undoing a block is putting the old
values back (see :mod:`market.state`). No pool ever calls out: state in, amounts out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from chain.blocks import Address
from market.pools.spec import PoolSpec


@dataclass(frozen=True, slots=True)
class Swap:
    """Result of an exact-input swap.

    Parameters
    ----------
    amount_in, amount_out
        Raw token units; ``amount_out`` is what the contract pays, to the unit.
    pool
        The pool after the swap.
    """

    amount_in: int
    amount_out: int
    pool: Pool


@runtime_checkable
class Pool(Protocol):
    """What scoring, features and execution may ask of a pool."""

    @property
    def spec(self) -> PoolSpec:
        """What is fixed about the pool."""
        ...

    @property
    def pool_id(self) -> str:
        """Lowercase address, or the 32-byte id of pools that live in a vault."""
        ...

    @property
    def address(self) -> Address:
        """Contract that is called for a swap."""
        ...

    @property
    def family(self) -> str:
        """Name of the pool's arithmetic; docs/reference/pools.md lists them."""
        ...

    @property
    def tokens(self) -> tuple[Address, ...]:
        """Tokens in the contract's order."""
        ...

    def swap(self, token_in: Address, token_out: Address, amount_in: int) -> Swap:
        """Return what an exact-input swap gives and the pool after it.

        Parameters
        ----------
        token_in, token_out
            Two different tokens of the pool.
        amount_in
            Raw units of ``token_in``, fee included.

        Raises
        ------
        SwapRefused
            If the contract would revert, or state that is needed is not known;
            ``fields['reason']`` is a :class:`core.reasons.Reason`.
        """
        ...

    def marginal_rate(self, token_in: Address, token_out: Address) -> float:
        """Return raw output units per raw input unit at size zero, after fees; 0.0 if dead."""
        ...
