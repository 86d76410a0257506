"""Where a factory puts a pool: addresses follow from tokens and terms, without asking the chain.

CREATE2 (EIP-1014): the last 20 bytes of ``keccak256(0xff ++ deployer ++ salt ++ init code hash)``.
Each kind of factory has its own salt; clones (EIP-1167) have their init code from the
implementation's address.
"""

from __future__ import annotations

from eth_utils.crypto import keccak

from chain.blocks import Address
from chain.network_facts import Factory
from core.errors import InputError

_CLONE_PREFIX = bytes.fromhex("3d602d80600a3d3981f3363d3d373d3d3d363d73")
_CLONE_SUFFIX = bytes.fromhex("5af43d82803e903d91602b57fd5bf3")


def pool_address(
    factory: Factory,
    token_a: Address,
    token_b: Address,
    *,
    fee_ppm: int | None = None,
    tick_spacing: int | None = None,
    stable: bool | None = None,
) -> Address:
    """Return the lowercase address of a pool, whether it exists or not.

    Parameters
    ----------
    factory
        Who would deploy it.
    token_a, token_b
        Its tokens, in any order.
    fee_ppm
        Fee tier, for the V3 kinds.
    tick_spacing
        Tick spacing, for Slipstream.
    stable
        Curve, for Solidly.

    Raises
    ------
    InputError
        If the tokens are one, or the term that the factory's kind needs is missing.

    Examples
    --------
    >>> from chain.networks import load_network
    >>> ethereum = load_network("ethereum")
    >>> usdc = "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"
    >>> pool_address(ethereum.factory("uniswap_v2"), ethereum.weth, usdc)
    '0xb4e16d0168e52d35cacd2c6185b44281ec28c9dc'
    """
    first, second = sorted(bytes.fromhex(token.lower().removeprefix("0x")) for token in (token_a, token_b))
    if first == second:
        raise InputError("a pool has two different tokens", token=token_a)
    salt = _salt(factory, first, second, fee_ppm, tick_spacing, stable)
    deployer = bytes.fromhex(factory.deployer[2:])
    return "0x" + keccak(b"\xff" + deployer + salt + _init_code_hash(factory))[12:].hex()


def _salt(
    factory: Factory,
    first: bytes,
    second: bytes,
    fee_ppm: int | None,
    tick_spacing: int | None,
    stable: bool | None,
) -> bytes:
    words = first.rjust(32, b"\0") + second.rjust(32, b"\0")
    match factory.kind:
        case "uniswap_v2" | "camelot_v2":
            return keccak(first + second)
        case "algebra" | "algebra_directional":
            return keccak(words)
        case "uniswap_v3" | "pancake_v3":
            return keccak(words + _needed(factory, "fee_ppm", fee_ppm).to_bytes(32, "big"))
        case "slipstream":
            return keccak(words + _needed(factory, "tick_spacing", tick_spacing).to_bytes(32, "big"))
        case "solidly":
            return keccak(first + second + bytes([_needed(factory, "stable", stable)]))


def _needed(factory: Factory, name: str, value: int | None) -> int:
    if value is None:
        raise InputError(f"pools of {factory.name} are told apart by {name}; give it", factory=factory.name)
    return value


def _init_code_hash(factory: Factory) -> bytes:
    if factory.implementation is not None:
        return keccak(_CLONE_PREFIX + bytes.fromhex(factory.implementation[2:]) + _CLONE_SUFFIX)
    assert factory.init_code_hash is not None
    return factory.init_code_hash
