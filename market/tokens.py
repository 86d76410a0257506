"""Tokens: address, symbol, decimals. Amounts are raw integers until shown to a person."""

from __future__ import annotations

from dataclasses import dataclass

from chain.blocks import Address


@dataclass(frozen=True, slots=True)
class Token:
    """An ERC-20 token.

    Examples
    --------
    >>> usdc = Token("0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48", "USDC", 6)
    >>> usdc.show(1_500_000)
    '1.5 USDC'
    """

    address: Address
    symbol: str
    decimals: int

    def show(self, raw: int) -> str:
        """Return a raw amount as a person reads it."""
        return f"{raw / 10**self.decimals:.6g} {self.symbol}"
