"""A chain's fixed facts: ids, block time, contracts and relays, each with its source.

Facts live in ``configs/chains/NAME.json``. What changes on the chain (fees, liquidity) does not.
"""

from __future__ import annotations

import difflib
from pathlib import Path

from pydantic import ValidationError

from chain.blocks import Address
from chain.network_facts import (
    BlockTime,
    Contract,
    Count,
    Fact,
    Factory,
    GasCap,
    KnownToken,
    NamedContract,
    NativeToken,
    OrderFlow,
    RelayEndpoint,
    WrappedNative,
)
from core.config_loader import ROOT, config_error, explain, read_json
from core.errors import ConfigError

NETWORKS = ROOT / "configs" / "chains"
"""Where the facts lie, one file a chain."""


class Network(Fact):
    """Fixed facts of one chain.

    Parameters
    ----------
    vault, vault_v3, pool_manager
        Balancer V2 and V3 vaults and Uniswap V4's singleton; ``None`` where there is none.
    tokens
        Stablecoins and other tokens that most pools are paired with.
    relays
        Endpoints that take bundles; empty where a transaction can only be sent alone.

    Examples
    --------
    >>> network = load_network("ethereum")
    >>> network.chain_id, network.native_symbol, network.weth
    (1, 'ETH', '0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2')
    """

    name: str
    title: str
    chain_id: Count
    block_time: BlockTime
    native: NativeToken
    wrapped_native: WrappedNative
    transaction_gas_cap: GasCap
    orderflow: OrderFlow
    multicall3: Contract
    vault: Contract
    vault_v3: Contract | None
    pool_manager: Contract
    curve_factories: tuple[NamedContract, ...]
    tokens: tuple[KnownToken, ...]
    factories: tuple[Factory, ...]
    relays: tuple[RelayEndpoint, ...]

    @property
    def native_symbol(self) -> str:
        """Symbol of the token that pays for gas."""
        return self.native.symbol

    @property
    def weth(self) -> Address:
        """Address of the wrapped native token."""
        return self.wrapped_native.address

    @property
    def block_time_seconds(self) -> float:
        """Seconds between blocks."""
        return self.block_time.seconds

    def factory(self, name: str) -> Factory:
        """Return the factory of this name.

        Raises
        ------
        ConfigError
            If the chain has none; the message lists the names there are.
        """
        for factory in self.factories:
            if factory.name == name:
                return factory
        names = ", ".join(factory.name for factory in self.factories)
        raise ConfigError(f"{self.name} has no factory {name!r}; there are {names}", chain=self.name)


def network_names(folder: Path = NETWORKS) -> tuple[str, ...]:
    """Return the chains whose facts there are, in order of the alphabet.

    Examples
    --------
    >>> network_names()
    ('arbitrum', 'base', 'bsc', 'ethereum', 'optimism', 'polygon')
    """
    return tuple(sorted(file.stem for file in folder.glob("*.json")))


def load_network(name: str, folder: Path = NETWORKS) -> Network:
    """Load a chain's facts from ``folder/name.json``.

    Raises
    ------
    ConfigError
        If there is no such file, or with all its problems in ``fields["problems"]``.
    """
    path = folder / f"{name}.json"
    if not path.is_file():
        names = network_names(folder)
        close = difflib.get_close_matches(name, names, 1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(names)}"
        raise ConfigError(f"there is no chain {name!r}; {hint}", path=str(path))
    document, problems = read_json(path)
    try:
        network = Network.model_validate(document)
    except ValidationError as error:
        raise config_error(path, problems + explain(error, Network)) from None
    if problems:
        raise config_error(path, problems)
    return network
