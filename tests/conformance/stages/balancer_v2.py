"""Balancer V2's vault in an EVM; one account trades, provides liquidity and owns every pool."""

from __future__ import annotations

from collections.abc import Sequence

from chain.blocks import Address
from chain.devnet.calldata import encode_call
from chain.devnet.flow import swap_vault
from market.events import VAULT_SWAP
from tests.conformance.stages.own_tokens import TokenChain

PACKAGE = "@balancer-labs/v2-deployments 3.2.0"
_JOIN = "joinPool(bytes32,address,address,(address[],uint256[],bytes,bool))"
_EXIT = "exitPool(bytes32,address,address,(address[],uint256[],bytes,bool))"


class VaultChain(TokenChain):
    """The vault, and tokens it may move."""

    def __init__(self, decimals: Sequence[int]) -> None:
        super().__init__(decimals)
        self.vault = self.world.vault
        self.let_spend(self.vault)

    def create(self, factory: Address, signature: str, *terms: object) -> tuple[Address, str]:
        """Create a pool; return its address and the vault's id of it."""
        receipt = self.must_send(factory, encode_call(signature, *terms))
        made = next(log for log in receipt.logs if log.address == factory)
        address = "0x" + made.topics[1][12:].hex()
        return address, "0x" + self.backend.call(address, encode_call("getPoolId()")).hex()

    def held(self, pool_id: str) -> dict[Address, int]:
        """Return the vault's balances of a pool, in its order."""
        types, signature = "address[],uint256[],uint256", "getPoolTokens(bytes32)"
        tokens, balances, _ = self.read(self.vault, types, signature, bytes.fromhex(pool_id[2:]))
        return dict(zip(tokens, balances, strict=True))

    def join(self, pool_id: str, limits: Sequence[int], user_data: bytes) -> bool:
        """Add liquidity; return whether the pool took it."""
        return self._change(_JOIN, pool_id, limits, user_data)

    def exit(self, pool_id: str, user_data: bytes) -> bool:
        """Take liquidity out; return whether the pool gave it."""
        return self._change(_EXIT, pool_id, [0] * len(self.held(pool_id)), user_data)

    def _change(self, signature: str, pool_id: str, limits: Sequence[int], user_data: bytes) -> bool:
        request = (tuple(self.held(pool_id)), limits, user_data, False)
        arguments = bytes.fromhex(pool_id[2:]), self.trader, self.trader, request
        return self.send(self.vault, encode_call(signature, *arguments)).ok

    def swap(self, pool_id: str, token_in: Address, token_out: Address, amount_in: int) -> int | None:
        """Trade; return what the vault paid, ``None`` if it reverted."""
        call = swap_vault(self.vault, pool_id, self.trader, token_in, token_out, amount_in)
        receipt = self.send(call.to, call.data)
        if not receipt.ok:
            return None
        (log,) = (log for log in receipt.logs if log.topics[0] == VAULT_SWAP)
        return int.from_bytes(log.data[32:64], "big")

    def refuses(
        self, pool_id: str, token_in: Address, token_out: Address, amount_in: int, amount_out: int
    ) -> bool:
        """Return whether the vault reverts when so much is asked for as the least output."""
        call = swap_vault(self.vault, pool_id, self.trader, token_in, token_out, amount_in, amount_out)
        return self.reverts(call.to, call.data)
