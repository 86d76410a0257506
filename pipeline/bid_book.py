"""What became of our bundles: in the air until their block comes, settled after it.

A settlement belongs to a block. Where that block is replaced, its bundles are in the air again
and what was learned from them is forgotten. What that takes is kept for as long as a block can be replaced.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from analysis.records import SettledBid
from chain.blocks import Address
from chain.feeds import patiently
from core.reasons import Reason
from execution.block_facts import gather_facts
from execution.command import Bundle, Decision
from execution.journal import Journal
from execution.prestate import Rpc
from execution.settlement import settle
from market.pools.spec import PoolSpec
from market.state import JOURNAL_DEPTH
from models.bidding import BidModel


@dataclass(frozen=True, slots=True)
class OpenBundle:
    """A bundle that may have been sent and is not settled.

    Parameters
    ----------
    bundle, decision
        What was signed, and why.
    accepted
        Whether at least one relay took it; a bundle of an earlier run counts as taken.
    late
        Whether every relay said that its block had passed.
    """

    bundle: Bundle
    decision: Decision
    accepted: bool = True
    late: bool = False


@dataclass(frozen=True, slots=True)
class _Settled:
    was: OpenBundle
    block_number: int
    learned_before: Mapping[str, Any]
    """The bid model just before this settlement."""


class BidBook:
    """Keeps our bundles and lets the bid model learn from them.

    Parameters
    ----------
    journal
        Where settlements are recorded.
    model
        Learns who won and at what price.
    rpc
        The node that tells what a block holds.
    specs
        Pools by id.
    executor, wrapped_native
        Our contract, and the token its profits are taken in.
    """

    def __init__(
        self,
        journal: Journal,
        model: BidModel,
        rpc: Rpc,
        specs: Mapping[str, PoolSpec],
        *,
        executor: Address,
        wrapped_native: Address,
    ) -> None:
        self._journal = journal
        self._model = model
        self._rpc = rpc
        self._specs = specs
        self._executor = executor
        self._wrapped_native = wrapped_native
        self._open: list[OpenBundle] = []
        self._bids: list[SettledBid] = []
        self._revocable: deque[_Settled] = deque()

    @property
    def in_the_air(self) -> bool:
        """Whether a bundle waits for its block."""
        return bool(self._open)

    @property
    def bids(self) -> tuple[SettledBid, ...]:
        """Settled bundles, oldest first."""
        return tuple(self._bids)

    def verdicts(self) -> Counter[Reason]:
        """Return how often each verdict was given."""
        return Counter(bid.settlement.verdict for bid in self._bids)

    def add(self, bundle: OpenBundle) -> None:
        """Keep a bundle until its block comes."""
        self._open.append(bundle)

    async def take_over(self, head_number: int) -> None:
        """Take over what an earlier run left unsettled.

        What was for a block up to ``head_number`` is settled at once and belongs to the past: its
        outcome is in the balances this run begins with. The others are waited for.
        """
        for bundle in await asyncio.to_thread(self._journal.unsettled):
            decision = await asyncio.to_thread(self._journal.decision, bundle.decision_id)
            left = OpenBundle(bundle, decision)
            if bundle.target_block > head_number:
                self._open.append(left)
            else:
                await self._judge(left)

    async def settle(self, number: int) -> Sequence[SettledBid]:
        """Settle every bundle whose block has come, and learn from it.

        Parameters
        ----------
        number
            Height of the newest block.

        Raises
        ------
        ExecutionError
            If the journal cannot be written, or the node answers in another shape.
        FeedError
            If the node stays away.
        """
        due = [bundle for bundle in self._open if bundle.bundle.target_block <= number]
        for bundle in due:
            learned_before = self._model.state()
            bid = await self._judge(bundle)
            self._open.remove(bundle)
            self._bids.append(bid)
            self._revocable.append(_Settled(bundle, bid.settlement.block_number, learned_before))
            self._learn(bid, bundle.decision)
        while self._revocable and self._revocable[0].block_number <= number - JOURNAL_DEPTH:
            self._revocable.popleft()
        return self._bids[len(self._bids) - len(due) :]

    async def reopen(self, from_number: int) -> None:
        """Take back every settlement in blocks from this height on: they were replaced."""
        orphaned = [each for each in self._revocable if each.block_number >= from_number]
        if not orphaned:
            return
        await asyncio.to_thread(self._journal.reopen, from_number)
        self._revocable = deque(each for each in self._revocable if each.block_number < from_number)
        self._bids = [bid for bid in self._bids if bid.settlement.block_number < from_number]
        self._open = [each.was for each in orphaned] + self._open
        # what was learned is forgotten; dice that were thrown are not thrown again
        self._model.restore({**orphaned[0].learned_before, "random": self._model.state()["random"]})

    async def _judge(self, bundle: OpenBundle) -> SettledBid:
        facts = await patiently(
            partial(
                gather_facts,
                self._rpc,
                bundle.bundle,
                bundle.decision,
                self._specs,
                accepted=bundle.accepted,
                late=bundle.late,
            )
        )
        settlement = settle(
            bundle.bundle, bundle.decision, facts, executor=self._executor, weth=self._wrapped_native
        )
        await asyncio.to_thread(self._journal.record_settlement, settlement)
        rivals = [rival.payment for rival in facts.rivals if rival.is_arbitrage and rival.payment is not None]
        gross = bundle.decision.opportunity.gross_profit
        return SettledBid(settlement, gross, max(rivals, default=None))

    def _learn(self, bid: SettledBid, decision: Decision) -> None:
        settlement = bid.settlement
        if settlement.verdict in (Reason.LANDED, Reason.OUTBID):
            won = settlement.verdict is Reason.LANDED
            least = settlement.least_winning_bid(decision.gas_estimate)
            self._model.observe(bid.gross, decision.bid, won, None if least is None else least - 1)
