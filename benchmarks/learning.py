"""Learning: features, models, the recorded day with learning, and memory over a long run.

The seeded market and what each row times are described in docs/reference/learning-speed.md.
"""

from __future__ import annotations

from benchmarks.harness import Progress, Row
from benchmarks.learning_features import feature_rows
from benchmarks.learning_memory import memory_rows
from benchmarks.learning_models import model_rows
from benchmarks.learning_recorded import recorded_rows
from benchmarks.learning_tape import walk


def rows(progress: Progress) -> list[Row]:
    """Return the figures of learning."""
    progress("walking a seeded tape")
    tape = walk()
    measured = [*feature_rows(progress, tape), *model_rows(progress, tape)]
    return [*measured, *recorded_rows(progress), *memory_rows(progress)]
