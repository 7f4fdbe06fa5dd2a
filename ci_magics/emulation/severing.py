"""Reset connections while the client is still sending."""

from __future__ import annotations

import socket
import struct
import uuid
from collections.abc import Awaitable
from typing import Any

from tornado import httputil

from ci_magics.emulation.injection import cuts_upload, next_fault
from ci_magics.emulation.routes import find_route
from ci_magics.emulation.state import RequestLine, World

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Severing(httputil.HTTPServerConnectionDelegate):
    """Pass requests to the application, except those that a fault cuts."""

    def __init__(self, application: httputil.HTTPServerConnectionDelegate, world: World) -> None:
        self._application = application
        self._world = world

    def start_request(self, server_conn: object, request_conn: httputil.HTTPConnection) -> httputil.HTTPMessageDelegate:
        """Begin a request.

        Parameters
        ----------
        server_conn
            The connection.
        request_conn
            The connection of this request.
        """
        inner = self._application.start_request(server_conn, request_conn)
        return _Message(inner, self._world, request_conn)

    def on_close(self, server_conn: object) -> None:
        """Pass on that a connection has closed."""
        self._application.on_close(server_conn)


class _Message(httputil.HTTPMessageDelegate):
    """One request; its connection is reset after half of the body."""

    def __init__(self, inner: httputil.HTTPMessageDelegate, world: World, connection: Any) -> None:
        self._inner = inner
        self._world = world
        self._connection = connection
        self._request: tuple[str, str, str] = ("", "", "")
        self._cut_at: float | None = None
        self._severed = False
        self._received = 0

    def headers_received(
        self, start_line: httputil.RequestStartLine | httputil.ResponseStartLine, headers: httputil.HTTPHeaders
    ) -> Awaitable[None] | None:
        if isinstance(start_line, httputil.RequestStartLine):
            path = start_line.path.partition("?")[0]
            found = find_route(start_line.method, path)
            length = headers.get("Content-Length", "0")
            if not isinstance(found, int) and length.isdecimal() and cuts_upload(self._world, found[0].operation):
                self._request = (start_line.method, path, found[0].operation)
                self._cut_at = int(length) / 2
        return self._inner.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        self._received += len(chunk)
        if self._cut_at is not None and self._received >= self._cut_at:
            self._reset()
            return None
        return self._inner.data_received(chunk)

    def finish(self) -> None:
        if not self._severed:
            self._inner.finish()

    def on_connection_close(self) -> None:
        self._inner.on_connection_close()

    def _reset(self) -> None:
        self._cut_at, self._severed = None, True
        world, (method, path, operation) = self._world, self._request
        fault = next_fault(world, operation).fault
        world.received += 1
        line = RequestLine(world.received, method, path, operation, 0, self._received, str(uuid.uuid4()), fault)
        world.requests.append(line)
        stream = self._connection.stream
        stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        stream.close()
