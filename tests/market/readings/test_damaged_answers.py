"""Whatever one answer is changed to, a reading ends with a pool or a refusal that names it."""

from __future__ import annotations

import numpy as np
import pytest

from chain.questions import Answer
from core.errors import MarketError
from market.readings import reading_of
from tests.conformance.families import STAGES
from tests.market.readings.script import carried_out, taken_down

DAMAGES = 60
WORD = 32


def damaged(answer: Answer, rng: np.random.Generator) -> Answer:
    """Return another answer: none, cut off, longer, or with another word in it."""
    data = answer or bytes(WORD)
    place = int(rng.integers(-(-len(data) // WORD))) * WORD
    words = [bytes(WORD), b"\xff" * WORD, bytes(31) + b"\x20", rng.bytes(WORD), bytes(20) + rng.bytes(12)]
    ways: list[Answer] = [
        None,
        b"",
        data[: int(rng.integers(len(data)))],
        data[:place],
        data + rng.bytes(WORD),
        *(data[:place] + word + data[place + WORD :] for word in words),
    ]
    return ways[int(rng.integers(len(ways)))]


@pytest.mark.parametrize("name", sorted(STAGES))
async def test_a_damaged_answer_is_refused_or_makes_another_pool(name: str) -> None:
    stage, rng = STAGES[name](), np.random.default_rng(9)
    named = []
    ids = [pool_id for pool_id in stage.pool_ids() if stage.load(pool_id).spec.tick_spacing != 1][:4]
    for pool_id in ids:
        script = await taken_down(name, stage, pool_id)
        questions = list(script.answers)
        for _ in range(DAMAGES // len(ids)):
            question = questions[int(rng.integers(len(questions)))]
            answers = {**script.answers, question: damaged(script.answers[question], rng)}
            try:
                carried_out(reading_of(script.spec, script.tokens, script.timestamp), answers.get)
            except MarketError as error:
                named.append(error.fields["pool_id"] == pool_id)
    assert len(named) > DAMAGES // 4
    assert all(named)
