"""What is found beside trading: of features as they were logged, and of models that learn on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from analysis.records import DriftAlarm
from core.reasons import Reason

if TYPE_CHECKING:  # only records are needed where a result arrives
    from models.evaluation import Study


@dataclass(frozen=True, slots=True)
class SkewFound:
    """First place where a logged row is not what the batch path makes of its block.

    Parameters
    ----------
    block_number
        The row.
    feature
        The feature; empty if the batch path knows no such block.
    ulps
        Floating-point numbers between both values; -1 if one of them is unknown.
    """

    block_number: int
    feature: str
    ulps: int


@dataclass(frozen=True, slots=True)
class FeatureFindings:
    """What became of a run's feature rows.

    Parameters
    ----------
    logged
        Rows in the store at the end, by feature set.
    refused
        Rows that reached no model and no store, by feature set and reason.
    compared
        Logged rows that the batch path computed again.
    skew
        Where they differ first; ``None`` if nowhere.
    alarms
        Alarms of the drift monitor.
    drift
        First alarm of each feature that had one.
    ended
        Why rows were no longer logged from some block on; ``None`` if they were.
    faults
        Stored rows and files that are not as they were written, or not what the registry says.
    online_missed
        Rows that Redis did not take when they came.
    """

    logged: Mapping[str, int] = field(default_factory=dict)
    refused: Mapping[str, Mapping[Reason, int]] = field(default_factory=dict)
    compared: int = 0
    skew: SkewFound | None = None
    alarms: int = 0
    drift: Mapping[str, DriftAlarm] = field(default_factory=dict)
    ended: str | None = None
    faults: int = 0
    online_missed: int = 0


@dataclass(frozen=True, slots=True)
class LearningFindings:
    """What the models said that went on learning beside the served champion.

    Parameters
    ----------
    study
        Their forecasts, the baselines' beside them; ``None`` if learning ended early.
    refused
        Rows and labels that were not learned from, by reason.
    reorganisations
        Times that labels of orphaned blocks were unlearned.
    ended
        Why learning ended early; ``None`` if it did not.
    """

    study: Study | None = None
    refused: Mapping[Reason, int] = field(default_factory=dict)
    reorganisations: int = 0
    ended: str | None = None
