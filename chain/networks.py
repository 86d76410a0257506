"""A chain's fixed facts: ids, block time, contracts and relays, each with its source.

Facts live in ``configs/chains/NAME.json``. What changes on the chain (fees, liquidity) does not.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from chain.blocks import Address
from core.config_loader import ROOT, config_error, explain, read_json
from core.errors import ConfigError
from core.settings import HexAddress, HttpUrl, Whole


def _hash(value: object) -> bytes:
    digits = value.removeprefix("0x") if isinstance(value, str) else ""
    if len(digits) != 64:
        raise ValueError("a hash, 0x and 64 hex digits")
    return bytes.fromhex(digits)


Hash = Annotated[bytes, BeforeValidator(_hash)]
Count = Annotated[Whole, Field(ge=1)]


class _Fact(BaseModel):
    """Base of all facts: frozen, complete, nothing unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Sourced(_Fact):
    """A fact that says where it was read."""

    source: Annotated[str, Field(min_length=1)]


class BlockTime(Sourced):
    """Time between blocks, in seconds."""

    seconds: Annotated[float, Field(gt=0)]


class NativeToken(Sourced):
    """The token that pays for gas."""

    symbol: str
    decimals: Count


class WrappedNative(NativeToken):
    """Its ERC-20 wrapper."""

    address: HexAddress


class GasCap(Sourced):
    """Most gas one transaction may use."""

    gas: Count


class Contract(Sourced):
    """A contract with one address on the chain."""

    address: HexAddress


class Factory(Contract):
    """A pool factory and what CREATE2 needs to derive its pools' addresses.

    Parameters
    ----------
    deployer
        Contract that executes CREATE2 (not the factory in every V3 fork).
    init_code_hash
        keccak256 of the pool's creation code.
    fee_ppm
        Fee of every pool, V2 family only.
    tick_spacing_by_fee_ppm
        V3 family only.
    """

    name: str
    family: Literal["uniswap_v2", "uniswap_v3"]
    deployer: HexAddress
    init_code_hash: Hash
    fee_ppm: Annotated[Whole, Field(gt=0, lt=1_000_000)] | None = None
    tick_spacing_by_fee_ppm: Mapping[int, Count] = {}

    @model_validator(mode="after")
    def _fee_fits_family(self) -> Factory:
        if (self.family == "uniswap_v2") != (self.fee_ppm is not None):
            raise ValueError("fee_ppm for the V2 family and only there")
        if (self.family == "uniswap_v3") != bool(self.tick_spacing_by_fee_ppm):
            raise ValueError("tick_spacing_by_fee_ppm for the V3 family and only there")
        return self


class RelayEndpoint(Sourced):
    """A relay or builder that takes bundles; ``signed`` says it insists on the signature header."""

    name: str
    url: HttpUrl
    signed: bool


class Network(_Fact):
    """Fixed facts of one chain.

    Examples
    --------
    >>> network = load_network("ethereum")
    >>> network.chain_id, network.native_symbol, network.weth
    (1, 'ETH', '0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2')
    """

    name: str
    chain_id: Count
    block_time: BlockTime
    native: NativeToken
    wrapped_native: WrappedNative
    transaction_gas_cap: GasCap
    multicall3: Contract
    vault: Contract
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


def load_network(name: str, folder: Path = ROOT / "configs" / "chains") -> Network:
    """Load a chain's facts from ``folder/name.json``.

    Raises
    ------
    ConfigError
        If there is no such file, or with all its problems in ``fields["problems"]``.
    """
    path = folder / f"{name}.json"
    if not path.is_file():
        names = sorted(file.stem for file in folder.glob("*.json"))
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
