"""The predictor: answers forecasts with the champion, whichever version that is just now."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

from core.errors import InputError
from core.logs import set_up_logs
from core.reasons import Reason
from core.seams import SystemClock
from features.feature import FeatureRow
from models.baselines import baseline_by_name
from models.champion import Champion, load_version
from models.snapshot import Snapshot
from models.standing import find_standing
from models.tracking import TrackingStore
from serving.follower import ChampionFollower
from serving.schemas import ForecastAnswer, ForecastRequest


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
        ``WARMING_UP`` if there are fewer rows than the model's window, ``FEATURE_MISSING`` if one of its
        features is not there or a row has another length than the names, ``TIME_WENT_BACK`` if the rows
        are not in the order of blocks up to the one the forecast is issued on.
    """
    snapshot = champion.snapshot
    window = _window(request, snapshot)
    value, lower, upper = snapshot.answer(window)
    baseline = baseline_by_name(champion.baseline)
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
        baseline_value=baseline.predict_one(window),
    )


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
    return tuple(
        FeatureRow(number, 0, 0, names, tuple(row[column] for column in columns))
        for number, row in zip(_blocks(request)[-length:], rows, strict=True)
    )


def _columns(request: ForecastRequest, names: tuple[str, ...]) -> list[int]:
    """Return where the model's features stand in a request's rows."""
    places = {name: place for place, name in enumerate(request.features)}
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
