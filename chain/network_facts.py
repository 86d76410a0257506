"""Kinds of facts about a chain; each one says where it was read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from core.settings import HexAddress, HttpUrl, Whole


def _hash(value: object) -> bytes:
    digits = value.removeprefix("0x") if isinstance(value, str) else ""
    if len(digits) != 64:
        raise ValueError("a hash, 0x and 64 hex digits")
    return bytes.fromhex(digits)


Hash = Annotated[bytes, BeforeValidator(_hash)]
Count = Annotated[Whole, Field(ge=1)]
FactoryKind = Literal[
    "uniswap_v2",
    "camelot_v2",
    "solidly",
    "uniswap_v3",
    "pancake_v3",
    "slipstream",
    "algebra",
    "algebra_directional",
]
_WITH_SPACINGS = ("uniswap_v3", "pancake_v3")
_CLONES = ("solidly", "slipstream")


class Fact(BaseModel):
    """Base of all facts: frozen, complete, nothing unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Sourced(Fact):
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


class KnownToken(WrappedNative):
    """A token that many pools hold; ``stable`` ones follow the dollar."""

    stable: bool


class GasCap(Sourced):
    """Most gas one transaction may use; ``None`` where it is no constant and has to be read."""

    gas: Count | None


class OrderFlow(Sourced):
    """How transactions reach a block before they are in one.

    Parameters
    ----------
    pending
        What can be seen of the next block: the public mempool, parts of the block as they are
        built (flashblocks), the sequencer's feed of what it has ordered, or nothing.
    public_mempool
        Whether transactions gossip before they are mined.
    private
        Ways to send without being seen, in words.
    """

    pending: Literal["public_mempool", "flashblocks", "sequencer_feed", "none"]
    public_mempool: bool
    private: str


class Contract(Sourced):
    """A contract with one address on the chain."""

    address: HexAddress


class NamedContract(Contract):
    """One of several contracts of a kind."""

    name: str


class Factory(NamedContract):
    """A pool factory and what CREATE2 needs to derive its pools' addresses.

    Parameters
    ----------
    kind
        Family of its pools, and how their addresses are derived.
    deployer
        Contract that executes CREATE2 (not the factory in every fork).
    init_code_hash
        keccak256 of the pool's creation code; not for clones, whose code follows from
        ``implementation``.
    implementation
        What clones (EIP-1167) delegate to.
    fee_ppm
        Fee of every pool, where all have the same.
    tick_spacing_by_fee_ppm
        Fee tiers, where these decide the tick spacing.
    """

    kind: FactoryKind
    deployer: HexAddress
    init_code_hash: Hash | None = None
    implementation: HexAddress | None = None
    fee_ppm: Annotated[Whole, Field(gt=0, lt=1_000_000)] | None = None
    tick_spacing_by_fee_ppm: Mapping[int, Count] = {}

    @model_validator(mode="after")
    def _complete_for_its_kind(self) -> Factory:
        if (self.kind == "uniswap_v2") != (self.fee_ppm is not None):
            raise ValueError("fee_ppm for the V2 kind and only there")
        if (self.kind in _WITH_SPACINGS) != bool(self.tick_spacing_by_fee_ppm):
            raise ValueError("tick_spacing_by_fee_ppm for the V3 kinds and only there")
        clone = self.kind in _CLONES
        if clone != (self.implementation is not None) or clone == (self.init_code_hash is not None):
            raise ValueError("implementation for clones (solidly, slipstream), init_code_hash for the others")
        return self


class RelayEndpoint(Sourced):
    """A relay or builder that takes bundles; ``signed`` says it insists on the signature header."""

    name: str
    url: HttpUrl
    signed: bool
