"""The predictor: answers forecasts with the champion, whichever version that is just now."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

from core.errors import InputError, ModelError
from core.logs import set_up_logs
from core.reasons import Reason
from core.seams import SystemClock
from features.feature import FeatureRow
from features.registry import FEATURE_SETS
from features.row_checks import out_of_range
from models.baselines import baseline_by_name
from models.champion import Champion, load_version
from models.snapshot import Snapshot
from models.standing import find_standing
from models.tracking import TrackingStore
from serving.follower import ChampionFollower
from serving.schemas import ForecastAnswer, ForecastRequest

_FEATURES = {one.name: one for features in FEATURE_SETS.values() for one in features.features}


class Predictor:
    """Serve deployment around a :class:`serving.follower.ChampionFollower`.

    Parameters
    ----------
    home
        Home of the tracking store (``mlruns/``).
    name, alias
        Registered model and the alias to follow.
    poll_s
        Seconds between two looks at the alias.
    """

    def __init__(self, home: str, name: str, alias: str, poll_s: float) -> None:
        set_up_logs()
        store = TrackingStore(Path(home))
        self._follower = ChampionFollower(
            find=lambda: find_standing(store, name, alias),
            load=lambda version: load_version(store, name, version),
            clock=SystemClock(),
            poll_s=poll_s,
        )

    async def check_health(self) -> None:
        """Begin to follow the alias; Serve calls this before the first request, then periodically.

        A missing or broken champion is no reason to be restarted, so this never raises.
        """
        self._follower.start()

    async def status(self) -> dict[str, Any]:
        """Return what serves (see :meth:`serving.follower.ChampionFollower.status`)."""
        return self._follower.status()

    async def forecast(self, request: ForecastRequest) -> ForecastAnswer:
        """Answer one forecast.

        Raises
        ------
        ModelError
            ``NO_CHAMPION`` while nothing is loaded.
        InputError
            As :func:`answer`.
        """
        # one reference is taken, so an answer is of one version even if a swap happens meanwhile
        return answer(self._follower.champion, request)


def answer(champion: Champion, request: ForecastRequest) -> ForecastAnswer:
    """Return the champion's forecast from a request's rows; pure.

    Raises
    ------
    InputError
        ``WARMING_UP`` if there are fewer rows or blocks than the model's window, ``FEATURE_MISSING`` if one
        of its features is not there or a row has another length than the names, ``FEATURE_SET_DIFFERS`` if
        a name comes twice, ``FEATURE_OUT_OF_RANGE`` if a feature of the registry lies outside its range or
        the rows have no finite answer, ``TIME_WENT_BACK`` if the rows are not in the order of blocks up to
        the one the forecast is issued on, ``SEQUENCE_GAP`` if the window leaves out a block.
    """
    snapshot = champion.snapshot
    window = _window(request, snapshot)
    value, lower, upper = _finite_answer(snapshot, window)
    return ForecastAnswer(
        target=snapshot.target,
        issued_block=request.issued_block,
        about_block=request.issued_block + snapshot.horizon_blocks,
        value=value,
        lower=lower,
        upper=upper,
        nominal=champion.nominal,
        model=champion.forecaster.name,
        model_version=champion.version,
        state_block=snapshot.state_block,
        baseline=champion.baseline,
        baseline_value=_baseline_value(champion.baseline, window),
    )


def _finite_answer(snapshot: Snapshot, window: tuple[FeatureRow, ...]) -> tuple[float, float, float]:
    try:
        value, lower, upper = snapshot.answer(window)
    except ArithmeticError:
        value = lower = upper = math.inf
    if not all(map(math.isfinite, (value, lower, upper))):
        raise InputError(
            "the model has no finite answer to these rows; check the sizes of their numbers",
            reason=Reason.FEATURE_OUT_OF_RANGE,
        )
    return value, lower, upper


def _baseline_value(name: str, window: tuple[FeatureRow, ...]) -> float | None:
    """Return a baseline's forecast; ``None`` if it is none of those that the rows of blocks alone give."""
    try:
        return baseline_by_name(name).predict_one(window)
    except ModelError:
        return None


def _window(request: ForecastRequest, snapshot: Snapshot) -> tuple[FeatureRow, ...]:
    length, names = snapshot.window, snapshot.schema.names
    columns = _columns(request, names)
    if len(request.rows) < length:
        raise InputError(
            f"the model needs {length} rows, got {len(request.rows)}; send the last {length} blocks",
            reason=Reason.WARMING_UP,
            needed=length,
        )
    rows = request.rows[-length:]
    uneven = [place for place, row in enumerate(rows) if len(row) != len(request.features)]
    if uneven:
        raise InputError(
            f"{len(uneven)} row(s) do not have one number per feature ({len(request.features)}); "
            f"the first is row {uneven[0]} of the window",
            reason=Reason.FEATURE_MISSING,
        )
    blocks = _blocks(request)[-length:]
    window = tuple(
        FeatureRow(number, 0, 0, names, tuple(row[column] for column in columns))
        for number, row in zip(blocks, rows, strict=True)
    )
    # a target's rows are of events, and its features its own
    if not snapshot.corrects:
        _check_gaps(blocks)
        for row in window:
            _check_ranges(row)
    return window


def _check_gaps(blocks: list[int]) -> None:
    for before, after in pairwise(blocks):
        if after != before + 1:
            raise InputError(
                f"the window leaves out block {before + 1}; send the rows of consecutive blocks",
                reason=Reason.SEQUENCE_GAP,
                block=before + 1,
            )


def _check_ranges(row: FeatureRow) -> None:
    """Refuse what the registry's features cannot be; what the registry does not know may be anything."""
    for name, value in zip(row.names, row.values, strict=True):
        feature = _FEATURES.get(name)
        # nobody says here what is missing, so a null may stand for that
        if feature is not None and value != feature.null and not feature.low <= value <= feature.high:
            raise InputError(
                f"block {row.block_number}: {out_of_range(feature, value)}",
                reason=Reason.FEATURE_OUT_OF_RANGE,
                feature=name,
            )


def _columns(request: ForecastRequest, names: tuple[str, ...]) -> list[int]:
    """Return where the model's features stand in a request's rows."""
    places = {name: place for place, name in enumerate(request.features)}
    if len(places) != len(request.features):
        twice = sorted({name for name in request.features if request.features.count(name) > 1})
        raise InputError(
            f"{', '.join(twice)} is named more than once; send every feature once",
            reason=Reason.FEATURE_SET_DIFFERS,
            features=twice,
        )
    missing = [name for name in names if name not in places]
    if missing:
        raise InputError(
            f"rows lack the feature(s) {', '.join(missing)}; send every feature of the model",
            reason=Reason.FEATURE_MISSING,
            missing=missing,
        )
    return [places[name] for name in names]


def _blocks(request: ForecastRequest) -> list[int]:
    """Return the heights of a request's rows; consecutive ones where it names none."""
    count, last = len(request.rows), request.issued_block
    blocks = request.blocks
    if blocks is None:
        if last < count - 1:
            raise InputError(
                f"{count} rows up to block {last} would begin before block 0; send a row for each block",
                reason=Reason.WARMING_UP,
            )
        return list(range(last - count + 1, last + 1))
    if len(blocks) != count:
        raise InputError(
            f"{len(blocks)} blocks are named and {count} rows sent; send one block for each row",
            reason=Reason.FEATURE_MISSING,
        )
    for before, after in pairwise(blocks):
        if after <= before:
            raise InputError(
                f"the row of block {after} comes after that of block {before}; send rows oldest first",
                reason=Reason.TIME_WENT_BACK,
            )
    if blocks[-1] != last:
        raise InputError(
            f"the last row is of block {blocks[-1]} and the forecast is issued on block {last}; "
            "issue it on the block of the last row",
            reason=Reason.TIME_WENT_BACK,
        )
    return blocks
