"""The HTTP server: one loopback port; counts, answers and records every request."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import re
import uuid
from typing import Any
from urllib.parse import parse_qsl, unquote

import tornado.httpserver
import tornado.httputil
import tornado.iostream
import tornado.netutil
import tornado.web
from tornado.log import app_log

from ci_magics.emulation import injection
from ci_magics.emulation.advertising import bulk
from ci_magics.emulation.call import Call, UploadedFile
from ci_magics.emulation.control import check_control
from ci_magics.emulation.injection import Injected
from ci_magics.emulation.insights.replies import failure_at
from ci_magics.emulation.presence import LEASE_PATH, Leases, proof
from ci_magics.emulation.replies import Refusal, Reply, ad_api_fault
from ci_magics.emulation.route import Route
from ci_magics.emulation.routes import find_route
from ci_magics.emulation.severing import Severing
from ci_magics.emulation.state import RequestLine, World

HOST = "127.0.0.1"
MAX_BODY = 512 * 1024 * 1024  # above Microsoft's limit, so that larger files get Microsoft's error
_SECRET_HEADERS = {
    "authorization",
    "authenticationtoken",
    "developertoken",
    "x-control-token",
    "cookie",
    "ocp-apim-subscription-key",
}
_SIGNATURE = re.compile(r"\bsig=[0-9a-f]+")


class _OvertakenError(Exception):
    """The world was reset while a call waited."""


class Front(tornado.web.RequestHandler):
    """The handler of all requests."""

    world: World
    leases: Leases

    def initialize(self, world: World, leases: Leases) -> None:
        """Store the objects that all requests share.

        Parameters
        ----------
        world
            The emulator's state.
        leases
            The leases of all clients.
        """
        self.world = world
        self.leases = leases
        self._gone = asyncio.Event()

    def on_connection_close(self) -> None:
        """Record that the client has closed the connection."""
        self._gone.set()

    def check_xsrf_cookie(self) -> None:
        """Allow POST requests: there are no cookies."""

    async def handle(self, *_parts: str) -> None:
        """Answer one request."""
        self.leases.note_request()
        if self.request.path == LEASE_PATH:
            await self._lease()
            return
        tracking_id = str(uuid.uuid4())
        found = find_route(self.request.method or "", self.request.path)
        if isinstance(found, int):
            insights = failure_at(self.request.path, found)
            missing = Reply({"Message": "There is no such operation."}, found)
            await self._send(insights.reply if insights else missing, "", tracking_id)
            return
        route, arguments = found
        call = _call(self.request, arguments)
        if self.request.path.startswith("/_emulator/"):
            reply = self._control(route, call)
            self._begin(reply, None)
            await self._write(reply)
            return
        injected = injection.next_fault(self.world, route.operation)
        try:
            reply = await self._service(route, call, injected)
        except _OvertakenError:
            self._hang_up()
            return
        if injected.fault in ("lost_request", "lost_reply", "reset_mid_upload"):
            self._record(route.operation, 0, tracking_id, injected.fault)
            self._hang_up()
            return
        await self._send(reply, route.operation, tracking_id, injected.fault)

    get = post = put = delete = patch = handle

    async def _lease(self) -> None:
        """Keep a lease open until the client ends, after each side has proved its identity."""
        nonce, token = self.get_query_argument("nonce", ""), self.world.control_token
        given = self.get_query_argument("proof", "")
        if not nonce or not hmac.compare_digest(given, proof(token, "client", nonce)):
            self.set_status(403)
            return
        self.leases.take(self._hang_up)
        try:
            self.write(proof(token, "emulator", nonce) + "\n")
            with contextlib.suppress(tornado.iostream.StreamClosedError):
                await self.flush()
                await self._gone.wait()
        finally:
            self.leases.release(self._hang_up)
            self._finished = True

    async def _service(self, route: Route, call: Call, injected: Injected) -> Reply:
        self.world.running[route.operation] += 1
        try:
            return await self._answered(route, call, injected)
        finally:
            self.world.running[route.operation] -= 1

    async def _answered(self, route: Route, call: Call, injected: Injected) -> Reply:
        delay = self.world.settings.delay_ms / 1000
        if injected.fault == "slow":
            delay += injected.detail("seconds", 1.0)
        if delay:
            await self._wait(delay)
        if injected.fault in ("lost_request", "reset_mid_upload"):
            return Reply()
        try:
            with self.world.changing():
                instead = injection.instead(self.world, route.operation, injected, call)
                if instead is not None:
                    return instead
                injection.prepare(route.operation, injected, call)
                reply = self._upload(call, injected) if route.handler is None else route.handler(self.world, call)
        except Refusal as refusal:
            reply = refusal.reply
        return injection.after(route.operation, injected, reply)

    async def _wait(self, seconds: float) -> None:
        """Delay a call; discard it if the world was reset meanwhile."""
        resets = self.world.resets
        await asyncio.sleep(seconds)
        if self.world.resets != resets:
            raise _OvertakenError

    def _upload(self, call: Call, injected: Injected) -> Reply:
        reply, work = bulk.accept_file(self.world, call, injected)
        asyncio.get_running_loop().run_in_executor(None, work)
        return reply

    def _control(self, route: Route, call: Call) -> Reply:
        if route.handler is None:
            return Reply(status=404)
        try:
            check_control(self.world, call)
            with self.world.changing():
                return route.handler(self.world, call)
        except Refusal as refusal:
            return refusal.reply

    async def _send(self, reply: Reply, operation: str, tracking_id: str, fault: str = "") -> None:
        if isinstance(reply.body, dict) and "TrackingId" in reply.body:
            reply.body["TrackingId"] = tracking_id
        self._record(operation, reply.status, tracking_id, fault)
        self._begin(reply, tracking_id)
        await self._write(reply)

    def _begin(self, reply: Reply, tracking_id: str | None) -> None:
        self.set_status(reply.status)
        if tracking_id:
            self.set_header("TrackingId", tracking_id)
        self.set_header("Content-Type", reply.content_type)
        self.set_header("Cache-Control", "no-store")
        for name, value in reply.headers.items():
            self.set_header(name, value)

    async def _write(self, reply: Reply) -> None:
        """Send a body; an iterator is sent piece by piece as the client reads."""
        body = reply.encoded()
        if not isinstance(body, bytes):
            with contextlib.suppress(tornado.iostream.StreamClosedError):  # the client has closed the connection
                for piece in body:
                    self.write(piece)
                    await self.flush()
                self.finish()
        elif reply.breaks_off:
            self.set_header("Content-Length", len(body) * 2 + 1)
            self.write(body)
            await self.flush()
            self._hang_up()
        else:
            self.finish(body)

    def _hang_up(self) -> None:
        """Close the connection without an answer."""
        stream = self.request.connection.stream if self.request.connection else None  # type: ignore[attr-defined]  # HTTP/1 connections have one
        self._finished = True
        if isinstance(stream, tornado.iostream.IOStream):
            stream.close()

    def _record(self, operation: str, status: int, tracking_id: str, fault: str = "") -> None:
        world, request = self.world, self.request
        world.received += 1
        with_body = world.settings.record_bodies
        world.requests.append(
            RequestLine(
                number=world.received,
                method=request.method or "",
                path=request.path,
                operation=operation,
                status=status,
                bytes=len(request.body),
                tracking_id=tracking_id,
                fault=fault or None,
                query=_SIGNATURE.sub("sig=present", request.query) if with_body else None,
                headers=_shown_headers(request.headers) if with_body else None,
                body=request.body.decode("latin-1") if with_body else None,
            )
        )

    def write_error(self, status_code: int, **_details: Any) -> None:
        """Answer an internal error of the emulator in Microsoft's format.

        Parameters
        ----------
        status_code
            The HTTP status.
        **_details
            Unused.
        """
        reply = (failure_at(self.request.path, status_code) or ad_api_fault(0)).reply
        reply.status = status_code
        tracking_id = str(uuid.uuid4())
        self._record("", status_code, tracking_id)
        self._begin(reply, tracking_id)
        self.finish(json.dumps(reply.body))

    def log_exception(self, *error: Any) -> None:
        """Log only the type of an error, because messages may quote data."""
        kind, value = error[0], error[1]
        if kind is not None and not isinstance(value, tornado.web.HTTPError):
            app_log.error("%s in %s", kind.__name__, self.request.path)


def start(world: World, leases: Leases, port: int) -> tuple[tornado.httpserver.HTTPServer, str]:
    """Listen on the loopback address.

    Parameters
    ----------
    world
        The emulator's state.
    leases
        The leases of all clients.
    port
        The port; 0 for any free port.

    Returns
    -------
    tuple
        The server and its base address.

    Raises
    ------
    OSError
        The port is in use.
    """
    shared = {"world": world, "leases": leases}
    application = tornado.web.Application([(r"/.*", Front, shared)], log_function=lambda _handler: None)
    server = tornado.httpserver.HTTPServer(
        Severing(application, world), max_body_size=MAX_BODY, max_buffer_size=MAX_BODY
    )
    sockets = tornado.netutil.bind_sockets(port, HOST)
    server.add_sockets(sockets)
    return server, f"http://{HOST}:{sockets[0].getsockname()[1]}"


def _call(request: tornado.httputil.HTTPServerRequest, arguments: dict[str, str]) -> Call:
    files = [UploadedFile(each.filename, each.body) for parts in request.files.values() for each in parts]
    form = {name: values[-1].decode("utf-8", "replace") for name, values in request.body_arguments.items()}
    return Call(
        method=request.method or "",
        path=request.path,
        query=dict(parse_qsl(request.query, keep_blank_values=True)),
        headers=request.headers,
        body=request.body,
        host=request.host,
        arguments={name: unquote(value) for name, value in arguments.items()},
        raw_query=request.query,
        form=form,
        files=files,
    )


def _shown_headers(headers: tornado.httputil.HTTPHeaders) -> dict[str, str]:
    return {name: "present" if name.lower() in _SECRET_HEADERS else value for name, value in sorted(headers.get_all())}
