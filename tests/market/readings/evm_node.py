"""A node over the EVM of a conformance stage: answers calls and storage as a chain would."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chain.devnet.backend import PyrevmBackend
from core.errors import DevnetError, RpcError
from tests.multicall3 import ADDRESS, multicall3_code


class EvmNode:
    """Answers ``eth_call``, ``eth_getCode`` and ``eth_getStorageAt`` at the latest state.

    Parameters
    ----------
    backend
        The EVM; it is given Multicall3, at its usual address.
    """

    def __init__(self, backend: PyrevmBackend) -> None:
        self.backend = backend
        self.exchanges = 0
        backend.set_code(ADDRESS, multicall3_code())

    async def attempt(self, requests: Sequence[tuple[str, Sequence[Any]]]) -> list[Any | RpcError]:
        self.exchanges += 1
        return [self._answer(method, list(params)) for method, params in requests]

    def call(self, to: str, data: bytes) -> bytes:
        """Return what a contract answers."""
        return self.backend.call(to, data)

    def _answer(self, method: str, params: list[Any]) -> Any | RpcError:
        match method:
            case "eth_getCode":
                return "0x" + self.backend.get_code(params[0]).hex()
            case "eth_getStorageAt":
                return f"0x{self.backend.get_storage(params[0], int(params[1], 16)):064x}"
        assert method == "eth_call"
        try:
            return "0x" + self.call(params[0]["to"], bytes.fromhex(params[0]["data"][2:])).hex()
        except DevnetError as error:
            cause = str(error.__cause__)
            message = "out of gas" if "OutOfGas" in cause else "execution reverted"
            return RpcError(cause, method=method, code=3, message=message, data=None)
