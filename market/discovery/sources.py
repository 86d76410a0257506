"""Where pools come from: the factories, singletons and registries of a chain, from its facts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from chain.blocks import Address
from chain.network_facts import Factory
from chain.networks import Network
from core.errors import InputError
from core.reasons import Reason, Refusal

CURVE_TEMPLATE_REGISTRIES = ("curve_factory", "curve_crvusd_factory")
CURVE_NG_REGISTRIES = ("curve_stable_ng_factory",)


class SourceKind(StrEnum):
    """How a source tells of its pools; the kinds of factories are those of the facts."""

    UNISWAP_V2 = "uniswap_v2"
    CAMELOT_V2 = "camelot_v2"
    SOLIDLY = "solidly"
    UNISWAP_V3 = "uniswap_v3"
    PANCAKE_V3 = "pancake_v3"
    SLIPSTREAM = "slipstream"
    ALGEBRA = "algebra"
    ALGEBRA_DIRECTIONAL = "algebra_directional"
    UNISWAP_V4 = "uniswap_v4"
    BALANCER_V2 = "balancer_v2"
    BALANCER_V3 = "balancer_v3"
    CURVE = "curve"


@dataclass(frozen=True, slots=True)
class PoolSource:
    """A contract that makes pools, or lists them.

    Parameters
    ----------
    name
        As people name it; the venue of its pools.
    kind
        How it tells of them.
    address
        Contract that writes the logs, or answers.
    factory
        Facts from which its pools' addresses follow; ``None`` where they do not.
    """

    name: str
    kind: SourceKind
    address: Address
    factory: Factory | None = None

    @property
    def is_registry(self) -> bool:
        """Whether it is asked for a list, as opposed to its logs being read."""
        return self.kind is SourceKind.CURVE


def sources_of(network: Network) -> tuple[PoolSource, ...]:
    """Return every source of pools that a chain's facts name.

    Examples
    --------
    >>> from chain.networks import load_network
    >>> [source.name for source in sources_of(load_network("base"))][-6:]
    ['balancer_v3', 'curve_factory', 'curve_crypto_factory', 'curve_stable_ng_factory', \
'curve_twocrypto_ng_factory', 'curve_tricrypto_ng_factory']
    """
    sources = [
        PoolSource(factory.name, SourceKind(factory.kind), factory.address, factory)
        for factory in network.factories
    ]
    sources.append(PoolSource("uniswap_v4", SourceKind.UNISWAP_V4, network.pool_manager.address))
    sources.append(PoolSource("balancer_v2", SourceKind.BALANCER_V2, network.vault.address))
    if network.vault_v3 is not None:
        sources.append(PoolSource("balancer_v3", SourceKind.BALANCER_V3, network.vault_v3.address))
    sources.extend(
        PoolSource(f"curve_{registry.name}", SourceKind.CURVE, registry.address)
        for registry in network.curve_factories
    )
    return tuple(sources)


def chosen_sources(network: Network, names: tuple[str, ...]) -> tuple[PoolSource, ...]:
    """Return the sources of these names, in the order of the facts; all if none is named.

    Raises
    ------
    InputError
        If the chain has none of a name; the message lists those there are.
    """
    sources = sources_of(network)
    known = {source.name for source in sources}
    for name in names:
        if name not in known:
            raise InputError(
                f"{network.name} has no factory {name!r}; there are {', '.join(sorted(known))}",
                chain=network.name,
                factory=name,
            )
    return tuple(source for source in sources if not names or source.name in names)


def out_of_reach(source: PoolSource) -> Refusal | None:
    """Return why no pool of a source can be traded here, or ``None``.

    Examples
    --------
    >>> str(out_of_reach(PoolSource("camelot_v3", SourceKind.ALGEBRA_DIRECTIONAL, "0xf")))
    'family_not_supported: the fee of camelot_v3 depends on the direction, which no family here models'
    """
    if source.kind is SourceKind.ALGEBRA_DIRECTIONAL:
        detail = f"the fee of {source.name} depends on the direction, which no family here models"
        return Refusal(Reason.FAMILY_NOT_SUPPORTED, detail)
    if source.is_registry and source.name not in CURVE_TEMPLATE_REGISTRIES + CURVE_NG_REGISTRIES:
        detail = f"{source.name} lists Curve's crypto pools, which no family here models"
        return Refusal(Reason.FAMILY_NOT_SUPPORTED, detail)
    return None
