"""A JSON-RPC server over HTTP that lives in the running event loop, on a port of its own."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from starlette.requests import ClientDisconnect

from chain.blocks import Address
from chain.signers import HEADER, verify_header
from core.errors import InputError, OmniArbError, SecretError
from core.reasons import Reason
from execution.relays.wire import MAX_BRACKETS, nests_too_deeply

MAX_BODY = 2_000_000
"""Bytes of a request; a bundle of the largest allowed size takes a third of it."""

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
REFUSED = -32000


@dataclass(frozen=True, slots=True)
class Method:
    """A remote method.

    Parameters
    ----------
    handle
        Takes ``params`` and the signer's address, returns what goes out as JSON; refuses by
        raising an :class:`~core.errors.OmniArbError` whose ``fields['reason']`` says why.
    signed
        Whether the request must carry a valid signature; the signer is empty otherwise.
    """

    handle: Callable[[Any, Address], Awaitable[Any]]
    signed: bool = False


class RpcServer:
    """Answers JSON-RPC requests by name.

    Parameters
    ----------
    methods
        By name.
    port
        0 takes a free one.
    """

    def __init__(self, methods: Mapping[str, Method], port: int = 0) -> None:
        self._methods = methods
        self._port = port

    @property
    def url(self) -> str:
        """Where it listens, once it is running."""
        return f"http://127.0.0.1:{self._port}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve for the length of a ``with`` block.

        Raises
        ------
        InputError
            If the port is taken.
        """
        app = FastAPI(openapi_url=None)
        app.add_api_route("/", self._answer, methods=["POST"])
        with self._listening() as listener:
            self._port = listener.getsockname()[1]
            server = _EmbeddedServer(
                uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", ws="none")
            )
            task = asyncio.create_task(server.serve(sockets=[listener]))
            try:
                await server.listening.wait()
                yield
            finally:
                server.should_exit = True
                await task

    @contextmanager
    def _listening(self) -> Iterator[socket.socket]:
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", self._port))
            except OSError as error:
                raise InputError(
                    f"port {self._port} is taken; choose another or 0", port=self._port
                ) from error
            yield listener

    async def _answer(self, request: Request) -> Response:
        try:
            body = await _bounded_body(request)
        except ClientDisconnect:
            # who asked is gone, and nobody reads this
            return _error(None, INVALID_REQUEST, "the connection ended inside the request", status=400)
        if body is None:
            return _error(None, INVALID_REQUEST, f"a request has at most {MAX_BODY} bytes", status=413)
        if nests_too_deeply(body):
            return _error(None, INVALID_REQUEST, f"a request has at most {MAX_BRACKETS} brackets", status=400)
        try:
            content = json.loads(body)
        except ValueError:
            return _error(None, PARSE_ERROR, "the body is no JSON", status=400)
        if not isinstance(content, dict) or not isinstance(content.get("method"), str):
            return _error(
                None, INVALID_REQUEST, "send one JSON-RPC object; batches are not taken", status=400
            )
        method = self._methods.get(content["method"])
        if method is None:
            return _error(content.get("id"), METHOD_NOT_FOUND, f"no method {content['method'][:80]}")
        signer = ""
        if method.signed:
            try:
                signer = verify_header(request.headers.get(HEADER, ""), body)
            except SecretError as error:
                return _error(
                    content.get("id"), INVALID_REQUEST, str(error), Reason.BAD_SIGNATURE, status=403
                )
        try:
            result = await method.handle(content.get("params", []), signer)
        except OmniArbError as error:
            code = INVALID_PARAMS if isinstance(error, InputError) else REFUSED
            return _error(content.get("id"), code, str(error), error.fields.get("reason"))
        return _json({"jsonrpc": "2.0", "id": content.get("id"), "result": result})


class _EmbeddedServer(uvicorn.Server):
    """Leaves the process's signal handlers alone: they belong to whoever owns the loop."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _bounded_body(request: Request) -> bytes | None:
    """Read the body; ``None`` as soon as it is too long."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            return None
    return bytes(body)


def _error(
    request_id: Any, code: int, message: str, reason: Reason | None = None, status: int = 200
) -> Response:
    error: dict[str, Any] = {"code": code, "message": message}
    if reason is not None:
        error["data"] = {"reason": reason.value}
    return _json({"jsonrpc": "2.0", "id": request_id, "error": error}, status)


def _json(content: dict[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(content), status_code=status, media_type="application/json")
