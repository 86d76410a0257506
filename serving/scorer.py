"""The scoring service: what the executor sees just now, or what a market sent to it offers."""

from __future__ import annotations

import asyncio
from typing import Any

from core.errors import InputError, MarketError
from core.logs import set_up_logs
from core.seams import Clock, SystemClock
from scoring.scorer_choice import make_scorer
from serving.executor import ask_executor
from serving.market import opportunity_body, state_from
from serving.schemas import MarketSnapshot, ScoreAnswer

HOPS_AT_MOST = 3
"""Cycles of a posted market are kept short: their number grows with the power of their length."""


class ScoringService:
    """Serve deployment; holds no state of its own."""

    def __init__(self) -> None:
        set_up_logs()

    async def latest(self) -> dict[str, Any]:
        """Return the execution actor's opportunities, best first.

        Raises
        ------
        ServingError
            ``NO_EXECUTOR`` or ``BUSY``.
        """
        return {"opportunities": await ask_executor("opportunities")}

    async def score(self, snapshot: MarketSnapshot) -> ScoreAnswer:
        """Score a market; the work is done on a thread, so other requests go on.

        Raises
        ------
        InputError
            If the market is not possible.
        """
        return await asyncio.to_thread(score_market, snapshot, SystemClock())


def score_market(snapshot: MarketSnapshot, clock: Clock) -> ScoreAnswer:
    """Return the opportunities in a market, best first; nothing is kept.

    Of a market with thousands of cycles they are the best only; the first such market waits for the compiler.

    Raises
    ------
    InputError
        If the market is not possible, or the start token is not among its tokens.
    """
    state = state_from(snapshot)
    if snapshot.start_token not in state.tokens:
        raise InputError(f"start_token {snapshot.start_token} is not among the tokens")
    scorer = make_scorer(state.pools.values(), snapshot.start_token, HOPS_AT_MOST).scorer
    try:
        result = scorer.rescore(state, None, found_at_ns=clock.now_ns())
    except MarketError as error:
        raise InputError(error.message, **error.fields) from error
    return ScoreAnswer(
        block_number=snapshot.block_number,
        opportunities=[opportunity_body(found) for found in result.opportunities],
        refusals={reason.value: count for reason, count in sorted(result.refusals.items())},
    )
