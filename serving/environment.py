"""Environment for Ray and MLflow: loopback only, no reports to anybody, errors alone on the screen.

Both libraries read most of this when they are imported, so an entry point applies it first.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping

LIBRARY_ENVIRONMENT: Mapping[str, str] = {
    # in spite of its name, this makes Ray's own ports listen on the loopback address on every system
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "GRPC_VERBOSITY": "ERROR",
}


def quiet_libraries(environ: MutableMapping[str, str]) -> None:
    """Set what is not set yet; call it with ``os.environ`` before Ray or MLflow is imported.

    Examples
    --------
    >>> environ = {"MLFLOW_LOGGING_LEVEL": "DEBUG"}
    >>> quiet_libraries(environ)
    >>> environ["MLFLOW_LOGGING_LEVEL"], environ["RAY_USAGE_STATS_ENABLED"]
    ('DEBUG', '0')
    """
    for name, value in LIBRARY_ENVIRONMENT.items():
        environ.setdefault(name, value)
