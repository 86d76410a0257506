"""A recording's feature rows by the batch path, to hold rows that were streamed against."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from core.reasons import Refusal
from features.batch import FeatureTable, build
from features.facts import FactRecorder
from features.feature import FeatureRow
from features.skew import skew
from market.recorded import Recorded
from models.shadow_replay import SkewCheck

Rest = Callable[[], None]
"""Called after each block."""


def batch_rows(recorded: Recorded, before: Recorded | None = None, rest: Rest = lambda: None) -> FeatureTable:
    """Return the rows of a recording as the batch path computes them.

    Parameters
    ----------
    recorded, before
        A recording, and the history before it if its stream was warmed up on one.
    rest
        Called after each block.
    """
    state, facts = recorded.initial_state(), FactRecorder(recorded.tokens, recorded.specs)
    for part in (before, recorded):
        for block, context in part.blocks() if part is not None else ():
            facts.add(block, context, state=state, applied=state.apply(block))
            rest()
    return build(facts.columns())


def skew_check(reopen: Callable[[], tuple[Recorded, Recorded | None]], rest: Rest) -> SkewCheck:
    """Return a check of streamed rows that reads the recording when it is first asked.

    Rows that passed once are not computed again.

    Parameters
    ----------
    reopen
        Opens the recording and the history before it.
    rest
        As for :func:`batch_rows`.
    """
    found: dict[tuple[str, ...], Refusal | None] = {}

    def check(rows: Sequence[FeatureRow]) -> Refusal | None:
        key = tuple(row.digest for row in rows)
        if key not in found:
            found[key] = skew(rows, batch_rows(*reopen(), rest)).refusal
        return found[key]

    return check
