"""Tokens of our own with any decimals, one account that has endless amounts of them, and a clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from chain.blocks import Address
from chain.devnet.artifacts import load_artifact
from chain.devnet.backend import PyrevmBackend, Receipt
from chain.devnet.calldata import decode_result, encode_arguments, encode_call
from chain.devnet.rules import BLOCK_TIME
from chain.devnet.world import FOREVER, build_world
from core.errors import DevnetError

NOBODY = "0x" + "00" * 20
SUPPLY = 2**200
RECEIPTS_KEPT = 100


class TokenChain:
    """The world in an EVM, and as many tokens as there are numbers of decimals, in address order."""

    def __init__(self, decimals: Sequence[int]) -> None:
        self._standing: int | None = None
        self.receipts: deque[tuple[int, Receipt]] = deque(maxlen=RECEIPTS_KEPT)
        self.backend = PyrevmBackend()
        self.world = build_world(self.backend)
        self.trader = self.world.accounts["trader-0"].address
        self.decimals: dict[Address, int] = dict(sorted((self._token(places), places) for places in decimals))

    def _token(self, places: int) -> Address:
        terms = ("token", "TOKEN", places, self.trader)
        code = load_artifact("TestToken").bytecode + encode_arguments("string,string,uint8,address", *terms)
        token = self.deploy(code)
        self.must_send(token, encode_call("mint(address,uint256)", self.trader, SUPPLY))
        return token

    def let_spend(self, spender: Address) -> None:
        """Let a contract move every token of the account."""
        for token in self.decimals:
            self.must_send(token, encode_call("approve(address,uint256)", spender, FOREVER))

    def tokens_for(self, rows: Sequence[tuple[int, ...]]) -> dict[Address, tuple[int, ...]]:
        """Return a token for each row, the decimals of which stand first in it; in address order."""
        left = list(rows)
        chosen = {}
        for token, places in self.decimals.items():
            found = next((row for row in left if row[0] == places), None)
            if found is not None:
                left.remove(found)
                chosen[token] = found
        assert not left, f"no tokens for {left}"
        return chosen

    def stand_at(self, timestamp: int) -> None:
        """From now on let everything happen at one moment, until another is named."""
        if timestamp != self._standing:
            self._standing = timestamp
            self.send(NOBODY, b"")  # calls happen at the time of the latest block

    def send(self, to: Address, data: bytes) -> Receipt:
        """Send a transaction of the account."""
        self._turn_back()
        receipt = self.backend.send(self.trader, to, data)
        self.receipts.append((self.backend.timestamp, receipt))
        return receipt

    def deploy(self, creation_code: bytes) -> Address:
        """Create a contract and return its address."""
        self._turn_back()
        return self.backend.deploy(self.trader, creation_code)

    def _turn_back(self) -> None:
        if self._standing is not None:
            self.backend.timestamp = self._standing - BLOCK_TIME

    def must_send(self, to: Address, data: bytes) -> Receipt:
        """Send a transaction that the stage depends on."""
        receipt = self.send(to, data)
        assert receipt.ok
        return receipt

    def reverts(self, to: Address, data: bytes) -> bool:
        """Return whether a call of the account reverts."""
        try:
            self.backend.call(to, data, self.trader)
        except DevnetError:
            return True
        return False

    def read(self, to: Address, types: str, signature: str, *arguments: object) -> tuple[Any, ...]:
        """Return the values that a view function gives."""
        return decode_result(types, self.backend.call(to, encode_call(signature, *arguments)))

    def number(self, to: Address, signature: str, *arguments: object) -> int:
        """Return the one number that a view function gives."""
        (value,) = self.read(to, "uint256", signature, *arguments)
        return int(value)
