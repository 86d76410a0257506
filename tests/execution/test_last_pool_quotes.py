"""A route that its last pool funds pays what our integers said, whatever state the market is in."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st

from chain.devnet.backend import PyrevmBackend
from chain.devnet.liquidity import PER_ETHER
from chain.devnet.world import build_world
from core.errors import SwapRefused
from execution.command import Funding
from execution.encode import encode_execute
from execution.flash import choose_funding
from market.state import MarketState
from pipeline.bootstrap import load_market
from scoring.cycles import Edge
from scoring.exact import profit_of, run_forward
from scoring.opportunity import Hop, Opportunity
from tests.executor_stage import ETHER, Stage, add_pair, make_stage
from tests.pyrevm_node import PyrevmNode, specs_of, tokens_of

ROUTES = [
    ("balancer_v2/DAI", "uniswap_v2/DAI"),
    ("balancer_v2/DAI", "uniswap_v3/DAI"),
    ("balancer_v2/DAI", "uniswap_v2/DAI-USDC", "uniswap_v2/USDC"),
    ("balancer_v2/DAI", "uniswap_v2/DAI-USDC", "uniswap_v3/USDC/500"),
    ("balancer_v2/DAI", "uniswap_v3/DAI", "uniswap_v3/USDC/500", "sushiswap/USDC"),
]
AMOUNTS = st.integers(1, 14_000)
"""Hundredths of an ether, or its worth; a weighted pool takes less than a third of what it holds."""
SOLD = ["uniswap_v2/DAI", "uniswap_v3/DAI", "balancer_v2/DAI", "uniswap_v2/USDC", "uniswap_v3/USDC/500"]


@dataclass
class Market:
    """Contracts in this process, and our state that follows them by their logs."""

    stage: Stage
    node: PyrevmNode
    state: MarketState

    @contextmanager
    def moved(self, sales: list[tuple[str, str, int]]) -> Iterator[None]:
        """Let traders sell, and take it all back afterwards."""
        number = self.stage.number
        try:
            with self.stage.undone():
                for name, symbol, share in sales:
                    receipt = self.stage.sell(name, symbol, share * PER_ETHER[symbol] // 100)
                    self.state.apply(self.node.block(receipt))
                yield
        finally:
            self.state.rollback(number)

    def quote(self, route: tuple[str, ...], amount_in: int) -> tuple[Hop, ...]:
        bare = self.stage.opportunity(route, amount_in).hops
        edges = [Edge(hop.pool_id, hop.token_in, hop.token_out) for hop in bare]
        return run_forward(self.state.pools, edges, amount_in)


@pytest.fixture(scope="module")
def market() -> Market:
    backend = PyrevmBackend()
    stage = make_stage(backend, build_world(backend))
    add_pair(stage, "DAI", "USDC", worth=1_500)
    node = PyrevmNode(backend)
    state = asyncio.run(load_market(node, specs_of(stage.world), tokens_of(stage.world)))
    return Market(stage, node, state)


@st.composite
def sales(draw: st.DrawFn) -> tuple[str, str, int]:
    name = draw(st.sampled_from(SOLD))
    symbol = draw(st.sampled_from(["WETH", name.split("/")[1]]))
    return name, symbol, draw(AMOUNTS)


@given(
    moves=st.lists(sales(), max_size=4),
    gap=AMOUNTS,
    route=st.sampled_from(ROUTES),
    amount_in=st.integers(10**12, 10 * ETHER) | st.integers(10**12, 200 * ETHER),
)
def test_the_contract_keeps_exactly_the_quoted_profit_or_says_by_how_much_it_loses(
    market: Market, moves: list[tuple[str, str, int]], gap: int, route: tuple[str, ...], amount_in: int
) -> None:
    stage = market.stage
    with market.moved([*moves, (route[-1], "WETH", gap)]):
        try:
            hops = market.quote(route, amount_in)
        except SwapRefused:
            assume(False)
        profit = profit_of(hops)
        opportunity = found(stage, route, hops)
        assert choose_funding(opportunity, stage.specs, 10**24) is Funding.LAST_POOL
        data = encode_execute(
            opportunity,
            stage.specs,
            funding=Funding.LAST_POOL,
            min_profit=max(profit, 0),
            bid=0,
            target_block=stage.number + 1,
        )
        event("gains" if profit >= 0 else "loses")
        if profit < 0:
            lost = f"RouteLoses(amountOut={hops[-1].amount_out}, owed={amount_in})"
            assert stage.reason(stage.operator, data) == lost
            return
        assert stage.send(stage.operator, data).ok
        assert [stage.held(symbol) for symbol in ("WETH", "DAI", "USDC")] == [profit, 0, 0]


def found(stage: Stage, route: tuple[str, ...], hops: tuple[Hop, ...]) -> Opportunity:
    bare = stage.opportunity(route, hops[0].amount_in)
    return replace(bare, hops=hops, amount_out=hops[-1].amount_out, gross_profit=profit_of(hops))
