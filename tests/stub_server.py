"""A web server for responses that the emulator cannot give."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


@dataclass(frozen=True)
class Reply:
    """A response; a body other than bytes is sent as JSON."""

    body: Any = None
    status: int = 200

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass
class StubServer:
    """A server and the requests that it received."""

    address: str = ""
    paths: list[str] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


@contextmanager
def stub_server(*replies: Reply, choose: Callable[[str], Reply] | None = None) -> Iterator[StubServer]:
    """Serve the replies in order, the last one again and again; or the reply that a function chooses for a path."""
    stub = StubServer()

    class Handler(BaseHTTPRequestHandler):
        def reply(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            stub.bodies.append(json.loads(body) if body.startswith(b"{") else body)
            stub.paths.append(self.path)
            stub.headers.append(dict(self.headers))
            reply = choose(self.path) if choose else replies[min(len(stub.paths), len(replies)) - 1]
            self.send_response(reply.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(reply.content)))
            self.end_headers()
            self.wfile.write(reply.content)

        do_GET = do_POST = reply  # noqa: N815 - the names that the base class expects

        def log_message(self, *_arguments: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        stub.address = f"http://127.0.0.1:{server.server_port}"
        try:
            yield stub
        finally:
            server.shutdown()
