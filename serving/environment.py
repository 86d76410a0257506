"""Environment for Ray and MLflow: for this machine alone, no reports to anybody, errors alone on the screen.

Both libraries read most of this when they are imported, so an entry point applies it first.

Ray's own ports then listen on the loopback address. Ray Serve opens one more port for each replica,
for calls between deployments, and no option of Ray binds it to one address: it listens on all of
them. It answers only to callers that know the session's token, which Ray asks for unless
``RAY_AUTH_MODE`` says otherwise. (Setting that here would shut out a Ray that was imported earlier.)
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Mapping, MutableMapping

LIBRARY_ENVIRONMENT: Mapping[str, str] = {
    # in spite of its name, this makes Ray's own ports listen on the loopback address on every system
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "GRPC_VERBOSITY": "ERROR",
}
TOKEN_VARIABLE = "RAY_AUTH_TOKEN"
TOKEN_BYTES = 32


def quiet_libraries(environ: MutableMapping[str, str]) -> None:
    """Set what is not set yet; call it with ``os.environ`` before Ray or MLflow is imported.

    Examples
    --------
    >>> environ = {"MLFLOW_LOGGING_LEVEL": "DEBUG"}
    >>> quiet_libraries(environ)
    >>> environ["MLFLOW_LOGGING_LEVEL"], environ["RAY_USAGE_STATS_ENABLED"]
    ('DEBUG', '0')
    """
    if "ray" not in sys.modules:
        # without one, Ray keeps a token in the home folder, for all sessions and all users to read;
        # a Ray that has been imported may hold that one already, and two would shut each other out
        environ.setdefault(TOKEN_VARIABLE, secrets.token_hex(TOKEN_BYTES))
    for name, value in LIBRARY_ENVIRONMENT.items():
        environ.setdefault(name, value)
