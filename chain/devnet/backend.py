"""Where a world is built: a node, or an EVM in this process. The same steps give the same state on both."""

from __future__ import annotations

import re
from typing import Any, Protocol

import httpx
from eth_utils.crypto import keccak
from pyrevm import EVM, AccountInfo, BlockEnv, CfgEnv, Env

from chain.blocks import Address, BlockHeader, next_base_fee
from chain.devnet.anvil import BLOCK_TIME, CHAIN_ID, GAS_LIMIT, GENESIS_TIME, HARDFORK
from chain.devnet.receipts import EventLog, Receipt
from core.errors import DevnetError

CALLER: Address = "0x" + "ca11" * 10
"""Sender of read-only calls."""
TRANSACTION_GAS = 16_000_000
"""Gas limit of a transaction; the dearest deployment takes half of it."""
BASE_FEE = 10_000_000_000
"""Wei per gas of every block that a backend mines, so that a new world starts with a usual fee."""

_PADDING = 33
"""Zero bytes that revm puts after code it has run, and shows to us but not to contracts."""
_REVERT = re.compile(r"output: 0x([0-9a-f]*)")


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
        """Mine a block with one transaction from any sender, no key needed."""
        ...

    def deploy(self, sender: Address, creation_code: bytes) -> Address:
        """Create a contract and return its address.

        Raises
        ------
        DevnetError
            If the constructor reverts.
        """
        ...


class AnvilBackend:
    """A node behind JSON-RPC. Blocking: in an event loop run it in a thread.

    Parameters
    ----------
    url
        HTTP address of a node that mines only when asked.
    """

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=30.0)
        self._unlocked: set[Address] = set()

    def __enter__(self) -> AnvilBackend:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def request(self, method: str, *params: Any) -> Any:
        """Return the result of a JSON-RPC request.

        Raises
        ------
        DevnetError
            If the node does not answer or refuses; ``fields['output']`` holds revert data if it sent any.
        """
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        try:
            answer = self._client.post("", json=body).json()
        except httpx.HTTPError as error:
            raise DevnetError(f"the local node does not answer {method}: {error}", method=method) from error
        if "error" in answer:
            message, data = answer["error"]["message"], answer["error"].get("data")
            output = data if isinstance(data, str) else "0x"
            raise DevnetError(f"{method} refused: {message}", method=method, output=output)
        return answer["result"]

    def set_balance(self, address: Address, wei: int) -> None:
        """Set an account's ether."""
        self.request("anvil_setBalance", address, hex(wei))

    def set_nonce(self, address: Address, nonce: int) -> None:
        """Set an account's nonce."""
        self.request("anvil_setNonce", address, hex(nonce))

    def set_code(self, address: Address, code: bytes) -> None:
        """Set an account's code; storage, balance and nonce stay."""
        self.request("anvil_setCode", address, _hex(code))

    def get_balance(self, address: Address) -> int:
        """Return an account's ether, in wei."""
        return int(self.request("eth_getBalance", address, "latest"), 16)

    def get_code(self, address: Address) -> bytes:
        """Return an account's code."""
        return _bytes(self.request("eth_getCode", address, "latest"))

    def get_storage(self, address: Address, slot: int) -> int:
        """Return a storage slot."""
        return int(self.request("eth_getStorageAt", address, hex(slot), "latest"), 16)

    def call(self, to: Address, data: bytes, sender: Address = CALLER) -> bytes:
        """Return what a call gives on the latest state, without changing it."""
        transaction = {"from": sender, "to": to, "data": _hex(data), "gas": hex(TRANSACTION_GAS)}
        return _bytes(self.request("eth_call", transaction, "latest"))

    def send(self, sender: Address, to: Address, data: bytes = b"", value: int = 0) -> Receipt:
        """Mine a block with one transaction from any sender, no key needed."""
        return self._mine({"from": sender, "to": to, "data": _hex(data), "value": hex(value)})

    def deploy(self, sender: Address, creation_code: bytes) -> Address:
        """Create a contract and return its address."""
        receipt = self._mine({"from": sender, "data": _hex(creation_code)})
        if not receipt.ok or receipt.created is None:
            raise DevnetError("the constructor reverted", sender=sender)
        return receipt.created

    def snapshot(self) -> str:
        """Return a mark of the whole chain for :meth:`revert`."""
        return str(self.request("evm_snapshot"))

    def revert(self, mark: str) -> None:
        """Go back to a mark, which is used up by it, and to the base fee that follows from that block.

        The node alone would go on with the fee that followed the blocks now undone.
        """
        if not self.request("evm_revert", mark):
            raise DevnetError("the node does not know this snapshot; take a new one", mark=mark)
        self.request("anvil_setNextBlockBaseFeePerGas", hex(next_base_fee(self.head())))

    def head(self) -> BlockHeader:
        """Return the header of the latest block."""
        block = self.request("eth_getBlockByNumber", "latest", False)
        return BlockHeader(
            number=int(block["number"], 16),
            hash=_bytes(block["hash"]),
            parent_hash=_bytes(block["parentHash"]),
            timestamp=int(block["timestamp"], 16),
            base_fee=int(block["baseFeePerGas"], 16),
            gas_used=int(block["gasUsed"], 16),
            gas_limit=int(block["gasLimit"], 16),
            fee_recipient=block["miner"].lower(),
        )

    def _mine(self, transaction: dict[str, str]) -> Receipt:
        sender = transaction["from"]
        if sender not in self._unlocked:
            self.request("anvil_impersonateAccount", sender)
            self._unlocked.add(sender)
        self.request("anvil_setNextBlockBaseFeePerGas", hex(BASE_FEE))
        fees = {"gas": hex(TRANSACTION_GAS), "maxFeePerGas": hex(2 * BASE_FEE), "maxPriorityFeePerGas": "0x0"}
        transaction_hash = self.request("eth_sendTransaction", transaction | fees)
        self.request("evm_mine")
        found = self.request("eth_getTransactionReceipt", transaction_hash)
        if found is None:
            raise DevnetError("a transaction was not mined; is something else mining?", hash=transaction_hash)
        return Receipt(
            ok=found["status"] == "0x1",
            gas_used=int(found["gasUsed"], 16),
            logs=tuple(
                EventLog(log["address"].lower(), tuple(map(_bytes, log["topics"])), _bytes(log["data"]))
                for log in found["logs"]
            ),
            created=found["contractAddress"].lower() if found["contractAddress"] else None,
            block_number=int(found["blockNumber"], 16),
        )


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


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])
