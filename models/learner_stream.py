"""Where a learner stands on its stream: the rows it holds, the forecasts that wait, and what was judged.

With the models' and intervals' own states this is all that the next steps depend on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core.errors import ModelError
from features.feature import FeatureRow
from models.forecaster import Forecast
from models.judged_rows import Sums
from models.labels import Issued


@dataclass(frozen=True, slots=True)
class StreamState:
    """A learner's place on its stream.

    Parameters
    ----------
    head
        Height of the last block.
    missed
        Blocks whose forecasts were given up.
    rows
        The last rows, oldest first: those of the last window and of every window that waits.
    waiting
        Forecasts whose label is not known yet.
    sums
        What each forecaster's judged forecasts add up to.
    """

    head: int
    missed: int
    rows: tuple[FeatureRow, ...]
    waiting: tuple[Issued, ...]
    sums: Mapping[str, Sums]


def save_stream(state: StreamState, path: Path) -> None:
    """Write a place on a stream as JSON; its numbers are read back to the bit.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    document = {
        "head": state.head,
        "missed": state.missed,
        "rows": [asdict(row) for row in state.rows],
        "waiting": [
            {
                "issued_block": one.issued_block,
                "window": len(one.window),
                "judged": one.judged,
                "forecasts": [asdict(forecast) for forecast in one.forecasts],
            }
            for one in state.waiting
        ],
        "sums": {name: asdict(sums) for name, sums in state.sums.items()},
    }
    path.write_text(json.dumps(document))


def load_stream(path: Path) -> StreamState:
    """Read what :func:`save_stream` wrote.

    Raises
    ------
    ModelError
        If the file is missing or damaged.
    """
    try:
        document: dict[str, Any] = json.loads(path.read_text())
        rows = tuple(_row(one) for one in document["rows"])
        return StreamState(
            head=int(document["head"]),
            missed=int(document["missed"]),
            rows=rows,
            waiting=tuple(_issued(one, rows) for one in document["waiting"]),
            sums={name: Sums(**sums) for name, sums in document["sums"].items()},
        )
    except (OSError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ModelError(
            f"{path} does not hold a learner's place on its stream ({type(error).__name__}: {error}); "
            "begin from its models alone",
            path=str(path),
        ) from error


def _row(document: dict[str, Any]) -> FeatureRow:
    lists = ("names", "values", "missing")
    return FeatureRow(**document | {name: tuple(document[name]) for name in lists})


def _issued(document: dict[str, Any], rows: tuple[FeatureRow, ...]) -> Issued:
    heights = [row.block_number for row in rows]
    end = heights.index(document["issued_block"]) + 1
    window = rows[end - document["window"] : end]
    if len(window) != document["window"]:
        raise ValueError("a window that waits is not whole")
    return Issued(window, tuple(Forecast(**one) for one in document["forecasts"]), document["judged"])
