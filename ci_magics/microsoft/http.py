"""HTTP conversation with Microsoft Advertising: headers, responses, faults, and retries."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt
from urllib3.exceptions import NewConnectionError

from ci_magics import __version__
from ci_magics.clock import Clock, SystemClock
from ci_magics.errors import CiError
from ci_magics.microsoft.answers import Received, receive
from ci_magics.microsoft.endpoints import Endpoints
from ci_magics.microsoft.faults import read_faults, service_error
from ci_magics.microsoft.retries import (
    RENEW,
    TransientError,
    answered_by_another,
    lost,
    passing_or_final,
    redirected,
    seconds_to_wait,
)
from ci_magics.microsoft.unreachable import Adapter

_ATTEMPTS = 5
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


@dataclass(frozen=True)
class Answer:
    """A successful response: its JSON object and the TrackingId that support asks for."""

    body: dict[str, Any]
    tracking_id: str | None = None


@dataclass(frozen=True)
class Caller:
    """Everything that identifies a caller to Microsoft Advertising.

    Parameters
    ----------
    endpoints
        The URLs of the environment.
    tokens
        The source of access tokens.
    customer_id, account_id
        The ids to act for; empty before they are known.
    developer_token
        The token that Microsoft issues for API access.
    """

    endpoints: Endpoints
    tokens: AccessTokens
    customer_id: str
    account_id: str
    developer_token: str = field(repr=False)


def open_session(endpoints: Endpoints) -> requests.Session:
    """Return a session with persistent connections; for the emulator it ignores the machine's proxies."""
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
    """Return the adapter for an emulator, which follows the emulator if its port changes."""
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
        for tries_left in reversed(range(_TRIES_TO_REACH)):
            request.url = self._locate() + url.removeprefix(f"{parts.scheme}://{parts.netloc}")
            try:
                return super().send(request, *args, **kwargs)
            except requests.ConnectionError as error:
                if not tries_left or not (request.method == "GET" or _was_refused(error)):
                    raise
                threading.Event().wait(_UNTIL_IT_HAS_ENDED)
        raise AssertionError


def _was_refused(error: requests.ConnectionError) -> bool:
    """Return whether no connection was made, so that nothing was sent."""
    return bool(error.args) and isinstance(getattr(error.args[0], "reason", None), NewConnectionError)


class Conversation:
    """Send JSON to Microsoft Advertising and read the responses.

    Parameters
    ----------
    caller
        URLs, identity, and ids.
    clock
        Used for waits; tests replace it.
    on_wait
        Called with a sentence before each wait of a second or more.
    """

    def __init__(
        self,
        caller: Caller,
        *,
        clock: Clock | None = None,
        on_wait: Callable[[str], None] | None = None,
    ) -> None:
        self.caller = caller
        self.clock: Clock = clock or SystemClock()
        self.session = open_session(caller.endpoints)
        self._on_wait = on_wait or (lambda _sentence: None)

    def call(
        self,
        operation: str,
        verb: str,
        url: str,
        body: Mapping[str, Any],
        *,
        repeatable: bool = True,
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
            The URL.
        body
            The JSON object to send.
        repeatable
            Whether the request is idempotent. If not, it is not retried after a lost response.
        permit
            Called right before each attempt; see `Permit`.

        Raises
        ------
        ServiceError
            Microsoft refused, or is unreachable.
        SignInError
            The sign-in is no longer accepted.
        OutcomeUnknownError
            The request was sent, no usable response came back, and a retry is unsafe.
        """

        def send() -> requests.Response:
            return self.session.request(
                verb,
                url,
                json=body,
                headers=self.headers(),
                timeout=_JSON_TIMEOUT,
                allow_redirects=False,
                stream=True,
            )

        return self.exchange(operation, send, repeatable=repeatable, permit=permit)

    def exchange(
        self,
        operation: str,
        send: Callable[[], requests.Response],
        *,
        repeatable: bool,
        needs_json: bool = True,
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
        needs_json
            Whether a success without a JSON object is unusable.
        permit
            Called right before each attempt; see `Permit`.

        Raises
        ------
        CiError
            As for `call`.
        """
        renewals = iter((self.caller.tokens.renew,))
        may_have_arrived = False

        def once() -> Answer:
            nonlocal may_have_arrived
            try:
                with _asking(lambda: permit(may_have_arrived)):
                    received = receive(send(), self.clock.now())
                return _read(operation, received, repeatable, needs_json, renewals)
            except requests.RequestException as error:
                failed = lost(operation, error, repeatable, is_emulator=self.caller.endpoints.is_emulator)
            except TransientError as passing:
                failed = passing
            may_have_arrived |= isinstance(failed, TransientError) and failed.may_have_arrived
            raise failed from None

        try:
            return self._retrying()(once)
        except TransientError as passing:
            raise passing.error from None

    def headers(self) -> dict[str, str]:
        """Return the headers of every call (guide "Request header elements").

        The ids are left out while they are unknown: finding the user's accounts comes first.
        """
        caller = self.caller
        ids = {"CustomerAccountId": caller.account_id, "CustomerId": caller.customer_id}
        return {
            "Accept": "application/json",
            "Authorization": f"Bearer {caller.tokens.token()}",
            "DeveloperToken": caller.developer_token,
            **{name: value for name, value in ids.items() if value},
        }

    def _retrying(self) -> Retrying:
        return Retrying(
            retry=retry_if_exception_type(TransientError),
            stop=stop_after_attempt(_ATTEMPTS),
            wait=seconds_to_wait,
            sleep=self.clock.sleep,
            before_sleep=self._tell,
            reraise=True,
        )

    def _tell(self, state: RetryCallState) -> None:
        seconds = state.next_action.sleep if state.next_action else 0
        error = state.outcome.exception() if state.outcome else None
        if seconds >= 1 and isinstance(error, TransientError):
            self._on_wait(f"{error.error.sentence} Trying again in {seconds:.0f} s.")


def _read(
    operation: str,
    received: Received,
    repeatable: bool,
    needs_json: bool,
    renewals: Iterator[Callable[[], object]],
) -> Answer:
    if received.ok and (received.body is not None or not needs_json):
        return Answer(received.body or {}, received.tracking_id)
    if received.is_redirect:
        raise redirected(operation, received)
    another = answered_by_another("Microsoft Advertising", operation, received)
    if another is not None:
        raise another
    faults = read_faults(received.body or {})
    error: CiError = service_error(
        faults, status=received.status, tracking_id=received.tracking_id, operation=operation
    )
    if {fault.code for fault in faults} & RENEW or (not faults and received.status == 401):
        renew = next(renewals, None)
        if renew is None:
            raise error
        renew()
        raise TransientError(error, 0)
    raise passing_or_final(error, faults, received, operation, repeatable)
