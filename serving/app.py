"""Start and stop the serving application: Ray, Ray Serve, its deployments, the execution actor.

An application is deployed once. A new model arrives by a decision about its alias,
never by deploying again: ``serve.run`` restarts every replica, a decision swaps a reference.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any

import ray
from ray import serve
from ray.actor import ActorHandle
from ray.exceptions import RayError
from ray.serve.exceptions import RayServeException
from ray.serve.handle import DeploymentHandle
from ray.serve.schema import LoggingConfig

from core.errors import ServingError
from core.reasons import Reason
from models.champion import find_champion
from models.promotion import CHAMPION
from models.tracking import TrackingStore
from serving.executor import Loop, begin, create_executor, live_loop, ray_reason, wait_until_gone
from serving.gateway import Gateway
from serving.outlook import APP_NAME
from serving.ports import listening_port
from serving.predictor import Predictor
from serving.ray_session import end_session, start_ray
from serving.scorer import ScoringService

ANSWER_TIMEOUT_S = 10.0
"""How long the predictor may take to say what it serves."""
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0
"""How long the execution actor may take to begin."""


@dataclass(frozen=True, slots=True)
class ServingConfig:
    """How to serve.

    Parameters
    ----------
    home
        Home of the tracking store (``mlruns/``).
    model_name, alias
        Registered model, and the alias the predictor follows.
    host, port
        Where the gateway listens; port 0 takes a free one.
    num_cpus
        Processors Ray may plan with.
    poll_s
        Seconds between two looks at the alias.
    timeout_s
        How long one request may take.
    ready_timeout_s
        How long to wait for the first model.
    """

    home: Path
    model_name: str = "base-fee-h2"
    alias: str = CHAMPION
    host: str = "127.0.0.1"
    port: int = 0
    num_cpus: int = 2
    poll_s: float = 1.0
    timeout_s: float = 10.0
    ready_timeout_s: float = 60.0


class ServingApp:
    """A running application. Use it as a context manager, or call :meth:`stop`.

    Parameters
    ----------
    url
        Base address of the gateway.
    predictor
        Handle of the predictor.
    owns_ray
        Whether stopping ends the Ray session too.
    """

    def __init__(self, url: str, predictor: DeploymentHandle[Any], *, owns_ray: bool) -> None:
        self.url = url
        self._predictor = predictor
        self._owns_ray = owns_ray
        self._executor: ActorHandle[Any] | None = None

    def predictor_status(self) -> dict[str, Any]:
        """Return which model version serves (see :meth:`serving.follower.ChampionFollower.status`).

        Raises
        ------
        ServingError
            If the predictor does not answer in time, or has ended.
        """
        try:
            status: dict[str, Any] = self._predictor.status.remote().result(timeout_s=ANSWER_TIMEOUT_S)
        except TimeoutError as error:
            raise ServingError(
                f"the predictor did not answer within {ANSWER_TIMEOUT_S:g} s; stop it and start again",
                reason=Reason.BUSY,
            ) from error
        except (RayError, RayServeException) as error:
            raise ServingError(f"the predictor cannot answer ({ray_reason(error)}); start again") from error
        return status

    def start_executor(self, config: Any, make_loop: Callable[[Any], Loop] = live_loop) -> ActorHandle[Any]:
        """Create the execution actor and start its loop; it ends with the application.

        Its process sees the environment that :func:`start_serving` was called with.

        Parameters
        ----------
        config
            A :class:`pipeline.live_config.LiveConfig`, or what ``make_loop`` takes.
        make_loop
            Makes the loop, in the actor's process.

        Raises
        ------
        ServingError
            If there is one already, or it does not come up.
        """
        if self._executor is not None:
            raise ServingError("an executor is running already; stop the application first")
        self._executor = create_executor(config, make_loop)
        try:
            begin(self._executor, START_TIMEOUT_S)
        except BaseException:
            self.stop_executor()
            raise
        return self._executor

    def stop_executor(self) -> None:
        """End the execution actor at once, whatever it is doing; its journal is on disk.

        Returns when its name is free for the next one.
        """
        if self._executor is not None:
            ray.kill(self._executor)
            self._executor = None
            wait_until_gone(STOP_TIMEOUT_S)

    def stop(self) -> None:
        """Stop executor, deployments and, if we started it, Ray. Calling it twice is harmless."""
        if not ray.is_initialized():
            return
        self.stop_executor()
        end_session(owns_ray=self._owns_ray)

    def __enter__(self) -> ServingApp:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start_serving(config: ServingConfig) -> ServingApp:
    """Start the application and wait until a champion serves.

    Raises
    ------
    ModelError
        ``NO_CHAMPION`` if there is nothing to serve; Ray is not even started then.
    InputError
        If the port is taken, or the host is not of this machine; Ray is not started either.
    ServingError
        If it does not come up, or the champion cannot be loaded; ``fields`` carry the refusal.
    """
    find_champion(TrackingStore(config.home), config.model_name, config.alias)
    port = listening_port(config.host, config.port)
    owns_ray = not ray.is_initialized()
    try:
        if owns_ray:
            start_ray(config.num_cpus)
        _start_http(config, port)
        serve.run(_application(config), name=APP_NAME, route_prefix="/", logging_config=_logging())
        predictor = serve.get_deployment_handle("Predictor", app_name=APP_NAME)
        app = ServingApp(f"http://{config.host}:{port}", predictor, owns_ray=owns_ray)
        _wait_until_ready(app, config.ready_timeout_s)
    except BaseException as error:
        end_session(owns_ray=owns_ray)
        if isinstance(error, RuntimeError | TimeoutError | RayError | RayServeException):
            raise ServingError(f"the serving application did not start: {ray_reason(error)}") from error
        raise
    return app


def _start_http(config: ServingConfig, port: int) -> None:
    serve.start(
        proxy_location="HeadOnly",
        http_options={"host": config.host, "port": port, "request_timeout_s": config.timeout_s},
        logging_config=_logging(),
    )


def _application(config: ServingConfig) -> serve.Application:
    predictor = _deployment(Predictor, cpus=0.25).bind(
        str(config.home.resolve()), config.model_name, config.alias, config.poll_s
    )
    scorer = _deployment(ScoringService, cpus=0.25).bind()
    gateway = _deployment(serve.ingress()(Gateway), cpus=0.25)
    return gateway.bind(predictor, scorer, config.timeout_s, version("omniarb"))


def _deployment(kind: type, cpus: float) -> serve.Deployment:
    """Return a deployment with every limit written out; Serve's defaults suit no block clock."""
    make = serve.deployment(
        name=kind.__name__,
        num_replicas=1,
        max_ongoing_requests=64,
        max_queued_requests=256,
        backpressure_config={"status_code": 503, "retry_after_s": 1},
        health_check_period_s=2.0,
        health_check_timeout_s=10.0,
        graceful_shutdown_wait_loop_s=0.1,
        graceful_shutdown_timeout_s=2.0,
        max_surge_percent=100,
        ray_actor_options={"num_cpus": cpus},
    )
    return make(kind)


def _logging() -> LoggingConfig:
    return LoggingConfig(log_level="WARNING", enable_access_log=False)


def _wait_until_ready(app: ServingApp, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    status = app.predictor_status()
    while not status["ready"]:
        refusal = status["refusal"] or {}
        final = refusal.get("code") == Reason.MODEL_UNUSABLE
        if final or time.monotonic() > deadline:
            raise ServingError(f"no model serves: {refusal.get('message')}", reason=refusal.get("code"))
        time.sleep(0.1)
        status = app.predictor_status()
