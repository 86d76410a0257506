"""The ingress: the HTTP interface over handles of the other deployments and the named actor."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from fastapi import FastAPI
from ray.exceptions import RayActorError, RayTaskError
from ray.serve.exceptions import BackPressureError, RayServeException
from ray.serve.handle import DeploymentHandle

from core.errors import OmniArbError, ServingError
from core.logs import set_up_logs
from core.reasons import Reason
from serving.executor import ask_executor
from serving.rest import build_api
from serving.schemas import ForecastAnswer, ForecastRequest, MarketSnapshot, ScoreAnswer


class HandleBackend:
    """:class:`serving.rest.Backend` over Ray Serve handles.

    Parameters
    ----------
    predictor, scorer
        Handles of the deployments.
    timeout_s
        How long a deployment may take for one answer.
    """

    def __init__(
        self, predictor: DeploymentHandle[Any], scorer: DeploymentHandle[Any], timeout_s: float
    ) -> None:
        self._predictor = predictor
        self._scorer = scorer
        self._timeout_s = timeout_s

    async def predictor_status(self) -> dict[str, Any]:
        """Return which model version serves."""
        status: dict[str, Any] = await self._answer(self._predictor.status.remote())
        return status

    async def executor_status(self) -> dict[str, Any]:
        """Return what the execution actor is doing."""
        status: dict[str, Any] = await ask_executor("status")
        return status

    async def opportunities(self) -> dict[str, Any]:
        """Return the opportunities the execution actor published last."""
        latest: dict[str, Any] = await self._answer(self._scorer.latest.remote())
        return latest

    async def forecast(self, request: ForecastRequest) -> ForecastAnswer:
        """Forecast with the champion."""
        forecast: ForecastAnswer = await self._answer(self._predictor.forecast.remote(request))
        return forecast

    async def score(self, snapshot: MarketSnapshot) -> ScoreAnswer:
        """Score a market."""
        scores: ScoreAnswer = await self._answer(self._scorer.score.remote(snapshot))
        return scores

    async def _answer(self, response: Awaitable[Any]) -> Any:
        try:
            return await asyncio.wait_for(response, self._timeout_s)
        except RayTaskError as error:
            # Ray wraps what the replica raised; our own errors go on as they were
            if isinstance(error.cause, OmniArbError):
                raise error.cause from None
            raise
        except TimeoutError as error:
            raise _busy(f"no answer within {self._timeout_s:g} s") from error
        except BackPressureError as error:
            raise _busy("too many requests are waiting") from error
        except (RayActorError, RayServeException) as error:
            raise _busy(f"the deployment is restarting ({type(error).__name__})") from error


def _busy(why: str) -> ServingError:
    return ServingError(f"{why}; ask again in a second", reason=Reason.BUSY)


class Gateway:
    """Serve deployment that owns the FastAPI application."""

    def __init__(
        self, predictor: DeploymentHandle[Any], scorer: DeploymentHandle[Any], timeout_s: float, version: str
    ) -> None:
        set_up_logs()
        self._backend = HandleBackend(predictor, scorer, timeout_s)
        self._version = version

    def __serve_build_asgi_app__(self) -> FastAPI:
        """Return the application; Serve calls this in the replica, after the constructor."""
        return build_api(self._backend, version=self._version)
