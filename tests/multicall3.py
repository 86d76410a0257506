"""Multicall3's own bytecode: the pinned local node carries it, and its hash is the one on every chain."""

from __future__ import annotations

from functools import cache

from eth_utils.crypto import keccak

from chain.devnet.anvil import BINARY

ADDRESS = "0xca11bde05977b3631167028862be2a173976ca11"
CODE_HASH = bytes.fromhex("d5c15df687b16f2ff992fc8d767b4216323184a2bbc6ee2f9c398c318e770891")
_BEGINNING = bytes.fromhex("6080604052600436106100f35760003560e01c")
_LENGTH = 3_808


@cache
def multicall3_code() -> bytes:
    """Return the code that lies at the contract's address."""
    program = BINARY.read_bytes()
    at = program.index(_BEGINNING)
    code = program[at : at + _LENGTH]
    assert keccak(code) == CODE_HASH
    return code
