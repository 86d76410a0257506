"""Readings without a node: carried out on answers that were taken down from a stage, some of them changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from eth_utils.crypto import keccak

from chain.asking import ask
from chain.questions import Answer, ContractCall, Question, Reading
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from market.readings import reading_of
from market.tokens import Token
from tests.conformance.families import STAGES
from tests.conformance.stage import Stage
from tests.market.readings.staged import backend_of, described, node_of, stand_at_the_time_of, tokens_of


@dataclass(slots=True)
class Script:
    """What a stage answers to all that the reading of one pool asks."""

    spec: PoolSpec
    tokens: Mapping[str, Token]
    timestamp: int
    pool: Pool
    answers: dict[Question, Answer] = field(default_factory=dict)

    def read(self, changes: Mapping[str, Sequence[int] | None] | None = None) -> Pool:
        """Carry the reading out with other answers to some functions: words, or that they revert."""
        other = {keccak(text=name)[:4]: _data(words) for name, words in (changes or {}).items()}

        def answer(question: Question) -> Answer:
            if isinstance(question, ContractCall) and question.data[:4] in other:
                return other[question.data[:4]]
            return self.answers.get(question)

        return carried_out(reading_of(self.spec, self.tokens, self.timestamp), answer)


async def taken_down(name: str, stage: Stage, pool_id: str) -> Script:
    """Read one pool of a stage and keep its answers."""
    pool = stage.load(pool_id)
    stand_at_the_time_of(stage, pool)
    node, spec = node_of(name, stage), described(name, pool, pool.spec)
    tokens = {} if name == "uniswap_v4" else tokens_of(node, spec)
    timestamp = getattr(pool, "timestamp", backend_of(stage).timestamp)
    script = Script(spec, tokens, timestamp, pool)
    await ask(node, _listening(reading_of(spec, tokens, timestamp), script.answers), "latest")
    return script


async def script_of(name: str, place: int = 0) -> Script:
    """Take down the reading of one of a family's pools."""
    stage = STAGES[name]()
    return await taken_down(name, stage, stage.pool_ids()[place])


def carried_out(reading: Reading[Pool], answer: Callable[[Question], Answer]) -> Pool:
    """Return what a reading gives if its questions are answered so."""
    try:
        asked = next(reading)
        while True:
            asked = reading.send([answer(question) for question in asked])
    except StopIteration as done:
        found = done.value
    assert isinstance(found, Pool)
    return found


def _listening(reading: Reading[Pool], answers: dict[Question, Answer]) -> Reading[Pool]:
    asked = next(reading)
    while True:
        given = yield asked
        answers.update(zip(asked, given, strict=True))
        try:
            asked = reading.send(given)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]


def _data(words: Sequence[int] | None) -> Answer:
    return None if words is None else b"".join((word % 2**256).to_bytes(32, "big") for word in words)
