"""Ports: find a free one, or make sure of the one that was asked for before anything is started."""

from __future__ import annotations

import errno
import os
import socket

from core.errors import InputError


def listening_port(host: str, port: int) -> int:
    """Return the port to listen on: ``port`` if it can be taken just now, a free one for 0.

    Raises
    ------
    InputError
        If somebody listens there already, or this machine has no such address.

    Examples
    --------
    >>> listening_port("127.0.0.1", 0) > 0
    True
    """
    try:
        family, *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.create_server((host, port), family=family) as probe:
            return int(probe.getsockname()[1])
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise InputError(
                f"port {port} of {host} is taken; stop what listens there, or set serving.port to another "
                "one (0 takes a free one)",
                host=host,
                port=port,
            ) from None
        # what asking for a name raises has codes of its own, below zero
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise InputError(
            f"cannot listen on port {port} of {host}: {why}; correct serving.host and serving.port",
            host=host,
            port=port,
        ) from None
    except UnicodeError:
        raise InputError(f"{host!r} is no name of a host; correct serving.host", host=host) from None
