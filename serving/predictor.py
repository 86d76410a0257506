"""The predictor: answers forecasts with the champion, whichever version that is just now."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.errors import InputError
from core.logs import set_up_logs
from core.reasons import Reason
from core.seams import SystemClock
from features.feature import FeatureRow
from models.baselines import baseline_by_name
from models.champion import Champion, find_champion, load_version
from models.snapshot import Snapshot
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
            find=lambda: find_champion(store, name, alias),
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
            ``NO_CHAMPION`` while nothing is loaded, ``FEATURE_MISSING`` or a wrong shape.
        InputError
            If there are too few rows or a row's length is wrong.
        """
        # one reference is taken, so an answer is of one version even if a swap happens meanwhile
        return answer(self._follower.champion, request)


def answer(champion: Champion, request: ForecastRequest) -> ForecastAnswer:
    """Return the champion's forecast from a request's rows; pure.

    Raises
    ------
    InputError
        If there are fewer rows than the model's window, or a row has another length than the names.
    ModelError
        If a feature of the model is missing.
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
    columns = snapshot.schema.columns(tuple(request.features))
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
    first = request.issued_block - length + 1
    return tuple(
        FeatureRow(first + place, 0, 0, names, tuple(row[column] for column in columns))
        for place, row in enumerate(rows)
    )
