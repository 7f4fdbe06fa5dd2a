"""HTTP to Microsoft's services: one conversation for all, with access tokens, retries, and checks before sending.

`Service` describes what differs between the services. `retries` holds the loop, and `codes` what is retried.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import NewConnectionError

from ci_magics.clock import Clock, SystemClock
from ci_magics.errors import CiError
from ci_magics.microsoft.answers import Received, receive
from ci_magics.microsoft.codes import Retry
from ci_magics.microsoft.endpoints import Endpoints
from ci_magics.microsoft.retries import Patience, TransientError, lost, outcome_unknown, retry
from ci_magics.microsoft.unreachable import Adapter, answered_by_another
from ci_magics.version import __version__

_TRIES_TO_REACH = 100
_UNTIL_IT_HAS_ENDED = 0.05  # seconds; an emulator that shuts down stops listening before it releases its lease
_JSON_TIMEOUT = (10.0, 100.0)  # seconds to connect, and to wait for a byte of the response

Permit = Callable[[bool], None]
"""Called right before each try of a request, and told whether an earlier try may have arrived.

It raises an error to keep the request back; nothing is sent then, and that error ends the call.
"""


def always(_may_have_arrived: bool) -> None:
    """Permit every attempt."""


#: Called by the adapter in the thread that sends.
_asked: ContextVar[Callable[[], None]] = ContextVar("asked", default=lambda: None)


class AccessTokens(Protocol):
    """The source of access tokens; identifies the user."""

    def token(self) -> str:
        """Return a valid access token."""
        ...

    def renew(self) -> str:
        """Return a new access token after the last one was rejected."""
        ...


Needs = Literal["object", "value", "nothing"]
"""What makes a success usable: a JSON object, any JSON value, or nothing but the status."""


@dataclass(frozen=True)
class Answer:
    """A successful response: its JSON value, or an empty object, and the TrackingId that support asks for."""

    body: Any
    tracking_id: str | None = None


@dataclass(frozen=True)
class Refusal:
    """What a response means that is not a success.

    Parameters
    ----------
    error
        The error that the user sees if no retry helps.
    retry
        How the request is retried.
    """

    error: CiError
    retry: Retry


@dataclass(frozen=True)
class Service:
    """What differs between Microsoft's services.

    Parameters
    ----------
    name
        The name, for messages.
    endpoints
        The URLs of the environment.
    read_refusal
        Reads a response that is not a success; called with the response, the operation, and the name of the service.
    headers
        What every request needs besides the access token: ids, a developer token, or a subscription key.
    patience
        How often and how long a request is retried.
    reads_only
        Whether no request changes anything, so that a lost response leaves nothing in doubt.
    require_own
        Called with each URL and its operation; raises an error if credentials may not be sent there.
    """

    name: str
    endpoints: Endpoints
    read_refusal: Callable[[Received, str, str], Refusal] = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    patience: Patience = field(default_factory=Patience)
    reads_only: bool = False
    require_own: Callable[[str, str], object] = field(default=lambda _url, _operation: None, repr=False)


def open_session(endpoints: Endpoints) -> requests.Session:
    """Return a session with persistent connections; for the emulator it ignores the machine's proxies.

    Parameters
    ----------
    endpoints
        The URLs of the environment.
    """
    session = requests.Session()
    session.trust_env = not endpoints.is_emulator
    session.auth = _as_it_is  # otherwise the machine's .netrc would replace the bearer token
    session.headers["User-Agent"] = f"ci-magics/{__version__}"
    session.mount("https://", _Asking(pool_maxsize=8))
    session.mount("http://", emulator_adapter(endpoints))
    return session


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def emulator_adapter(endpoints: Endpoints) -> HTTPAdapter:
    """Return the adapter for an emulator, which follows the emulator if its port changes.

    Parameters
    ----------
    endpoints
        The URLs of the emulator; they say how to locate it.
    """
    return _Following(endpoints.locate) if endpoints.locate else _Asking(pool_maxsize=8)


class _Asking(Adapter):
    """Ask for permission right before sending, after all waits, sign-ins, and retries."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Ask for permission, then send the request."""
        _asked.get()()
        return super().send(request, *args, **kwargs)


@contextmanager
def _asking(permit: Callable[[], None]) -> Iterator[None]:
    """Set the permission check for requests of this thread."""
    before = _asked.set(permit)
    try:
        yield
    finally:
        _asked.reset(before)


class _Following(_Asking):
    """Send each request to the emulator's current address.

    The Host header keeps the address that the client knows, so URLs in the response start with it.
    """

    def __init__(self, locate: Callable[[], str]) -> None:
        self._locate = locate
        super().__init__(pool_maxsize=8)

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Send a request; if it was refused before being processed, send it to the new process."""
        url = request.url or ""
        parts = urlsplit(url)
        request.headers.setdefault("Host", parts.netloc)
        tries_left = _TRIES_TO_REACH
        while True:
            request.url = self._locate() + url.removeprefix(f"{parts.scheme}://{parts.netloc}")
            try:
                return super().send(request, *args, **kwargs)
            except requests.ConnectionError as error:
                tries_left -= 1
                if not tries_left or not (request.method == "GET" or _was_refused(error)):
                    raise
                threading.Event().wait(_UNTIL_IT_HAS_ENDED)


def _was_refused(error: requests.ConnectionError) -> bool:
    """Return whether no connection was made, so that nothing was sent."""
    return bool(error.args) and isinstance(getattr(error.args[0], "reason", None), NewConnectionError)


class Conversation:
    """Send requests to a service of Microsoft and read the responses.

    Parameters
    ----------
    service
        The service: where it is, and how it refuses.
    tokens
        The source of access tokens.
    clock
        Used for waits; tests replace it.
    on_wait
        Called with a sentence before each wait of a second or more.
    """

    def __init__(
        self,
        service: Service,
        tokens: AccessTokens,
        *,
        clock: Clock | None = None,
        on_wait: Callable[[str], None] | None = None,
    ) -> None:
        self.service = service
        self.clock: Clock = clock or SystemClock()
        self.session = open_session(service.endpoints)
        self._tokens = tokens
        self._on_wait = on_wait or (lambda _sentence: None)

    def get(self, operation: str, url: str, headers: Mapping[str, str] | None = None) -> Any:
        """Request a JSON value; raises the errors of `call`.

        Parameters
        ----------
        operation
            What is requested, for messages.
        url
            The URL.
        headers
            Additional headers.
        """
        return self.call(operation, "GET", url, None, needs="value", headers=headers).body

    def post(self, operation: str, url: str) -> Any:
        """Send an idempotent request without a body, and return the JSON value; raises the errors of `call`.

        Parameters
        ----------
        operation
            What is requested, for messages.
        url
            The URL.
        """
        return self.call(operation, "POST", url, None, needs="value").body

    def call(
        self,
        operation: str,
        verb: str,
        url: str,
        body: Mapping[str, Any] | None,
        *,
        repeatable: bool = True,
        needs: Needs = "object",
        headers: Mapping[str, str] | None = None,
        permit: Permit = always,
    ) -> Answer:
        """Send a JSON request, with retries, and return the response.

        Parameters
        ----------
        operation
            Microsoft's name of the operation, for messages.
        verb
            The HTTP method.
        url
            The URL; it is sent unchanged.
        body
            The JSON object to send, if any.
        repeatable
            Whether the request is idempotent. If not, it is not retried after a lost response.
        needs
            What makes a success usable.
        headers
            Additional headers.
        permit
            Called right before each attempt; see `Permit`.

        Raises
        ------
        ServiceError
            Microsoft refused, is unreachable, or throttles for too long; or the URL is on another host.
        SignInError
            The sign-in is no longer accepted.
        OutcomeUnknownError
            The request was sent, no usable response came back, and a retry is unsafe.
        """
        self.service.require_own(url, operation)

        def send() -> requests.Response:
            given = {**self.headers(), **(headers or {})}
            request = self.session.prepare_request(requests.Request(verb, url, json=body, headers=given))
            request.url = url  # keeps the link unchanged: requests would encode some characters again
            settings = self.session.merge_environment_settings(url, {}, True, None, None)
            return self.session.send(request, timeout=_JSON_TIMEOUT, allow_redirects=False, **settings)

        return self.exchange(operation, send, repeatable=repeatable, needs=needs, permit=permit)

    def exchange(
        self,
        operation: str,
        send: Callable[[], requests.Response],
        *,
        repeatable: bool,
        needs: Needs = "object",
        permit: Permit = always,
    ) -> Answer:
        """Send a request, retry transient errors, and return the response.

        Parameters
        ----------
        operation
            The name of the operation, for messages.
        send
            Sends the request once, with ``stream=True`` and without following redirects.
        repeatable
            Whether the request is idempotent.
        needs
            What makes a success usable.
        permit
            Called right before each attempt; see `Permit`.

        Raises
        ------
        CiError
            As for `call`.
        """
        renewals = iter((self._tokens.renew,))
        may_have_arrived = False

        def once() -> Answer:
            nonlocal may_have_arrived
            try:
                with _asking(lambda: permit(may_have_arrived)):
                    received = receive(send(), self.clock.now())
                return self._read(operation, received, repeatable, needs, renewals)
            except requests.RequestException as error:
                failed = self._lost(operation, error, repeatable)
            except TransientError as passing:
                failed = passing
            may_have_arrived |= isinstance(failed, TransientError) and failed.may_have_arrived
            raise failed from None

        return retry(once, self.service.patience, self.clock, self._on_wait)

    def headers(self) -> dict[str, str]:
        """Return the headers of every request, with a valid access token."""
        return {
            "Accept": "application/json",
            "Authorization": f"Bearer {self._tokens.token()}",
            **self.service.headers,
        }

    def _lost(self, operation: str, error: requests.RequestException, repeatable: bool) -> TransientError | CiError:
        return lost(
            self.service.name,
            operation,
            error,
            repeatable=repeatable,
            reads_only=self.service.reads_only,
            is_emulator=self.service.endpoints.is_emulator,
        )

    def _read(
        self,
        operation: str,
        received: Received,
        repeatable: bool,
        needs: Needs,
        renewals: Iterator[Callable[[], object]],
    ) -> Answer:
        """Return a success, or raise the error: a `TransientError` if the request is to be retried."""
        service = self.service
        if received.ok and _is_usable(received, needs):
            return Answer({} if received.value is None else received.value, received.tracking_id)
        another = answered_by_another(service.name, operation, received)
        if another is not None:
            raise another
        refusal = service.read_refusal(received, operation, service.name)
        if refusal.retry >= Retry.BY_RUN:
            raise refusal.error
        if refusal.retry is Retry.NEW_TOKEN:
            renew = next(renewals, None)
            if renew is None:
                raise refusal.error
            renew()
            raise TransientError(refusal.error, 0.0, is_renewed=True)
        may_have_arrived = refusal.retry is Retry.IF_IDEMPOTENT
        if may_have_arrived and not repeatable:
            raise outcome_unknown(service.name, operation, received.tracking_id)
        wait = refusal.retry.seconds if received.retry_after is None else received.retry_after
        raise TransientError(refusal.error, wait, may_have_arrived=may_have_arrived)


def _is_usable(received: Received, needs: Needs) -> bool:
    return needs == "nothing" or (received.body if needs == "object" else received.value) is not None
