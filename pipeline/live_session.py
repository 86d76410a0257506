"""Everything that is open while a chain is followed: node, relays, keys, journal, feed, market."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

import httpx
import structlog

from chain.blocks import BlockHeader
from chain.devnet.artifacts import load_artifact
from chain.multicall import Multicall
from chain.providers import Provider
from chain.signers import FlashbotsIdentity, Wallet
from chain.websocket_feed import WebSocketFeed
from core.database import open_database
from core.reasons import Reason
from core.seams import Clock, Ids
from core.secrets import KeySource, PrivateKey, check_separate, load_key
from execution.journal import Journal
from execution.relays.client import BundleSender, RelayClient
from execution.risk.checks import standard_chain
from features.registry import MARKET
from market.advance import listens_to
from models.bidding import BidModel
from pipeline.accounting import BALANCE_OF
from pipeline.bid_book import BidBook
from pipeline.bootstrap import load_market
from pipeline.keeper import MarketKeeper
from pipeline.live_config import KEYSTORE_PASSWORD_VARIABLE, LiveConfig
from pipeline.loop import BlockWalk
from pipeline.trader import Desk, Trader

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LiveSession:
    """Open connections and the state built on them; made by :func:`open_session`."""

    config: LiveConfig
    chain: Provider
    relay: Provider
    sender: BundleSender
    journal: Journal
    feed: WebSocketFeed
    keeper: MarketKeeper
    walk: BlockWalk
    trader: Trader
    book: BidBook

    @property
    def head(self) -> BlockHeader:
        """Header of the newest block the market knows."""
        head = self.walk.state.head
        assert head is not None
        return head

    async def refresh(self) -> None:
        """Ask what the next block's event path needs and has no time to ask for.

        The newest state is asked for: a node that was restarted may have lost those before.
        """
        call = {
            "to": self.config.wrapped_native,
            "data": BALANCE_OF + self.config.vault[2:].rjust(64, "0"),
        }
        self.trader.vault_balance = int(await self.chain.call("eth_call", [call, "latest"]), 16)

    async def answer(self, number: int) -> None:
        """Tell a lock-step chain that this block has been dealt with."""
        if self.config.agent:
            await self.relay.call("devnet_answer", [{"name": self.config.agent, "blockNumber": number}])


@asynccontextmanager
async def open_session(
    config: LiveConfig, bids: BidModel, clock: Clock, refusals: Counter[Reason]
) -> AsyncIterator[LiveSession]:
    """Register with a lock-step chain, open everything, settle what an earlier run left open.

    Parameters
    ----------
    config
        What to follow and how.
    bids
        What inclusion is worth; learns from what is settled.
    clock
        Seam.
    refusals
        Where reasons against candidates are counted.

    Raises
    ------
    SecretError
        If a key is missing, or one key is used for two purposes.
    RpcError
        If the node or the relay does not answer.
    """
    wallet_key, flashbots_key = _keys(config)
    async with AsyncExitStack() as stack:
        chain = await stack.enter_async_context(
            Provider(config.http_url, timeout_seconds=config.node_timeout_s)
        )
        relay = await stack.enter_async_context(Provider(config.relay_urls[0]))
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=config.relay_timeout_s))
        engine = await asyncio.to_thread(open_database, config.journal_url)
        stack.callback(engine.dispose)
        journal = Journal(engine, clock)
        keeper = await _load_market(config, chain, await _first_block(config, relay))
        walk = await _walk(config, keeper)
        feed = await stack.enter_async_context(_feed(config, chain, clock, walk))
        ids = Ids(await asyncio.to_thread(journal.id_counts))
        desk = _desk(config, Wallet(wallet_key))
        session = LiveSession(
            config=config,
            chain=chain,
            relay=relay,
            sender=_sender(config, flashbots_key, http),
            journal=journal,
            feed=feed,
            keeper=keeper,
            walk=walk,
            trader=Trader(desk, chain, standard_chain(config.limits), bids, ids, clock, refusals),
            book=_book(config, journal, bids, chain, desk),
        )
        await session.book.take_over(session.head.number)
        yield session


async def _first_block(config: LiveConfig, relay: Provider) -> int | str:
    """Return the block to load the market at.

    A lock-step chain goes on to the next block as soon as we have registered and then waits for
    our answer, so the market is that of the block it names, however long loading takes.
    """
    if not config.agent:
        return "latest"
    return int((await relay.call("devnet_register", [{"name": config.agent}]))["head"])


async def _load_market(config: LiveConfig, chain: Provider, block: int | str) -> MarketKeeper:
    tokens = {token.address: token for token in config.tokens}
    together = Multicall(config.multicall) if config.multicall else None
    return MarketKeeper(await load_market(chain, config.specs, tokens, block, together), chain, together)


async def _walk(config: LiveConfig, keeper: MarketKeeper) -> BlockWalk:
    # a large market takes a while to get ready; whoever asks for the status is answered meanwhile
    walk = await asyncio.to_thread(
        partial(BlockWalk, keeper=keeper, features=MARKET),
        keeper.state,
        config.specs,
        config.wrapped_native,
        config.max_hops,
    )
    log.info("scorer chosen", scorer=walk.scored_by.name, why=walk.scored_by.why)
    return walk


def _sender(config: LiveConfig, key: PrivateKey, http: httpx.AsyncClient) -> BundleSender:
    identity = FlashbotsIdentity(key)
    return BundleSender([RelayClient(url, identity, http) for url in config.relay_urls])


def _book(config: LiveConfig, journal: Journal, bids: BidModel, chain: Provider, desk: Desk) -> BidBook:
    return BidBook(
        journal,
        bids,
        chain,
        desk.specs,
        executor=config.executor,
        wrapped_native=config.wrapped_native,
    )


def _feed(config: LiveConfig, chain: Provider, clock: Clock, walk: BlockWalk) -> WebSocketFeed:
    pools = walk.state.pools.values()
    addresses = sorted({address for pool in pools for address in listens_to(pool.spec)})
    return WebSocketFeed(config.ws_url, chain, addresses, clock, after=walk.state.head)


def _keys(config: LiveConfig) -> tuple[PrivateKey, PrivateKey]:
    wallet, flashbots = (
        load_key(KeySource(keystore, KEYSTORE_PASSWORD_VARIABLE), os.environ)
        for keystore in (config.wallet_keystore, config.flashbots_keystore)
    )
    check_separate(wallet, flashbots)
    return wallet, flashbots


def _desk(config: LiveConfig, wallet: Wallet) -> Desk:
    return Desk(
        wallet=wallet,
        executor=config.executor,
        wrapped_native=config.wrapped_native,
        abi=load_artifact("OmniArbExecutor").abi,
        specs={spec.pool_id: spec for spec in config.specs},
        chain_id=config.chain_id,
        block_time=config.block_time,
        max_slippage_ppm=config.limits.max_slippage_ppm,
    )
