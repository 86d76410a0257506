"""Verification where the node lags behind what it announces, or knows nothing of the past."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from chain.networks import load_network
from chain.providers import Provider
from core.errors import MarketError
from core.seams import SystemClock
from market.life import PoolLife
from pipeline import verification
from pipeline.verification import Verification, verify_pools
from tests.devnet_fixtures import Devnet
from tests.pyrevm_node import specs_of, tokens_of


class Lagging(Provider):
    """A node that does not serve the newest block the first times it is asked for it."""

    lacks = 3

    async def call(self, method: str, params: Sequence[Any]) -> Any:
        if method == "eth_getBlockByHash" and self.lacks:
            self.lacks -= 1
            return None
        return await super().call(method, params)

    async def batch(self, requests: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        answers = await super().batch(requests)
        if self.lacks and requests[0][0] == "eth_getBlockByNumber":
            self.lacks -= 1
            answers[-1] = None
        return answers


async def verified(node: Provider, devnet: Devnet, depth: int = 4) -> Verification:
    specs, tokens = specs_of(devnet.world), tokens_of(devnet.world)
    return await verify_pools(node, load_network("ethereum"), specs, tokens, SystemClock(), depth=depth)


async def test_a_node_that_lags_behind_what_it_announces_is_waited_for(devnet: Devnet) -> None:
    async with Lagging(devnet.anvil.http_url) as node:
        outcome = await verified(node, devnet)
        assert node.lacks < Lagging.lacks
    assert {at.life for at in outcome.standings.values()} == {PoolLife.LIVE}


async def test_a_market_of_which_nothing_can_be_read_is_told_in_one_error(devnet: Devnet) -> None:
    async with Provider(devnet.anvil.http_url) as node:
        with pytest.raises(MarketError, match="none of these pools could be read"):
            await verified(node, devnet, depth=10**6)  # before anything was deployed


async def test_the_bar_is_told_how_many_pools_were_read_so_far(
    devnet: Devnet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "_POOLS_AT_ONCE", 4)
    specs, tokens = specs_of(devnet.world), tokens_of(devnet.world)
    done: list[int] = []
    async with Provider(devnet.anvil.http_url) as node:
        network = load_network("ethereum")
        await verify_pools(node, network, specs, tokens, SystemClock(), depth=1, advance=done.append)
    assert done == [*range(4, len(specs), 4), len(specs)]
