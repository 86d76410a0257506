"""A market that is seen by the feature stream and by the recorder of facts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hypothesis import strategies as st

from chain.blocks import Address, Block
from features.facts import FactColumns, FactRecorder
from features.feature import FeatureRow
from features.feature_set import FeatureSet
from features.groups.cycle import Cycle, couples
from features.groups.group import Pending
from features.registry import MARKET
from features.stream import FeatureStream
from market.context import BlockContext, Candle
from market.pools.spec import PoolSpec
from market.state import MarketState
from market.tokens import Token
from tests.random_blocks import TOKENS, A, B, C, RandomChain, moves

prices = st.floats(0.5, 2)
candles = st.builds(Candle, st.just("ETHUSDT"), st.integers(1000, 1200), *[prices] * 4, st.floats(0, 1e6))
contexts = st.builds(
    BlockContext,
    candle=st.none() | candles,
    winning_bid=st.none() | st.integers(0, 10**20),
    builder=st.none() | st.sampled_from("abc"),
)
ethers = st.integers(0, 10**20)
pendings = st.none() | st.builds(Pending, st.integers(0, 50), ethers, ethers)
steps = st.tuples(moves, contexts, pendings)

SPECS = tuple(pool.spec for pool in RandomChain().followed())
TRIANGLE = Cycle.through(((SPECS[0], A, B), (SPECS[2], B, C), (SPECS[6], C, A)))
CYCLES = (*couples(SPECS)[:3], TRIANGLE)


class Watched:
    """Rows of blocks and of cycles, and the facts they are made of."""

    def __init__(
        self,
        state: MarketState,
        tokens: Mapping[Address, Token],
        specs: Iterable[PoolSpec],
        features: FeatureSet = MARKET,
        cycles: tuple[Cycle, ...] = (),
    ) -> None:
        specs = tuple(specs)
        self.state, self.cycles = state, cycles
        self.stream = FeatureStream(tokens, specs, features, cycles)
        self.recorder = FactRecorder(tokens, specs)
        self.rows: list[FeatureRow] = []
        self.cycle_rows: list[tuple[FeatureRow, ...]] = []

    def see(self, block: Block, context: BlockContext, pending: Pending | None = None) -> FeatureRow:
        applied = self.state.apply(block)
        self.rows.append(self.stream.update(block, context, self.state, applied, pending))
        self.cycle_rows.append(self.stream.cycle_rows)
        self.recorder.add(block, context, state=self.state, applied=applied, pending=pending)
        return self.rows[-1]

    @property
    def facts(self) -> FactColumns:
        return self.recorder.columns()


def watch(chosen: Iterable[Any], features: FeatureSet = MARKET, cycles: tuple[Cycle, ...] = ()) -> Watched:
    """Return a random chain's market after some steps."""
    chain = RandomChain()
    watched = Watched(chain.state(), TOKENS, [pool.spec for pool in chain.followed()], features, cycles)
    for made, context, pending in chosen:
        watched.see(chain.block(made), context, pending)
    return watched
