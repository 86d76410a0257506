"""Load the whole market from a node: every pool's state at one block."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from chain.asking import ask_all, at_hash
from chain.blocks import Address, BlockHeader
from chain.multicall import AskableNode, Multicall
from chain.wire import head_from_json
from core.errors import MarketError, RpcError
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from market.readings import reading_of
from market.state import MarketState
from market.tokens import Token


class ReadableNode(AskableNode, Protocol):
    """What loading needs of a node; :class:`chain.providers.Provider` has it."""

    async def call(self, method: str, params: list[Any]) -> Any:
        """Return the result of one request."""
        ...


async def load_market(
    provider: ReadableNode,
    specs: Iterable[PoolSpec],
    tokens: Mapping[Address, Token],
    block: int | str = "latest",
    multicall: Multicall | Address | None = None,
) -> MarketState:
    """Read every pool at one block.

    Parameters
    ----------
    provider
        A node; it must still hold the state of that block.
    specs
        Pools to load, of any family.
    tokens
        Their tokens.
    block
        Height or tag. It is resolved once to a block's hash, so all pools belong to the same block,
        and a reorganisation in between is an error.
    multicall
        Contract that takes many calls at once, see :func:`chain.asking.ask_all`.

    Returns
    -------
    MarketState
        With the block's header as head: the next block applies to it.

    Raises
    ------
    RpcError
        If the node does not answer, or no longer has that block.
    MarketError
        If the block does not exist, or a pool cannot be read; ``fields["pool_id"]`` says which.
    """
    specs = tuple(specs)
    header = await _header(provider, block)
    pools: list[Pool] = []
    for spec, found in zip(specs, await _read(provider, specs, tokens, header, multicall), strict=True):
        if isinstance(found, MarketError | RpcError):
            found.fields.setdefault("pool_id", spec.pool_id)
            raise found
        pools.append(found)
    return MarketState(pools, tokens, header)


async def read_pools(
    provider: AskableNode,
    specs: Iterable[PoolSpec],
    tokens: Mapping[Address, Token],
    header: BlockHeader,
    multicall: Multicall | Address | None = None,
) -> dict[str, Pool | MarketError | RpcError]:
    """Read pools at a block that is known; the error in place of one that cannot be read.

    Returns
    -------
    dict
        By pool id, in the order of ``specs``.

    Raises
    ------
    RpcError
        If the node does not answer at all.
    """
    specs = tuple(specs)
    found = await _read(provider, specs, tokens, header, multicall)
    return {spec.pool_id: pool for spec, pool in zip(specs, found, strict=True)}


async def _read(
    provider: AskableNode,
    specs: Sequence[PoolSpec],
    tokens: Mapping[Address, Token],
    header: BlockHeader,
    multicall: Multicall | Address | None,
) -> list[Pool | MarketError | RpcError]:
    readings = [reading_of(spec, tokens, header.timestamp) for spec in specs]
    return await ask_all(provider, readings, at_hash(header), multicall)


async def _header(provider: ReadableNode, block: int | str) -> BlockHeader:
    tag = hex(block) if isinstance(block, int) else block
    answer = await provider.call("eth_getBlockByNumber", [tag, False])
    if answer is None:
        raise MarketError(f"the node has no block {block}; choose one that exists", block=block)
    return head_from_json(answer).header
