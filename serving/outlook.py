"""Forecasts for the execution actor: asked of the predictor by handle, once a block, off the event path."""

from __future__ import annotations

import math
from typing import Any

from ray import serve
from ray.exceptions import RayError, RayTaskError

from core.errors import OmniArbError
from core.reasons import Reason, Refusal
from models.forecaster import Forecast, Window
from pipeline.outlook import ForecastSource
from serving.schemas import ForecastRequest

APP_NAME = "omniarb"


def served_forecasts(app_name: str = APP_NAME) -> ForecastSource:
    """Return a source that asks the predictor of a running application.

    A predictor that cannot answer gives a refusal, never an error: trading goes on without.
    """

    async def ask(window: Window) -> Forecast | Refusal:
        handle: Any = serve.get_deployment_handle("Predictor", app_name=app_name)
        last = window[-1]
        request = ForecastRequest(
            features=list(last.names),
            rows=[list(row.values) for row in window],
            issued_block=last.block_number,
            blocks=[row.block_number for row in window],
        )
        try:
            answer = await handle.forecast.remote(request)
        except (RayError, OmniArbError) as error:
            cause = error.cause if isinstance(error, RayTaskError) else error
            reason = cause.fields.get("reason") if isinstance(cause, OmniArbError) else None
            return Refusal(reason or Reason.NO_CHAMPION, str(cause))
        return Forecast(
            target=answer.target,
            issued_block=answer.issued_block,
            horizon_blocks=answer.about_block - answer.issued_block,
            value=answer.value,
            lower=answer.lower,
            upper=answer.upper,
            nominal=answer.nominal,
            model_version=answer.model_version,
            baseline=answer.baseline,
            baseline_value=math.nan if answer.baseline_value is None else answer.baseline_value,
        )

    return ask
