"""A pool goes live only by way of a verification, and never heals by itself."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from core.errors import MarketError
from core.reasons import Reason, Refusal
from market.life import HISTORY_LENGTH, Evidence, EvidenceKind, PoolLife, Roster

AT_A_BLOCK = Evidence(EvidenceKind.CHAIN_BLOCK, "reserves by multicall", 100)
A_FILE = Evidence(EvidenceKind.FILE_CHECK, "consistent within a file")
POOL = "0xp"
POOLS = st.sampled_from(["0x1", "0x2", "0x3"])


def live_roster() -> Roster:
    roster = Roster()
    roster.enter(POOL)
    roster.verified(POOL, AT_A_BLOCK)
    roster.go_live(POOL)
    return roster


def test_a_pool_takes_its_way_in_order_and_each_standing_says_why() -> None:
    roster = live_roster()
    roster.diverged(POOL, Reason.MISSED_LOG, "reserve0 is 5 on chain, 4 here", 101)
    roster.quarantine(POOL, Reason.MISSED_LOG, "taken out with its cycles", 101)
    roster.verified(POOL, Evidence(EvidenceKind.CHAIN_BLOCK, "reserves by multicall", 102))
    assert [(at.life, at.reason, at.block) for at in roster.history(POOL)] == [
        (PoolLife.QUARANTINED, Reason.NOT_VERIFIED, None),
        (PoolLife.VERIFIED, None, 100),
        (PoolLife.LIVE, None, 100),
        (PoolLife.DIVERGENT, Reason.MISSED_LOG, 101),
        (PoolLife.QUARANTINED, Reason.MISSED_LOG, 101),
        (PoolLife.VERIFIED, None, 102),
    ]


def test_every_step_that_skips_one_is_refused_and_changes_nothing() -> None:
    roster = Roster()
    with pytest.raises(MarketError, match="enter it first"):
        roster.go_live(POOL)
    roster.enter(POOL)
    for illegal in (
        lambda: roster.enter(POOL),
        lambda: roster.go_live(POOL),
        lambda: roster.diverged(POOL, Reason.LATE_DELIVERY, "differs", 1),
    ):
        with pytest.raises(MarketError):
            illegal()
        assert roster.standing(POOL).life is PoolLife.QUARANTINED
    roster.verified(POOL, AT_A_BLOCK)
    with pytest.raises(MarketError, match="does not become divergent"):
        roster.diverged(POOL, Reason.LATE_DELIVERY, "differs", 1)
    with pytest.raises(MarketError, match="does not become verified"):
        roster.verified(POOL, AT_A_BLOCK)
    assert roster.standing(POOL).life is PoolLife.VERIFIED


def test_a_file_proves_nothing_about_a_pool_that_differed_from_the_chain() -> None:
    roster = Roster()
    roster.enter(POOL)
    roster.verified(POOL, A_FILE)
    roster.go_live(POOL)
    roster.diverged(POOL, Reason.UNHANDLED_REORG, "differs", 7)
    roster.quarantine(POOL, Reason.UNHANDLED_REORG, "differs", 7)
    with pytest.raises(MarketError, match="a file proves nothing"):
        roster.verified(POOL, A_FILE)
    roster.verified(POOL, AT_A_BLOCK)


def test_a_comparison_with_the_chain_names_its_block() -> None:
    with pytest.raises(MarketError, match="name it"):
        Evidence(EvidenceKind.CHAIN_BLOCK, "reserves by multicall")


def test_counts_and_reasons_are_those_of_the_last_standings() -> None:
    roster = live_roster()
    roster.quarantine("0xd", Reason.DUST_POOL, "a side is worth 1 wei")
    roster.enter("0xn")
    assert roster.counts() == {PoolLife.LIVE: 1, PoolLife.QUARANTINED: 2}
    assert roster.reasons() == {Reason.DUST_POOL: 1, Reason.NOT_VERIFIED: 1}
    assert roster.refusals()["0xd"] == Refusal(Reason.DUST_POOL, "a side is worth 1 wei")
    assert roster.live_ids() == {POOL}


def test_a_pool_remembers_only_its_last_standings() -> None:
    roster = Roster()
    for turn in range(HISTORY_LENGTH + 5):
        roster.quarantine(POOL, Reason.MISSED_LOG, f"turn {turn}", turn)
    past = roster.history(POOL)
    assert len(past) == HISTORY_LENGTH
    assert past[-1].block == HISTORY_LENGTH + 4


class Lives(RuleBasedStateMachine):
    """Any calls in any order; a trace of our own says which pools were verified since they diverged."""

    def __init__(self) -> None:
        super().__init__()
        self.roster = Roster()
        self.proven: set[str] = set()
        self.only_chain: set[str] = set()

    def tried(self, call: str, *values: object) -> bool:
        before = {name: past[-1] for name, past in self.roster._history.items()}
        try:
            getattr(self.roster, call)(*values)
        except MarketError:
            assert before == {name: past[-1] for name, past in self.roster._history.items()}
            return False
        return True

    @rule(pool=POOLS)
    def enter(self, pool: str) -> None:
        self.tried("enter", pool)

    @rule(pool=POOLS, evidence=st.sampled_from([AT_A_BLOCK, A_FILE]))
    def verify(self, pool: str, evidence: Evidence) -> None:
        if self.tried("verified", pool, evidence):
            assert evidence is AT_A_BLOCK or pool not in self.only_chain
            self.proven.add(pool)

    @rule(pool=POOLS)
    def go_live(self, pool: str) -> None:
        self.tried("go_live", pool)

    @rule(pool=POOLS)
    def diverge(self, pool: str) -> None:
        if self.tried("diverged", pool, Reason.CHANGED_WITHOUT_EVENT, "differs", 5):
            self.proven.discard(pool)
            self.only_chain.add(pool)

    @rule(pool=POOLS)
    def quarantine(self, pool: str) -> None:
        assert self.tried("quarantine", pool, Reason.DUST_POOL, "worth nothing")
        self.proven.discard(pool)

    @invariant()
    def no_pool_is_live_without_a_verification_since_it_last_was_not(self) -> None:
        assert self.roster.live_ids() <= self.proven

    @invariant()
    def a_pool_is_either_trusted_or_has_a_reason(self) -> None:
        counts = self.roster.counts()
        trusted = counts[PoolLife.VERIFIED] + counts[PoolLife.LIVE]
        assert trusted + len(self.roster.refusals()) == sum(counts.values())


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
