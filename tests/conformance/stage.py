"""What the conformance kit needs of a family: contracts that trade, and our pool of the same state.

A stage owns an EVM with the family's contracts. The kit trades on both sides and compares; a
stage only says how a trade is sent and how a state is read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from core.errors import SwapRefused
from core.reasons import Reason
from market.pools.pool import Pool, Swap


@dataclass(frozen=True, slots=True)
class Oracle:
    """What a family is held against.

    Parameters
    ----------
    code
        Where the bytecode comes from: a package and version, or our own contract.
    published
        Whether it is the protocol's own bytecode. If not, ``vectors`` say what ties it to reality.
    vectors
        Published test vectors that our pool reproduces as well.
    """

    code: str
    published: bool
    vectors: str = ""


class Stage(Protocol):
    """A family's contracts in an EVM.

    Parameters
    ----------
    family
        As in :class:`market.pools.spec.PoolSpec`.
    oracle
        What answers.
    exact_refusal
        Whether a caller names the output and ours is the largest that is paid, so that one unit more
        can be asked for and must be refused.
    """

    family: str
    oracle: Oracle
    exact_refusal: bool

    def pool_ids(self) -> tuple[str, ...]:
        """Return the pools that are traded, extreme ones included."""
        ...

    def load(self, pool_id: str) -> Pool:
        """Read the pool's whole state from the contracts."""
        ...

    def typical_size(self, pool: Pool, token_in: str) -> int:
        """Return an input that moves the price visibly, in raw units."""
        ...

    def swap(self, pool_id: str, token_in: str, token_out: str, amount_in: int) -> int | None:
        """Trade on the chain and return what it paid; ``None`` if it reverted, and then nothing changed."""
        ...

    def refuses(self, pool: Pool, token_in: str, token_out: str, amount_in: int, amount_out: int) -> bool:
        """Return whether the contract refuses to pay so much; only where ``exact_refusal``."""
        ...

    def disturb(self, pool_id: str, rng: np.random.Generator) -> None:
        """Change what else the contracts allow: liquidity, fees, time, rates."""
        ...


def log_uniform(rng: np.random.Generator, low: float, high: float) -> int:
    """Return a whole number between two bounds, evenly over its digits."""
    return int(10 ** rng.uniform(math.log10(low), math.log10(high)))


def swap_or_reason(pool: Pool, token_in: str, token_out: str, amount_in: int) -> Swap | Reason:
    """Return our answer: a swap, or why there is none."""
    try:
        return pool.swap(token_in, token_out, amount_in)
    except SwapRefused as refused:
        reason: Reason = refused.fields["reason"]
        return reason
