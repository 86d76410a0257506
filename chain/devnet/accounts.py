"""Accounts of the local chain: keys that repeat with a seed and are nobody's well-known test keys."""

from __future__ import annotations

from dataclasses import dataclass, field

from coincurve import PrivateKey
from eth_utils.crypto import keccak

from chain.blocks import Address


@dataclass(frozen=True, slots=True)
class DevAccount:
    """An account with its key.

    Parameters
    ----------
    name
        What it does: ``deployer``, ``trader-0`` …
    address
        Lowercase.
    key
        32-byte private key; worth nothing outside a local chain, hidden from logs all the same.
    """

    name: str
    address: Address
    key: bytes = field(repr=False)


def dev_account(seed: str, name: str) -> DevAccount:
    """Return the account of this name under this seed.

    Examples
    --------
    >>> dev_account("a", "lp") == dev_account("a", "lp"), dev_account("a", "lp") == dev_account("b", "lp")
    (True, False)
    """
    key = keccak(text=f"omniarb devnet account:{seed}:{name}")
    point = PrivateKey(key).public_key.format(compressed=False)
    return DevAccount(name, "0x" + keccak(point[1:])[12:].hex(), key)
