"""Calls of ordinary traders and liquidity providers, as pure calldata: no chain, no keys.

A trader first approves the trader contract (pairs, V3 pools) or the vault (weighted pools). Positions
belong to the account that minted them, which burns and collects on the pool itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from chain.blocks import Address
from chain.devnet.calldata import encode_call

_FOREVER = 2**256 - 1
_EVERYTHING = 2**128 - 1


@dataclass(frozen=True, slots=True)
class Call:
    """A contract to call and what to call it with; no ether goes along."""

    to: Address
    data: bytes


def swap_v2(trader: Address, pair: Address, zero_for_one: bool, amount_in: int, minimum_out: int = 0) -> Call:
    """Sell an exact amount to a V2 pair through the trader contract."""
    signature = "swapV2(address,bool,uint256,uint256)"
    return Call(trader, encode_call(signature, pair, zero_for_one, amount_in, minimum_out))


def swap_v3(trader: Address, pool: Address, zero_for_one: bool, amount_in: int, minimum_out: int = 0) -> Call:
    """Sell an exact amount to a V3 pool through the trader contract."""
    signature = "swapV3(address,bool,uint256,uint256)"
    return Call(trader, encode_call(signature, pool, zero_for_one, amount_in, minimum_out))


def swap_vault(
    vault: Address,
    pool_id: str,
    sender: Address,
    token_in: Address,
    token_out: Address,
    amount_in: int,
    minimum_out: int = 0,
) -> Call:
    """Sell an exact amount to a pool of the vault; ``sender`` pays and receives."""
    signature = (
        "swap((bytes32,uint8,address,address,uint256,bytes),(address,bool,address,bool),uint256,uint256)"
    )
    swap = (bytes.fromhex(pool_id[2:]), 0, token_in, token_out, amount_in, b"")
    funds = (sender, False, sender, False)
    return Call(vault, encode_call(signature, swap, funds, minimum_out, _FOREVER))


def mint_v3(trader: Address, pool: Address, lower: int, upper: int, liquidity: int) -> Call:
    """Add liquidity to a V3 pool through the trader contract."""
    return Call(trader, encode_call("mintV3(address,int24,int24,uint128)", pool, lower, upper, liquidity))


def burn_v3(pool: Address, lower: int, upper: int, liquidity: int) -> Call:
    """Remove own liquidity from a V3 pool; the tokens wait in the pool to be collected."""
    return Call(pool, encode_call("burn(int24,int24,uint128)", lower, upper, liquidity))


def collect_v3(pool: Address, recipient: Address, lower: int, upper: int) -> Call:
    """Take out all that burned liquidity and fees have left in the pool."""
    signature = "collect(address,int24,int24,uint128,uint128)"
    return Call(pool, encode_call(signature, recipient, lower, upper, _EVERYTHING, _EVERYTHING))
