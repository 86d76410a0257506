"""What a client of the local chain must know, as one line of JSON between two processes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from chain.blocks import Address
from core.errors import DevnetError
from market.pools.spec import PoolSpec
from market.tokens import Token


@dataclass(frozen=True, slots=True)
class DevnetDescription:
    """Addresses of the local chain.

    Parameters
    ----------
    http_url, ws_url
        The node.
    relay_url
        Relay, public mempool and lock-step.
    chain_id, block_time
        Id, and seconds between two blocks' timestamps.
    start_block
        Height at which the world is complete and everybody starts.
    fee_recipient
        Builder's account.
    executor
        Our executor contract.
    wrapped_native, vault
        WETH and the Balancer V2 Vault.
    competitors
        Identities that sign the competitors' bundles.
    tokens, specs
        The market.
    """

    http_url: str
    ws_url: str
    relay_url: str
    chain_id: int
    block_time: int
    start_block: int
    fee_recipient: Address
    executor: Address
    wrapped_native: Address
    vault: Address
    competitors: tuple[Address, ...]
    tokens: tuple[Token, ...]
    specs: tuple[PoolSpec, ...]

    def to_json(self) -> str:
        """Return it as one line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> DevnetDescription:
        """Read what :meth:`to_json` wrote.

        Raises
        ------
        DevnetError
            If it is something else.
        """
        try:
            fields: dict[str, Any] = json.loads(line)
            fields["competitors"] = tuple(fields["competitors"])
            fields["tokens"] = tuple(Token(**token) for token in fields["tokens"])
            fields["specs"] = tuple(map(_spec, fields["specs"]))
            return cls(**fields)
        except (ValueError, TypeError, KeyError) as error:
            raise DevnetError(
                f"this is no description of a local chain ({error}); read the first line the devnet prints"
            ) from error


def _spec(row: dict[str, Any]) -> PoolSpec:
    values: dict[str, Any] = {name: tuple(it) if isinstance(it, list) else it for name, it in row.items()}
    return PoolSpec(**values)
