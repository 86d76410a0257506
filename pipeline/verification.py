"""Verify pools against a chain: read some blocks back, followed by their logs, read again, compared.

That proves more than reading once: what a pool's state is, and that its events alone keep it right.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass

from chain.asking import ask_all, at_hash
from chain.blocks import Address, Block, BlockHeader
from chain.feeds import Patience, repaired
from chain.follower import ChainFollower
from chain.multicall import Multicall
from chain.networks import Network
from chain.providers import Node, unreachable
from chain.wire import head_from_json
from core.errors import MarketError, RpcError
from core.reasons import Reason, Refusal
from core.seams import Clock
from execution.token_cache import CachedProber
from market.advance import listens_to
from market.life import PoolLife, Standing
from market.plausibility.judgement import judge
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from market.pools.uniswap_v4 import NATIVE
from market.readings.owned import read_owned
from market.state import MarketState
from market.tokens import Token
from pipeline.bootstrap import read_pools
from pipeline.keeper import MarketKeeper
from pipeline.token_check import TokenCheck, check_tokens

DEPTH = 16
"""Blocks that pools are followed for: nodes that forget old states still hold these."""
_POOLS_AT_ONCE = 200
_PATIENCE_SECONDS = 15.0
"""How long a node may announce heads that it does not serve."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found out about pools.

    Parameters
    ----------
    first, head
        Headers between which they were followed.
    pools
        State at the head of those that could be read.
    standings
        Where each pool is in its life: live if it was found right and is plausible.
    events
        Events that were applied on the way.
    tokens
        How the tokens of pools that were found right behave.
    """

    first: BlockHeader
    head: BlockHeader
    pools: Mapping[str, Pool]
    standings: Mapping[str, Standing]
    events: int
    tokens: TokenCheck


async def verify_pools(
    node: Node,
    network: Network,
    specs: Sequence[PoolSpec],
    tokens: Mapping[Address, Token],
    clock: Clock,
    *,
    prober: CachedProber | None = None,
    depth: int = DEPTH,
    advance: Callable[[int], None] = lambda _: None,
) -> Verification:
    """Read pools, follow them, and compare them with the chain.

    Parameters
    ----------
    node
        A node of the chain that still holds the state ``depth`` blocks back.
    network
        Its facts: wrapped native token, where Multicall3 is.
    specs, tokens
        The pools, and all their tokens.
    clock
        Stamps blocks.
    prober
        Tries the tokens of pools that are right; without one they are not tried.
    depth
        Blocks to follow for.
    advance
        Told how many pools were read.

    Raises
    ------
    RpcError
        If the node does not answer, or no longer holds the state.
    FeedError
        If the chain is reorganised below the first block meanwhile.
    """
    head = await _header(node, "latest")
    first = await _header(node, hex(max(head.number - depth, 0)))
    together = Multicall(network.multicall3.address)
    pools, standings = await _read(node, specs, tokens, first, together, advance)
    state = MarketState(pools, tokens, first)
    keeper = MarketKeeper(state, node, together, sample=len(pools))
    events = await _follow(node, keeper, clock)
    await keeper.check()
    standings |= {pool.pool_id: keeper.roster.standing(pool.pool_id) for pool in pools}
    newest = state.head or first
    await _judge(node, state, network, standings, newest, together)
    right = [state.pools[pool_id] for pool_id, at in standings.items() if at.life is PoolLife.LIVE]
    tried = TokenCheck() if prober is None else await check_tokens(prober, network, right, newest.number)
    _quarantine(standings, {pool.pool_id: tried.refusal(pool.tokens) for pool in right}, newest.number)
    return Verification(first, newest, dict(state.pools), standings, events, tried)


async def _read(
    node: Node,
    specs: Sequence[PoolSpec],
    tokens: Mapping[Address, Token],
    first: BlockHeader,
    together: Multicall,
    advance: Callable[[int], None],
) -> tuple[list[Pool], dict[str, Standing]]:
    """Read all pools at one block; those that cannot be read stay in quarantine."""
    pools: list[Pool] = []
    standings: dict[str, Standing] = {}
    for start in range(0, len(specs), _POOLS_AT_ONCE):
        part = specs[start : start + _POOLS_AT_ONCE]
        for pool_id, found in (await read_pools(node, part, tokens, first, together)).items():
            if isinstance(found, RpcError) and unreachable(found):
                raise found
            if isinstance(found, MarketError | RpcError):
                standings[pool_id] = _quarantined(
                    Refusal(Reason.POOL_UNREADABLE, found.message), first.number
                )
            else:
                pools.append(found)
        advance(start + len(part))
    if specs and not pools:
        raise MarketError(
            f"none of these pools could be read at block {first.number}; name a node that holds it, "
            f"or a smaller --depth ({next(iter(standings.values())).detail})",
            block=first.number,
        )
    return pools, standings


async def _follow(node: Node, keeper: MarketKeeper, clock: Clock) -> int:
    """Apply every block up to the newest one; return how many events there were."""
    addresses = {address for pool in keeper.state.pools.values() for address in listens_to(pool.spec)}
    follower = ChainFollower(node, sorted(addresses), clock, after=keeper.state.head)
    events = 0

    async def newest() -> AsyncIterator[Block]:
        head = await follower.latest()
        async for block in follower.advance(head):
            yield block

    async for block in repaired(follower, newest, Patience(_PATIENCE_SECONDS)):
        events += len(keeper.apply(block).events)
    return events


async def _judge(
    node: Node,
    state: MarketState,
    network: Network,
    standings: dict[str, Standing],
    head: BlockHeader,
    together: Multicall,
) -> None:
    """Put pools that are right but not plausible back into quarantine."""
    right = [state.pools[pool_id] for pool_id, at in standings.items() if at.life is PoolLife.LIVE]
    owned = await ask_all(node, [read_owned(pool) for pool in right], at_hash(head), together)
    balances = {
        pool.pool_id: found
        for pool, found in zip(right, owned, strict=True)
        if not isinstance(found, MarketError | RpcError)
    }
    prices = {network.weth: 1.0, NATIVE: 1.0}
    _quarantine(standings, judge(right, prices, balances=balances).refused, head.number)


def _quarantine(standings: dict[str, Standing], refused: Mapping[str, Refusal | None], block: int) -> None:
    standings |= {
        pool_id: _quarantined(refusal, block) for pool_id, refusal in refused.items() if refusal is not None
    }


def _quarantined(refusal: Refusal, block: int) -> Standing:
    return Standing(PoolLife.QUARANTINED, refusal.reason, refusal.detail, block)


async def _header(node: Node, block: str) -> BlockHeader:
    answer = await node.call("eth_getBlockByNumber", [block, False])
    if answer is None:
        raise RpcError(
            f"the node has no block {block}; wait until it has caught up",
            method="eth_getBlockByNumber",
            code=0,
            message="no such block",
            data=None,
        )
    return head_from_json(answer).header
