"""What can be done on a chain. What a chain lacks is refused at start, not when money is on its way."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from chain.networks import Network
from core.errors import ConfigError


class Capability(StrEnum):
    """Something that works on some chains and not on others."""

    BUNDLES = "bundles"
    PUBLIC_MEMPOOL = "public_mempool"
    PENDING_BLOCKS = "pending_blocks"
    SEQUENCER_FEED = "sequencer_feed"
    VAULT_LOAN = "vault_loan"
    VAULT_V3_LOAN = "vault_v3_loan"
    POOL_MANAGER_LOAN = "pool_manager_loan"
    KNOWN_GAS_CAP = "known_gas_cap"


def capabilities(network: Network) -> dict[Capability, str]:
    """Return what works on a chain, and why not where something does not.

    Returns
    -------
    dict
        Every capability; an empty text means that it is there.

    Examples
    --------
    >>> from chain.networks import load_network
    >>> capabilities(load_network("base"))[Capability.BUNDLES]
    'no relay takes bundles; send single transactions'
    """
    pending = network.orderflow.pending
    found = {
        Capability.BUNDLES: bool(network.relays),
        Capability.PUBLIC_MEMPOOL: network.orderflow.public_mempool,
        Capability.PENDING_BLOCKS: pending == "flashblocks",
        Capability.SEQUENCER_FEED: pending == "sequencer_feed",
        Capability.VAULT_LOAN: True,
        Capability.VAULT_V3_LOAN: network.vault_v3 is not None,
        Capability.POOL_MANAGER_LOAN: True,
        Capability.KNOWN_GAS_CAP: network.transaction_gas_cap.gas is not None,
    }
    return {each: "" if there else _WHY_NOT[each] for each, there in found.items()}


def require(network: Network, needs: Iterable[Capability]) -> None:
    """Check that a chain can do all that a configuration asks of it.

    Raises
    ------
    ConfigError
        With everything that is missing, in ``fields["problems"]``.
    """
    there = capabilities(network)
    problems = [f"{need.value}: {there[need]}" for need in needs if there[need]]
    if problems:
        raise ConfigError(
            f"{network.title} cannot do what is configured: {'; '.join(problems)}",
            chain=network.name,
            problems=problems,
        )


_WHY_NOT = {
    Capability.BUNDLES: "no relay takes bundles; send single transactions",
    Capability.PUBLIC_MEMPOOL: "transactions go to a sequencer unseen",
    Capability.PENDING_BLOCKS: "blocks are not announced in parts",
    Capability.SEQUENCER_FEED: "there is no public feed of what a sequencer has ordered",
    Capability.VAULT_LOAN: "there is no Balancer V2 Vault",
    Capability.VAULT_V3_LOAN: "there is no Balancer V3 Vault",
    Capability.POOL_MANAGER_LOAN: "there is no Uniswap V4 PoolManager",
    Capability.KNOWN_GAS_CAP: "the cap of a transaction's gas is no constant; read it from the chain",
}
