"""Ask a node for every price at one block, in one exchange."""

from __future__ import annotations

from chain.asking import ask_all, at_hash
from chain.blocks import BlockHeader
from chain.multicall import AskableNode
from core.reasons import Reason, Refusal
from market.prices.price import Price
from market.prices.registry import PriceRegistry


async def refresh_prices(registry: PriceRegistry, node: AskableNode, header: BlockHeader) -> None:
    """Read all sources at a block; one that fails is refused and disturbs no other.

    Parameters
    ----------
    registry
        Takes the prices over.
    node
        Where to ask; it must hold the state of that block.
    header
        The block.

    Raises
    ------
    RpcError
        If the node does not answer at all; the registry keeps what it has, until that is too old.
    """
    readings = [source.reading(header.timestamp) for source in registry.sources]
    results = await ask_all(node, readings, at_hash(header))
    registry.update(
        [
            result
            if isinstance(result, Price | Refusal)
            else Refusal(Reason.PRICE_UNREADABLE, f"{source.name}: {result}")
            for source, result in zip(registry.sources, results, strict=True)
        ]
    )
