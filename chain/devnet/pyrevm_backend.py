"""A world in this process: the backend around an EVM."""

from __future__ import annotations

import re

from eth_utils.crypto import keccak
from pyrevm import EVM, AccountInfo, BlockEnv, CfgEnv, Env

from chain.blocks import Address
from chain.devnet.receipts import EventLog, Receipt
from chain.devnet.rules import (
    BLOCK_TIME,
    CALLER,
    CHAIN_ID,
    GAS_LIMIT,
    GENESIS_TIME,
    HARDFORK,
    TRANSACTION_GAS,
)
from core.errors import DevnetError

_PADDING = 33
"""Zero bytes that revm puts after code it has run, and shows to us but not to contracts."""
_REVERT = re.compile(r"output: 0x([0-9a-f]*)")


class PyrevmBackend:
    """An EVM in this process: a world in well under a second, thousands of calls a second.

    One EVM object is one endless transaction to pyrevm: amounts are exact, but gas is too low from the
    second touch of a slot on. Fees are not charged. For exact gas use the simulator of ``execution``.
    """

    def __init__(self) -> None:
        self.number = 0
        self.timestamp = GENESIS_TIME
        self.evm = EVM(env=Env(cfg=CfgEnv(chain_id=CHAIN_ID), block=self._block()), spec_id=HARDFORK.upper())

    def set_balance(self, address: Address, wei: int) -> None:
        """Set an account's ether."""
        self.evm.set_balance(address, wei)

    def set_nonce(self, address: Address, nonce: int) -> None:
        """Set an account's nonce."""
        self._set_account(address, nonce=nonce)

    def set_code(self, address: Address, code: bytes) -> None:
        """Set an account's code; storage, balance and nonce stay."""
        self._set_account(address, code=code)

    def get_balance(self, address: Address) -> int:
        """Return an account's ether, in wei."""
        return int(self.evm.get_balance(address))

    def get_code(self, address: Address) -> bytes:
        """Return an account's code."""
        code = bytes(self.evm.get_code(address) or b"")
        known = self.evm.basic(address).code_hash
        return code if keccak(code) == known else code[:-_PADDING]

    def get_storage(self, address: Address, slot: int) -> int:
        """Return a storage slot."""
        self.evm.basic(address)
        return int(self.evm.storage(address, slot))

    def call(self, to: Address, data: bytes, sender: Address = CALLER) -> bytes:
        """Return what a call gives on the latest state, without changing it."""
        mark = self.evm.snapshot()
        try:
            return bytes(self.evm.message_call(sender, to, data, gas=TRANSACTION_GAS))
        except RuntimeError as error:
            match = _REVERT.search(str(error))
            output = f"0x{match[1]}" if match else "0x"
            raise DevnetError(f"the call reverted: {output}", to=to, output=output) from error
        finally:
            self.evm.revert(mark)

    def send(self, sender: Address, to: Address, data: bytes = b"", value: int = 0) -> Receipt:
        """Mine a block with one transaction from any sender, no key needed."""
        self._next_block()
        nonce = self.evm.basic(sender).nonce
        try:
            self.evm.message_call(sender, to, data, value=value, gas=TRANSACTION_GAS)
        except RuntimeError as error:
            if not str(error).startswith(("Revert", "Halt")):  # refused before it ran, as a node would
                raise DevnetError(f"the transaction was refused: {error}", sender=sender) from error
        self._set_account(sender, nonce=nonce + 1)
        return self._receipt()

    def deploy(self, sender: Address, creation_code: bytes) -> Address:
        """Create a contract and return its address."""
        self._next_block()
        try:
            return str(self.evm.deploy(sender, creation_code, gas=TRANSACTION_GAS)).lower()
        except RuntimeError as error:
            raise DevnetError(f"the constructor reverted: {error}", sender=sender) from error

    def _next_block(self) -> None:
        self.number += 1
        self.timestamp += BLOCK_TIME
        self.evm.set_block_env(self._block())
        self.evm.reset_transient_storage()

    def _block(self) -> BlockEnv:
        return BlockEnv(number=self.number, timestamp=self.timestamp, gas_limit=GAS_LIMIT)

    def _set_account(self, address: Address, nonce: int | None = None, code: bytes | None = None) -> None:
        known = AccountInfo(  # type: ignore[call-arg]  # its stub forgot the balance
            balance=self.get_balance(address),
            nonce=self.evm.basic(address).nonce if nonce is None else nonce,
            code=(self.get_code(address) if code is None else code) or None,
        )
        self.evm.insert_account_info(address, known)

    def _receipt(self) -> Receipt:
        result = self.evm.result
        assert result is not None, "a call has just run"
        return Receipt(
            ok=result.is_success,
            gas_used=int(result.gas_used),
            logs=tuple(
                EventLog(log.address.lower(), tuple(map(_bytes, log.topics)), bytes(log.data[1]))
                for log in (result.logs if result.is_success else ())
            ),
            created=None,
            block_number=self.number,
        )


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])
