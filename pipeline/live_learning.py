"""Go on learning beside the served champion: the learner of the study on live rows and their labels.

Its forecasts are scored and nothing else: what trades asks the champion, which stays as it was registered.
"""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import structlog

from core.errors import ModelError
from core.reasons import Reason
from features.feature import FeatureRow
from models.conformal import AdaptiveConformal
from models.learner import PrequentialLearner
from models.learner_stream import load_stream, save_stream
from models.snapshot import Snapshot, load_snapshot, save_snapshot
from pipeline.live_findings import LearningFindings

log = structlog.get_logger(__name__)
_MODEL, _BASELINE, _STREAM = "model", "baseline", "stream.json"


def save_learner(learner: PrequentialLearner, folder: Path) -> None:
    """Write every model and baseline of a learner with its intervals, and where it stands on its stream.

    Raises
    ------
    ModelError
        If the learner has not seen a block yet.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for kind, names in ((_MODEL, learner.models), (_BASELINE, learner.baselines)):
        for place, name in enumerate(names):
            save_snapshot(learner.snapshot(name), folder / f"{kind}-{place}-{name}.zip")
    save_stream(learner.stream(), folder / _STREAM)


def resume_learner(folder: Path) -> PrequentialLearner:
    """Return the learner that was saved, on the stream that it was on; its next steps are the same.

    Raises
    ------
    ModelError
        As :func:`load_learner`; if where it stood is damaged or was not written.
    """
    learner = load_learner(folder)
    learner.resume(load_stream(folder / _STREAM))
    return learner


def load_learner(folder: Path) -> PrequentialLearner:
    """Return a learner that goes on from where models and intervals stood, on a stream it has not seen.

    Raises
    ------
    ModelError
        If a file is damaged, there is none, or they are not of one learner.
    """
    models, baselines = (
        [load_snapshot(path) for path in sorted(folder.glob(f"{kind}-*.zip"))] for kind in (_MODEL, _BASELINE)
    )
    together = [*models, *baselines]
    intervals = {
        one.forecaster.name: one.conformal
        for one in together
        if isinstance(one.conformal, AdaptiveConformal) and _task(one) == _task(together[0])
    }
    if not together or len(intervals) < len(together):
        raise ModelError(
            f"{folder} does not hold the models of one learner; run the study again", folder=str(folder)
        )
    first = together[0]
    return PrequentialLearner(
        [one.forecaster for one in models],
        [one.forecaster for one in baselines],
        first.schema,
        horizon=first.horizon_blocks,
        target=first.target,
        nominal=first.conformal.nominal,
        window=first.window,
        intervals=intervals,
    )


def _task(snapshot: Snapshot) -> tuple[object, ...]:
    names, nominal = snapshot.schema.names, snapshot.conformal.nominal
    return names, snapshot.window, snapshot.target, snapshot.horizon_blocks, nominal


class LiveLearning:
    """Gives live blocks to a learner; what it cannot take is counted with its reason and passed over.

    Parameters
    ----------
    learner
        Nobody else may teach it.
    keep
        Folder that it is written to at the end, for :func:`resume_learner`.
    """

    def __init__(self, learner: PrequentialLearner, keep: Path | None = None) -> None:
        self._learner = learner
        self._keep = keep
        self._refused: Counter[Reason] = Counter()
        self._reorganisations = 0

    def look(self, number: int, row: FeatureRow | None, truth: float | None) -> None:
        """Learn the label of a block and forecast on it.

        Parameters
        ----------
        number
            Height of the block. Blocks between the last one and this one never came, nor did their labels.
        row
            Its features; ``None`` if they were refused.
        truth
            The target's value of the block, in the target's unit; ``None`` if it is not known.
        """
        learner = self._learner
        if learner.head is not None:
            for lost in range(learner.head + 1, number):
                learner.learn(lost, None)
        if truth is not None and not math.isfinite(truth):
            truth = None
        if row is not None:
            try:
                learner.step(row, truth)
            except ModelError as error:
                self._refuse(error, number)
        if learner.head != number:
            learner.learn(number, truth)

    def rollback(self, to_number: int) -> None:
        """Unlearn blocks above a height.

        Raises
        ------
        ModelError
            If the learner does not reach back so far.
        """
        self._learner.rollback(to_number)
        self._reorganisations += 1

    def close(self) -> LearningFindings:
        """Write the learner, and return what was said and what was refused.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        if self._keep is not None and self._learner.head is not None:
            save_learner(self._learner, self._keep)
        missed = {Reason.LABEL_MISSING: self._learner.missed} if self._learner.missed else {}
        return LearningFindings(
            self._learner.study(), dict(self._refused + Counter(missed)), self._reorganisations
        )

    def _refuse(self, error: ModelError, number: int) -> None:
        reason = error.fields.get("reason")
        reason = reason if isinstance(reason, Reason) else Reason.MODEL_UNUSABLE
        self._refused[reason] += 1
        log.info("refused", reason=reason.value, block=number, detail=error.message)
