"""Settings against the facts of their chain: what contradicts them is told before anything starts."""

from __future__ import annotations

from chain.capabilities import Capability, capabilities
from chain.networks import load_network
from core.errors import ConfigError
from core.settings import Settings


def check_facts(settings: Settings) -> None:
    """Check vault, tokens and relays of a configuration against its chain.

    Raises
    ------
    ConfigError
        With everything that contradicts the chain's facts, in ``fields["problems"]``.
    """
    network = load_network(settings.web3.chain)
    problems = []
    if settings.balancer.vault != network.vault.address:
        problems.append(f"balancer.vault: found {settings.balancer.vault}, expected {network.vault.address}")
    known = {token.address: token for token in (network.wrapped_native, *network.tokens)}
    for place, token in enumerate(settings.tokens):
        fact = known.get(token.address)
        if fact is not None and token.decimals != fact.decimals:
            problems.append(
                f"tokens.{place}.decimals: found {token.decimals}, expected {fact.decimals} for {fact.symbol}"
            )
    if network.weth not in {token.address for token in settings.tokens}:
        problems.append(
            f"tokens: {network.wrapped_native.symbol} ({network.weth}) is missing; profits are in it"
        )
    why_not = capabilities(network)[Capability.BUNDLES]
    if settings.flashbots.relay_urls and why_not:
        problems.append(f"flashbots.relay_urls: {network.title}: {why_not}")
    if problems:
        raise ConfigError(
            f"the configuration contradicts the facts of {network.title}: {'; '.join(problems)}",
            chain=network.name,
            problems=problems,
        )
