"""A market that hears only the logs of real contracts has the state that the contracts have."""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np
import pytest

from chain.blocks import Block, BlockHeader, RawLog
from chain.devnet.pyrevm_backend import PyrevmBackend
from chain.devnet.receipts import Receipt
from core.errors import MarketError
from core.reasons import Reason, Refusal
from market.advance import timed
from market.pools.pool import Pool
from market.state import MarketState
from market.tokens import Token
from market.unseen import moves_unseen
from tests.conformance.families import STAGES
from tests.conformance.stage import Stage, log_uniform
from tests.conformance.stages.algebra import AlgebraStage
from tests.conformance.stages.solidly import SolidlyStage

TURNS = 60
POOLS = 4
DISTURB_SHARE = 0.15
UNTOLD = {
    "curve_stable": "our own contract logs no change of the administrator's fee",
    "uniswap_v2_pancake": "its fee is fixed in reality; the stage changes it all the same",
}
"""Families in which a disturbance, never a swap, may change what no log tells."""


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[Block]:
    """Every block that an EVM of this process mines, with its logs."""
    blocks: list[Block] = []
    send = PyrevmBackend.send

    def listening(backend: PyrevmBackend, *arguments: object, **named: object) -> Receipt:
        receipt = send(backend, *arguments, **named)  # type: ignore[arg-type]
        blocks.append(_block(len(blocks), backend.timestamp, receipt))
        return receipt

    monkeypatch.setattr(PyrevmBackend, "send", listening)
    return blocks


def _block(number: int, timestamp: int, receipt: Receipt) -> Block:
    header = BlockHeader(
        number, number.to_bytes(32, "big"), max(number - 1, 0).to_bytes(32, "big"), timestamp, 0, 0, 1
    )
    logs = (
        RawLog(number, index, 0, bytes(32), log.address, log.topics, log.data)
        for index, log in enumerate(receipt.logs)
    )
    return Block(header, tuple(logs), 0)


class Follower:
    """A market of one pool that is told blocks and nothing else."""

    def __init__(self, stage: Stage, pool_id: str, heard: list[Block]) -> None:
        self.stage = stage
        self.heard = heard
        self.pool_id = pool_id
        self.speaker = _speaker(stage, pool_id)
        pool = self.truth()
        heard.clear()
        self.state = MarketState([pool], {token: Token(token, "T", 18) for token in pool.tokens})
        self.reread: Counter[Reason] = Counter()

    def catch_up(self) -> None:
        head = self.state.head
        for block in self.heard[0 if head is None else head.number + 1 :]:
            self._apply(block)

    def truth(self) -> Pool:
        """Read the pool from the contracts, with the contract that tells of its fee in its description."""
        pool = self.stage.load(self.pool_id)
        return dataclasses.replace(pool, spec=dataclasses.replace(pool.spec, factory=self.speaker))  # type: ignore[type-var]

    def check(self, untold: bool) -> None:
        """Compare with the contracts; where logs cannot tell, take over what the contracts say."""
        ours, truth = self.state.pools[self.pool_id], self.truth()
        now = getattr(truth, "timestamp", 0)
        same = timed(ours, now) == timed(truth, now)
        if self.pool_id in self.state.suspended:
            self.reread[self.state.suspended[self.pool_id].reason] += 1
            self.state.restore(truth)
        elif not same and (moves_unseen(truth) or untold):
            self.reread[Reason.CHANGED_WITHOUT_EVENT] += 1
            self.state.restore(truth)
        else:
            assert timed(ours, now) == timed(truth, now)

    def _apply(self, block: Block) -> None:
        try:
            self.state.apply(block)
        except MarketError as error:
            reason = error.fields["reason"]
            if reason is not Reason.STATE_LEFT_OPEN:
                raise
            self.state.suspend(error.fields["pool_id"], Refusal(reason, str(error)))
            self._apply(block)


@pytest.mark.parametrize("family", sorted(STAGES))
def test_logs_alone_keep_every_pool_of_the_family_right(family: str, heard: list[Block]) -> None:
    stage = STAGES[family]()
    rng = np.random.default_rng(11)
    swapped, reread = 0, Counter[Reason]()
    for pool_id in stage.pool_ids()[:POOLS]:
        follower = Follower(stage, pool_id, heard)
        for _ in range(TURNS):
            disturbed = rng.random() < DISTURB_SHARE
            if disturbed:
                stage.disturb(pool_id, rng)
            else:
                swapped += _swap(stage, pool_id, rng)
            follower.catch_up()
            follower.check(untold=disturbed and family in UNTOLD)
        reread += follower.reread
    assert swapped > TURNS
    assert set(reread) <= {Reason.STATE_LEFT_OPEN, Reason.CHANGED_WITHOUT_EVENT}


def _speaker(stage: Stage, pool_id: str) -> str:
    """Return the contract that tells of changes of a pool's fee, where it is not the pool's own."""
    if isinstance(stage, SolidlyStage):
        return stage.factories[pool_id]
    if isinstance(stage, AlgebraStage):
        return str(stage.view(pool_id, "address", "dataStorageOperator()")[0])
    return ""


def _swap(stage: Stage, pool_id: str, rng: np.random.Generator) -> bool:
    pool = stage.load(pool_id)
    first, second = (int(each) for each in rng.choice(len(pool.tokens), 2, replace=False))
    token_in, token_out = pool.tokens[first], pool.tokens[second]
    amount = log_uniform(rng, 1, max(3.0 * stage.typical_size(pool, token_in), 2.0))
    return stage.swap(pool_id, token_in, token_out, amount) is not None
