"""Blocks that come and are undone, as a scorer that keeps its results meets them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from market.state import MarketState
from scoring.scorer import Scorer, ScoreResult
from tests.random_blocks import RandomChain, moves

step = st.tuples(moves, st.booleans(), st.integers(0, 3))
"""Moves of a block, whether the scorer is told what it touched, and how many blocks are undone first."""


def rescored(
    state: MarketState, scorer: Scorer, chain: RandomChain, steps: list[Any]
) -> Iterator[tuple[ScoreResult, RandomChain]]:
    """Score once, then after each step yield what the scorer gives, and the chain as it is then."""
    scorer.rescore(state, None, found_at_ns=0)
    forks = [chain.fork()]
    for branch, (chosen, told, undone) in enumerate(steps):
        kept = max(len(forks) - undone, 1)
        moved: tuple[str, ...] = ()
        if kept < len(forks):
            moved = state.rollback(forks[kept - 1].head.number)
            del forks[kept:]
        chain = forks[-1].fork()
        applied = state.apply(chain.block(chosen, branch=branch))
        forks.append(chain)
        yield scorer.rescore(state, (*moved, *applied.touched) if told else (), found_at_ns=branch), chain
