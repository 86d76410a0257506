"""A world on a node: the backend behind JSON-RPC."""

from __future__ import annotations

from typing import Any

import httpx

from chain.blocks import Address, BlockHeader, next_base_fee
from chain.devnet.receipts import EventLog, Receipt
from chain.devnet.rules import BASE_FEE, CALLER, TRANSACTION_GAS
from chain.wire import head_from_json
from core.errors import DevnetError


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
        return head_from_json(self.request("eth_getBlockByNumber", "latest", False)).header

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


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])
