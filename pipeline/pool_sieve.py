"""Sift pools that were announced: what they are, what lies in them, whether they answer as they should.

Cheap questions come first, and a pool that one of them refuses is asked no other. They are asked at a
recent block, whatever block announced the pool: what counts is what it holds now.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from chain.asking import ask_all
from chain.blocks import Address, BlockHeader
from chain.log_limits import Limit, limit_of
from chain.multicall import Multicall
from chain.networks import Network
from chain.providers import Node
from chain.questions import Reading
from core.errors import MarketError, RpcError
from core.reasons import Reason, Refusal
from market.discovery.liquidity import Reserves, dust_refusal, hub_refusal, hub_reserves
from market.discovery.listings import Listing
from market.discovery.sources import sources_of
from market.discovery.terms import completed
from market.discovery.token_facts import token_facts
from market.plausibility.judgement import judge
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from market.pools.uniswap_v4 import NATIVE
from market.readings import reading_of
from market.tokens import Token
from pipeline.pool_rows import TokenFact

ReadPool = Callable[[PoolSpec, Mapping[Address, Token], int], Reading[Pool]]
"""Reads a pool's whole state: description, its tokens, time of the block."""
Judge = Callable[[Pool], Refusal | None]
"""Says why a pool is not to be kept, judging by its state, or ``None``."""

T = TypeVar("T")
_DEAD = (Reason.ZERO_LIQUIDITY, Reason.ONE_SIDED)


def cannot_trade(pool: Pool) -> Refusal | None:
    """Return why a pool gives nothing for a token of its own, ``None`` if it trades them all.

    Whether its prices are anybody else's takes the whole market to tell, and is not looked at.
    """
    refusal = judge([pool], {}).refused.get(pool.pool_id)
    return refusal if refusal is not None and refusal.reason in _DEAD else None


@dataclass(frozen=True, slots=True)
class Sifted:
    """The listings, in their order and complete as far as they were looked at, and what tokens told."""

    listings: tuple[Listing, ...]
    tokens: Mapping[Address, TokenFact]


class PoolSieve:
    """Looks at pools of one chain.

    Parameters
    ----------
    node
        Whom to ask.
    network
        The chain's facts; tokens that they know are not asked.
    least
        Raw units of every hub token below which a pool is dust.
    read_pool
        How a pool's state is read; a pool that it does not understand is refused.
    is_refused
        What is thought of that state; by default that it must trade in both directions.
    """

    def __init__(
        self,
        node: Node,
        network: Network,
        least: Reserves,
        read_pool: ReadPool = reading_of,
        is_refused: Judge = cannot_trade,
    ) -> None:
        self._node = node
        self._least = least
        self._read_pool = read_pool
        self._is_refused = is_refused
        self._weth = network.weth
        self._multicall = Multicall(network.multicall3.address)
        self._sources = {source.name: source for source in sources_of(network)}
        self._facts: dict[Address, Token] = {
            token.address: Token(token.address, token.symbol, token.decimals)
            for token in (network.wrapped_native, *network.tokens)
        }
        self._facts[NATIVE] = Token(NATIVE, network.native.symbol, network.native.decimals)

    async def sift(
        self, listings: Sequence[Listing], known: Mapping[Address, TokenFact], at: BlockHeader
    ) -> Sifted:
        """Look at pools, at one block.

        Parameters
        ----------
        listings
            As announced; those that are refused already are left as they are.
        known
            Tokens that need not be asked.
        at
            Block whose state is read.

        Raises
        ------
        RpcError
            If the node does not answer, or refuses what it should not.
        """
        sifted = list(listings)
        await self._each(sifted, self._terms, _with_terms, at)
        _refuse(sifted, lambda spec: hub_refusal(spec, self._least))
        await self._each(sifted, lambda spec: hub_reserves(spec, self._least), self._with_reserves, at)
        tokens = await self._tokens(sifted, known, at)
        _refuse(sifted, lambda spec: _token_refusal(spec, tokens))
        usable = {address: fact for address, fact in tokens.items() if isinstance(fact, Token)}
        await self._each(
            sifted, lambda spec: self._read_pool(spec, usable, at.timestamp), self._with_state, at
        )
        return Sifted(tuple(sifted), {each: fact for each, fact in tokens.items() if _is_lasting(fact)})

    def _terms(self, spec: PoolSpec) -> Reading[PoolSpec | Refusal]:
        source = self._sources.get(spec.venue)
        if source is None:  # the facts have changed since the pool was recorded
            return Refusal(Reason.FAMILY_NOT_SUPPORTED, f"the chain's facts name no {spec.venue!r}")
        return (yield from completed(source, spec))

    def _with_reserves(self, listing: Listing, reserves: Reserves) -> Listing:
        return replace(listing, refusal=dust_refusal(reserves, self._least))

    def _with_state(self, listing: Listing, pool: Pool) -> Listing:
        """Keep the description that the state has: it holds what could only be read, such as fees."""
        return replace(listing, spec=pool.spec, refusal=self._is_refused(pool))

    async def _tokens(
        self, listings: Sequence[Listing], known: Mapping[Address, TokenFact], at: BlockHeader
    ) -> dict[Address, TokenFact]:
        """Return what is known of every token of the pools that are left, after asking for the rest."""
        wanted = sorted({token for each in listings if each.refusal is None for token in each.spec.tokens})
        facts: dict[Address, TokenFact] = {**known, **self._facts}
        asked = [token for token in wanted if token not in facts]
        answers = await self._asked([token_facts(token) for token in asked], at)
        for token, answer in zip(asked, answers, strict=True):
            facts[token] = _unreadable(answer) if isinstance(answer, MarketError | RpcError) else answer
        return {token: facts[token] for token in wanted}

    async def _each(
        self,
        listings: list[Listing],
        read: Callable[[PoolSpec], Reading[T]],
        settle: Callable[[Listing, T], Listing],
        at: BlockHeader,
    ) -> None:
        """Replace every listing that is not refused by what its reading makes of it."""
        places = [place for place, listing in enumerate(listings) if listing.refusal is None]
        answers = await self._asked([read(listings[place].spec) for place in places], at)
        for place, answer in zip(places, answers, strict=True):
            if isinstance(answer, MarketError | RpcError):
                listings[place] = replace(listings[place], refusal=_unreadable(answer))
            else:
                listings[place] = settle(listings[place], answer)

    async def _asked(
        self, readings: Sequence[Reading[T]], at: BlockHeader
    ) -> list[T | MarketError | RpcError]:
        """Carry out readings; whether a refusal is the node's or a contract's, a harmless call tells.

        A contract can make a node give up in ways that it does not call a revert. That must not stop
        the discovery of all others; a node that refuses everything must.
        """
        answers = await ask_all(self._node, readings, hex(at.number), self._multicall)
        refused = next((answer for answer in answers if isinstance(answer, RpcError)), None)
        if refused is not None:
            if limit_of(refused) is Limit.SLOWER:
                raise refused
            await self._node.call("eth_call", [{"to": self._weth, "data": "0x313ce567"}, hex(at.number)])
        return answers


def _with_terms(listing: Listing, terms: PoolSpec | Refusal) -> Listing:
    if isinstance(terms, Refusal):
        return replace(listing, refusal=terms)
    return replace(listing, spec=terms)


def _refuse(listings: list[Listing], reason: Callable[[PoolSpec], Refusal | None]) -> None:
    for place, listing in enumerate(listings):
        if listing.refusal is None:
            listings[place] = replace(listing, refusal=reason(listing.spec))


def _token_refusal(spec: PoolSpec, tokens: Mapping[Address, TokenFact]) -> Refusal | None:
    facts = (tokens[token] for token in spec.tokens)
    return next((fact for fact in facts if isinstance(fact, Refusal)), None)


def _is_lasting(fact: TokenFact) -> bool:
    """Tell whether a token need not be asked again, as one must that the node gave up on."""
    return isinstance(fact, Token) or fact.reason is not Reason.POOL_UNREADABLE


def _unreadable(error: MarketError | RpcError) -> Refusal:
    reason = error.fields.get("reason")
    return Refusal(reason if isinstance(reason, Reason) else Reason.POOL_UNREADABLE, error.message)
