"""What a file tells about a market at one moment, whatever its format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from chain.blocks import Address
from core.reasons import Reason, Refusal
from market.pools.pool import Pool
from market.tokens import Token


@dataclass(frozen=True, slots=True)
class MarketSnapshot:
    """Pools of one moment, and what the file says beside them.

    Parameters
    ----------
    source
        Where it came from, for people.
    tokens
        Tokens that the file describes, by address; some files give no decimals and so no tokens.
    pools
        Pools that could be read, in the file's order.
    refused
        Why the others could not, by pool id, or by place in the file where there is no id.
    reference_prices
        Wei of the native token per raw unit of a token. Floats: they rank and filter.
    swap_costs
        Gas cost of one swap by pool id, in wei of the native token at ``gas_price``.
    gas_price
        Wei per gas; ``None`` where the file does not tell it.
    block_number
        Height of the state; ``None`` where the file does not tell it.
    """

    source: str
    tokens: Mapping[Address, Token]
    pools: tuple[Pool, ...]
    refused: Mapping[str, Refusal]
    reference_prices: Mapping[Address, float]
    swap_costs: Mapping[str, int]
    gas_price: int | None = None
    block_number: int | None = None

    def reasons(self) -> Counter[Reason]:
        """Return how many pools could not be read, by reason."""
        return Counter(refusal.reason for refusal in self.refused.values())
