"""Follow a chain live and trade: one loop from a block to signed bytes to a settled bundle.

Per block, in this order: apply and rescore, sign and send (the event path); then settle the
bundle that was for this block, compute features, which are logged and learned from in threads of
their own, ask for a forecast, and answer a lock-step chain. Nothing after the event path can delay
the bundle of the same block.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import structlog

from chain.blocks import Block, BlockHeader
from chain.feeds import patiently
from chain.providers import unreachable
from core.errors import RpcError
from core.reasons import Reason, Refusal
from core.seams import Clock, Randomness, SystemClock
from execution.journal import Journal
from models.bidding import BidModel
from pipeline.accounting import native_wealth
from pipeline.bid_book import BidBook, OpenBundle
from pipeline.live_config import LiveConfig, LiveResult
from pipeline.live_findings import FeatureFindings, LearningFindings
from pipeline.live_rows import LiveRows
from pipeline.live_session import LiveSession, open_session
from pipeline.live_views import shown_opportunity
from pipeline.loop import BlockWalk
from pipeline.outlook import Outlook
from pipeline.trader import Prepared
from scoring.opportunity import Opportunity

US_PER_NS = 1 / 1_000
MEASURED = 8192
"""Times of each stage that are kept, the last ones: more than enough for a 99th percentile."""
log = structlog.get_logger(__name__)


class LiveLoop:
    """Follows a chain for a number of blocks and trades on it.

    Parameters
    ----------
    config
        What to follow and how.
    outlook
        Base-fee forecasts; ``None`` trades without.
    clock
        Seam.
    """

    def __init__(
        self, config: LiveConfig, outlook: Outlook | None = None, clock: Clock | None = None
    ) -> None:
        self._config = config
        self._outlook = outlook
        self._clock = clock or SystemClock()
        self._bids = BidModel(Randomness(config.seed), exploration=config.exploration)
        self._stop = False
        self._head: BlockHeader | None = None
        self._book: BidBook | None = None
        self._rows: LiveRows | None = None
        self._refusals: Counter[Reason] = Counter()
        self._opportunities = 0
        self._sent = 0
        self._followed = 0
        self._latencies: deque[float] = deque(maxlen=MEASURED)
        self._stages: defaultdict[str, deque[float]] = defaultdict(partial(deque, maxlen=MEASURED))
        self._latest: tuple[dict[str, Any], ...] = ()

    async def run(self) -> LiveResult:
        """Follow the chain until the configured number of blocks, or :meth:`stop`.

        While the node is away nothing is traded; the feed goes on where it stopped. A bundle that is
        in the air at the end is waited for.

        Raises
        ------
        OmniArbError
            Whatever ended it: a node that stays away, a journal that cannot be written, a broken invariant.
        """
        config = self._config
        # before the session: a lock-step chain goes on as soon as that is open
        beside = await asyncio.to_thread(_beside, config)
        async with open_session(self._config, self._bids, self._clock, self._refusals) as session:
            self._book = session.book
            self._rows = beside(session.walk)
            start = session.head
            try:
                before, after = await self._follow(session)
            finally:
                found = await asyncio.to_thread(self._rows.close)
            return self._result(session, start.number + 1, before, after, found)

    async def _follow(self, session: LiveSession) -> tuple[int, int]:
        """Follow the chain to the end; return what was owned before and after, wei."""
        config, start = self._config, session.head
        holders = (session.trader.address, config.executor)
        await session.refresh()
        before = await native_wealth(session.chain, holders, config.wrapped_native, start.number)
        async for block in session.feed.blocks():
            await self._on_block(session, block)
            if self._ending and not session.book.in_the_air:
                break
        head = session.head
        after = await patiently(
            partial(native_wealth, session.chain, holders, config.wrapped_native, head.number)
        )
        return before, after

    def stop(self) -> None:
        """End after the block at hand."""
        self._stop = True

    def status(self) -> dict[str, Any]:
        """Return what the loop is doing, in plain types."""
        outlook = self._outlook.latest if self._outlook else None
        bids = self._book.bids if self._book else ()
        verdicts = Counter(bid.settlement.verdict.value for bid in bids)
        return {
            "head": self._head.number if self._head else None,
            "blocks_followed": self._followed,
            "blocks_asked": self._config.blocks,
            "opportunities": self._opportunities,
            "bundles_sent": self._sent,
            "verdicts": dict(verdicts),
            "refusals": {reason.value: count for reason, count in self._refusals.items()},
            "profit_wei": str(sum(bid.settlement.profit for bid in bids)),
            "forecast": asdict(outlook) if outlook is not None else None,
        }

    def opportunities(self) -> list[dict[str, Any]]:
        """Return the opportunities of the latest block, best first; amounts are decimal strings."""
        return list(self._latest)

    @property
    def _ending(self) -> bool:
        return self._stop or self._followed >= self._config.blocks

    async def _on_block(self, session: LiveSession, block: Block) -> None:
        if block.number <= session.head.number:
            await self._forget(session, block.number)
        started = self._clock.monotonic_ns()
        walked = session.walk.advance(block)
        self._stages["score"].append((self._clock.monotonic_ns() - started) * US_PER_NS)
        self._followed += 1
        self._head = block.header
        found = walked.scored.opportunities
        self._opportunities += len(found)
        if not self._ending:
            await self._trade(session, block, found)
        for bid in await session.book.settle(block.number):
            session.trader.observe(bid.settlement)
        self._latest = tuple(shown_opportunity(opportunity) for opportunity in found)
        assert self._rows is not None
        row = self._rows.observe(walked)
        if self._outlook is not None:
            await self._outlook.look(None if isinstance(row, Refusal) else row, block.header)
        await self._compare(session)
        await patiently(session.refresh)
        await self._rows.settle()
        await patiently(partial(session.answer, block.number))

    async def _compare(self, session: LiveSession) -> None:
        """Compare the market with the chain; a node that is away, or past our block, costs a comparison."""
        for arrived in session.feed.overheard():
            session.keeper.heard_late(arrived)
        try:
            await session.keeper.check()
        except RpcError as error:
            reason = Reason.NODE_UNREACHABLE if unreachable(error) else Reason.NODE_REFUSED
            self._refuse(reason, session.head.number, str(error))

    async def _forget(self, session: LiveSession, from_number: int) -> None:
        """Take back what was concluded from blocks that are replaced from this height on."""
        log.warning("chain reorganised", from_block=from_number, head=session.head.number)
        await session.book.reopen(from_number)
        if self._rows is not None:
            self._rows.rollback(from_number - 1)
        if self._outlook is not None:
            self._outlook.rollback(from_number - 1)

    async def _trade(self, session: LiveSession, block: Block, found: Sequence[Opportunity]) -> None:
        newest = session.feed.newest or block.header
        try:
            prepared = await session.trader.prepare(found, newest)
        except RpcError as error:
            # the block's chance is gone; a node that is away is brought back by the feed
            reason = Reason.NODE_UNREACHABLE if unreachable(error) else Reason.NODE_REFUSED
            self._refuse(reason, block.number, str(error))
            return
        if prepared is None:
            return
        self._latencies.append((prepared.signed_ns - block.known_at_ns) * US_PER_NS)
        for stage, microseconds in prepared.stages_us.items():
            self._stages[stage].append(microseconds)
        await asyncio.to_thread(_record, session.journal, prepared)
        sent = await session.sender.send(prepared.bundle)
        accepted = any(result.error is None for result in sent)
        late = all(
            result.error is not None and result.error.fields.get("reason") == Reason.BLOCK_PASSED
            for result in sent
        )
        self._sent += accepted
        if not accepted:
            answers = "; ".join(str(result.error) for result in sent)
            self._refuse(Reason.RELAYS_REFUSED, block.number, answers)
        session.book.add(OpenBundle(prepared.bundle, prepared.decision, accepted, late))

    def _refuse(self, reason: Reason, block_number: int, detail: str) -> None:
        self._refusals[reason] += 1
        log.info("refused", reason=reason.value, block=block_number, detail=detail)

    def _result(
        self,
        session: LiveSession,
        first: int,
        before: int,
        after: int,
        found: tuple[FeatureFindings, LearningFindings],
    ) -> LiveResult:
        counters = session.feed.counters
        return LiveResult(
            first_block=first,
            last_block=session.head.number,
            opportunities=self._opportunities,
            bundles_sent=self._sent,
            bids=session.book.bids,
            refusals=self._refusals,
            balance_before=before,
            balance_after=after,
            latencies_us=tuple(self._latencies),
            stages_us={stage: tuple(values) for stage, values in self._stages.items()},
            prices=session.walk.series.prices(),
            gaps=session.walk.series.gaps(),
            forecasts=self._outlook.calibration() if self._outlook else None,
            feed=asdict(counters),
            pools_compared=session.keeper.compared,
            pools_suspended=session.keeper.counts,
            features=found[0],
            learning=found[1],
        )


def _beside(config: LiveConfig) -> Callable[[BlockWalk], LiveRows]:
    """Return what makes a walk's rows, with everything imported and loaded that it needs.

    Raises
    ------
    ModelError
        If the models that are to go on learning do not load.
    """
    log_type, learning = None, None
    if config.features is not None:
        from pipeline.feature_log import FeatureLog

        log_type = FeatureLog
    if config.learner is not None:
        from pipeline.live_learning import LiveLearning, load_learner

        learning = LiveLearning(load_learner(config.learner), keep=config.learner)

    def rows_of(walk: BlockWalk) -> LiveRows:
        logged = None
        if log_type is not None and config.features is not None:
            logged = log_type(config.features, config.run, walk.state.tokens, walk.specs, config.redis_url)
        return LiveRows(walk, logged, learning)

    return rows_of


def _record(journal: Journal, prepared: Prepared) -> None:
    """Put everything on disk before a byte leaves."""
    journal.record_decision(prepared.decision, prepared.draw)
    journal.record_plan(prepared.plan)
    journal.claim(prepared.bundle)
