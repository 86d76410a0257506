"""The HTTP interface, as a plain FastAPI application over a small backend.

It knows nothing of Ray: the serving application hands it handles, a test hands it a
double. Every error is one line of JSON with a code, whatever went wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi_swagger import patch_fastapi
from starlette.exceptions import HTTPException

from core.errors import InputError, ModelError, OmniArbError
from core.reasons import Reason
from serving.schemas import ErrorBody, ForecastAnswer, ForecastRequest, MarketSnapshot, ScoreAnswer

TITLE = "OmniArb"
HTTP_CODES = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED", 413: "BODY_TOO_LARGE"}
UNAVAILABLE = {Reason.NO_CHAMPION, Reason.NO_EXECUTOR, Reason.BUSY}


class Backend(Protocol):
    """What the interface asks of the rooms behind it. Every method may raise ``OmniArbError``."""

    async def predictor_status(self) -> dict[str, Any]:
        """Return which model version serves and whether its alias is followed."""
        ...

    async def executor_status(self) -> dict[str, Any]:
        """Return what the execution actor is doing."""
        ...

    async def opportunities(self) -> dict[str, Any]:
        """Return the latest published opportunities and their block."""
        ...

    async def forecast(self, request: ForecastRequest) -> ForecastAnswer:
        """Forecast from rows."""
        ...

    async def score(self, snapshot: MarketSnapshot) -> ScoreAnswer:
        """Score a market."""
        ...


def build_api(backend: Backend, *, version: str) -> FastAPI:
    """Return the application; documentation is at ``/docs``."""
    api = FastAPI(
        title=TITLE,
        version=version,
        description="Forecasts, opportunities and the state of a running OmniArb.",
        responses={422: {"model": ErrorBody}, 503: {"model": ErrorBody}},
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
    )
    # the page's scripts come from disk, so that it needs no other host
    patch_fastapi(api)
    _add_errors(api)
    _add_routes(api, backend)
    return api


def _add_routes(api: FastAPI, backend: Backend) -> None:
    @api.get("/healthz", tags=["operation"], summary="Ready to answer?")
    async def healthz() -> JSONResponse:
        predictor = await backend.predictor_status()
        ready = bool(predictor["ready"])
        body = {"ready": ready, "model_version": predictor["model_version"], "refusal": predictor["refusal"]}
        return JSONResponse(body, 200 if ready else 503)

    @api.get("/api/v1/status", tags=["operation"], summary="What serves and what executes")
    async def status() -> dict[str, Any]:
        return {
            "version": version_of(api),
            "predictor": await _or_refusal(backend.predictor_status()),
            "executor": await _or_refusal(backend.executor_status()),
        }

    @api.get("/api/v1/opportunities", tags=["market"], summary="Latest opportunities, best first")
    async def opportunities() -> dict[str, Any]:
        return await backend.opportunities()

    @api.post("/api/v1/score", tags=["market"], summary="Score a market of your own")
    async def score(snapshot: MarketSnapshot) -> ScoreAnswer:
        return await backend.score(snapshot)

    @api.post("/api/v1/forecast", tags=["models"], summary="Forecast from rows of features")
    async def forecast(request: ForecastRequest) -> ForecastAnswer:
        return await backend.forecast(request)


def version_of(api: FastAPI) -> str:
    """Return the version the application was built with."""
    return str(api.version)


async def _or_refusal(answer: Any) -> dict[str, Any]:
    """Await a part of the status; a part that is down says so and hides no other part."""
    try:
        state: dict[str, Any] = await answer
    except OmniArbError as error:
        return {"ready": False, "refusal": _body(error)}
    return state


def _add_errors(api: FastAPI) -> None:
    @api.exception_handler(OmniArbError)
    async def on_error(_: Request, error: OmniArbError) -> JSONResponse:
        return JSONResponse(_body(error), _http_status(error))

    @api.exception_handler(RequestValidationError)
    async def on_bad_body(_: Request, error: RequestValidationError) -> JSONResponse:
        problems = [
            {"where": ".".join(str(part) for part in problem["loc"]), "problem": problem["msg"]}
            for problem in error.errors()[:20]
        ]
        first = problems[0]
        message = f"{first['where']}: {first['problem']}; see /docs for the expected body"
        reason = Reason.FEATURE_NOT_FINITE if any(map(_no_number, error.errors())) else None
        return _answer(422, InputError.code, message, reason, problems=problems)

    @api.exception_handler(HTTPException)
    async def on_http(request: Request, error: HTTPException) -> JSONResponse:
        code = HTTP_CODES.get(error.status_code, "HTTP_ERROR")
        message = f"{request.method} {request.url.path}: {error.detail}; see /docs for what there is"
        return _answer(error.status_code, code, message)

    @api.exception_handler(Exception)
    async def on_surprise(request: Request, error: Exception) -> JSONResponse:
        message = f"{request.method} {request.url.path} failed; the server's log has the details"
        return _answer(500, "INTERNAL_ERROR", message, kind=type(error).__name__)


def _http_status(error: OmniArbError) -> int:
    if error.fields.get("reason") in UNAVAILABLE:
        return 503
    return 422 if isinstance(error, (InputError, ModelError)) else 500


def _body(error: OmniArbError) -> dict[str, Any]:
    fields = dict(error.fields)
    reason = fields.pop("reason", None)
    body = ErrorBody(code=error.code, reason=reason, message=error.message, fields=fields)
    return body.model_dump(mode="json")


def _no_number(problem: Mapping[str, Any]) -> bool:
    """Return whether a number of a row is NaN, infinite, or null as some writers of JSON put it."""
    empty = problem["type"] == "float_type" and problem.get("input") is None
    return "rows" in problem["loc"] and (empty or problem["type"] == "finite_number")


def _answer(
    status: int, code: str, message: str, reason: Reason | None = None, **fields: Any
) -> JSONResponse:
    body = ErrorBody(code=code, reason=reason, message=message, fields=fields)
    return JSONResponse(body.model_dump(mode="json"), status)
