"""Contracts whose calldata we understand: routers with their factories, and the pools themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from chain.blocks import Address
from chain.network_facts import Factory
from chain.pool_addresses import pool_address
from core.errors import InputError
from core.reasons import Reason, Refusal
from market.pending.calldata import NotDecoded, undecodable
from market.pending.intents import IntendedHop, Step
from market.pools.spec import PoolSpec


class RouterKind(StrEnum):
    """Families of routers; each has a decoder of its own."""

    V2_ROUTER = "v2_router"
    V3_ROUTER = "v3_router"
    SWAP_ROUTER_02 = "swap_router_02"
    UNIVERSAL_ROUTER = "universal_router"
    VAULT = "vault"


@dataclass(frozen=True, slots=True)
class Router:
    """A router, and what it derives its pools from.

    Parameters
    ----------
    kind
        Decides the decoder.
    address
        Lowercase.
    wrapped_native
        Token that it wraps the coin into.
    v2_factory, v3_factory
        Where its pairs and pools come from; ``None`` if it does not trade them.
    pool_manager
        Uniswap V4's singleton, if it trades there; empty otherwise.
    """

    kind: RouterKind
    address: Address
    wrapped_native: Address
    v2_factory: Factory | None = None
    v3_factory: Factory | None = None
    pool_manager: Address = ""

    def pairs(self, tokens: Sequence[Address]) -> tuple[IntendedHop, ...]:
        """Return the V2 pairs along a path of tokens.

        Raises
        ------
        NotDecoded
            If the path is too short or repeats a token, or the router trades no pairs.
        """
        return self._hops(self.v2_factory, tokens, [None] * (len(tokens) - 1))

    def pools(self, tokens: Sequence[Address], fees_ppm: Sequence[int]) -> tuple[IntendedHop, ...]:
        """Return the V3 pools along a path of tokens, with the fee tiers between them in ppm.

        Raises
        ------
        NotDecoded
            If the path is too short or repeats a token, or the router trades no such pools.
        """
        return self._hops(self.v3_factory, tokens, fees_ppm)

    def _hops(
        self, factory: Factory | None, tokens: Sequence[Address], fees: Sequence[int | None]
    ) -> tuple[IntendedHop, ...]:
        if factory is None or len(tokens) < 2:
            raise undecodable("the path has no pool that this router trades")
        try:
            return tuple(
                IntendedHop(pool_address(factory, token_in, token_out, fee_ppm=fee), token_in, token_out)
                for token_in, token_out, fee in zip(tokens[:-1], tokens[1:], fees, strict=True)
            )
        except InputError as error:
            raise undecodable(error.message) from None


class Call(NamedTuple):
    """A call as a decoder takes it: who calls, with how much wei, and the calldata."""

    sender: Address
    value: int
    data: bytes


Reader = Callable[[Router, Call], tuple[Step, ...]]
"""Reads one function of a router."""


def reader_of(functions: Mapping[bytes, Reader], call: Call) -> Reader:
    """Return what reads the function that is called.

    Raises
    ------
    NotDecoded
        If the function is not among them.
    """
    reader = functions.get(call.data[:4])
    if reader is None:
        raise unknown_call(call)
    return reader


def unknown_call(call: Call) -> NotDecoded:
    """Return the error of a function that is no swap, or not known."""
    detail = f"function 0x{call.data[:4].hex()} is no swap that we know"
    return NotDecoded(Refusal(Reason.PENDING_UNKNOWN_CALL, detail))


@dataclass(frozen=True, slots=True)
class Targets:
    """Every contract that a pending transaction may call and be understood.

    Parameters
    ----------
    routers
        By address.
    pools
        Followed pools that can be called directly, by address.
    """

    routers: Mapping[Address, Router]
    pools: Mapping[Address, PoolSpec] = field(default_factory=dict)

    @classmethod
    def of(cls, routers: Iterable[Router], specs: Iterable[PoolSpec]) -> Targets:
        """Return targets for routers and for those pools that have an address of their own."""
        own = {spec.address: spec for spec in specs if spec.address == spec.pool_id}
        return cls({router.address: router for router in routers}, own)
