"""Where a world is built: a node, or an EVM in this process. The same steps give the same state on both."""

from __future__ import annotations

from typing import Protocol

from chain.blocks import Address
from chain.devnet.anvil_backend import AnvilBackend
from chain.devnet.pyrevm_backend import PyrevmBackend
from chain.devnet.receipts import Receipt
from chain.devnet.rules import BASE_FEE, CALLER, TRANSACTION_GAS

__all__ = ["BASE_FEE", "CALLER", "TRANSACTION_GAS", "AnvilBackend", "Backend", "PyrevmBackend", "Receipt"]


class Backend(Protocol):
    """A chain that does what it is told, one transaction a block, twelve seconds apart."""

    def set_balance(self, address: Address, wei: int) -> None:
        """Set an account's ether."""
        ...

    def set_nonce(self, address: Address, nonce: int) -> None:
        """Set an account's nonce."""
        ...

    def set_code(self, address: Address, code: bytes) -> None:
        """Set an account's code; storage, balance and nonce stay."""
        ...

    def get_balance(self, address: Address) -> int:
        """Return an account's ether, in wei."""
        ...

    def get_code(self, address: Address) -> bytes:
        """Return an account's code."""
        ...

    def get_storage(self, address: Address, slot: int) -> int:
        """Return a storage slot."""
        ...

    def call(self, to: Address, data: bytes, sender: Address = CALLER) -> bytes:
        """Return what a call gives on the latest state, without changing it.

        Raises
        ------
        DevnetError
            If it reverts; ``fields['output']`` is the revert data.
        """
        ...

    def send(self, sender: Address, to: Address, data: bytes = b"", value: int = 0) -> Receipt:
        """Mine a block with one transaction from any sender, no key needed; ``value`` is in wei."""
        ...

    def deploy(self, sender: Address, creation_code: bytes) -> Address:
        """Create a contract and return its address.

        Raises
        ------
        DevnetError
            If the constructor reverts.
        """
        ...
