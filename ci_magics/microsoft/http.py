"""One HTTP conversation with Microsoft Advertising: headers, answers, faults and waits."""

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
_UNTIL_IT_HAS_ENDED = 0.05  # seconds; an emulator that is ending no longer listens, but still holds its lease
_JSON_TIMEOUT = (10.0, 100.0)  # seconds to connect, to wait for a byte of the answer

Permit = Callable[[bool], None]
"""Called right before each try of a request, and told whether an earlier try may have arrived.

It raises an error to keep the request back; nothing is sent then, and that error ends the call.
"""


def always(_may_have_arrived: bool) -> None:
    """Permit a request that needs no permission."""


#: Asked by the adapter in the thread that sends.
_asked: ContextVar[Callable[[], None]] = ContextVar("asked", default=lambda: None)


class AccessTokens(Protocol):
    """Who the calls are made as."""

    def token(self) -> str:
        """Return a valid access token."""
        ...

    def renew(self) -> str:
        """Return a new access token, because the last one was refused."""
        ...


@dataclass(frozen=True)
class Answer:
    """A successful answer: its JSON object and the TrackingId that support asks for."""

    body: dict[str, Any]
    tracking_id: str | None = None


@dataclass(frozen=True)
class Caller:
    """Everything that identifies a caller to Microsoft Advertising."""

    endpoints: Endpoints
    tokens: AccessTokens
    customer_id: str
    account_id: str
    developer_token: str = field(repr=False)


def open_session(endpoints: Endpoints) -> requests.Session:
    """Return a session that keeps its connections open; towards the emulator it ignores proxies of the machine."""
    session = requests.Session()
    session.trust_env = not endpoints.is_emulator
    session.auth = _as_it_is  # else a .netrc of the machine would replace the bearer token
    session.headers["User-Agent"] = f"ci-magics/{__version__}"
    session.mount("https://", _Asking(pool_maxsize=8))
    session.mount("http://", emulator_adapter(endpoints))
    return session


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def emulator_adapter(endpoints: Endpoints) -> HTTPAdapter:
    """Return what sends requests to an emulator, wherever it is when they are sent."""
    return _Following(endpoints.locate) if endpoints.locate else _Asking(pool_maxsize=8)


class _Asking(Adapter):
    """Ask for permission at the last moment: waits, sign-ins and retries are over by then."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Send a request that is permitted."""
        _asked.get()()
        return super().send(request, *args, **kwargs)


@contextmanager
def _asking(permit: Callable[[], None]) -> Iterator[None]:
    """Let the requests of this thread ask for permission."""
    before = _asked.set(permit)
    try:
        yield
    finally:
        _asked.reset(before)


class _Following(_Asking):
    """Send each request to where the emulator is now.

    The Host header keeps the address that the client knows, so that the addresses in the answer begin with it too.
    """

    def __init__(self, locate: Callable[[], str]) -> None:
        self._locate = locate
        super().__init__(pool_maxsize=8)

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Send a request; again to the next process, where the last one cannot have carried it out."""
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
    """Tell whether no connection came about, so that nothing was sent."""
    return bool(error.args) and isinstance(getattr(error.args[0], "reason", None), NewConnectionError)


class Conversation:
    """Send JSON to Microsoft Advertising and read what comes back.

    Parameters
    ----------
    caller
        Addresses, identity and ids.
    clock
        Where waits are spent.
    on_wait
        Called with a sentence before each wait, so that it can be shown.
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
        """Send one JSON request and return its answer.

        Parameters
        ----------
        operation
            Microsoft's name of the operation, for messages.
        verb, url, body
            The request.
        repeatable
            Whether sending it twice does no harm. If not, a lost answer is not asked for again.
        permit
            Asked right before each try; see `Permit`.

        Raises
        ------
        ServiceError
            Microsoft refused, or cannot be reached.
        SignInError
            The sign-in is not accepted any more.
        OutcomeUnknownError
            The request went out, no usable answer came back, and it must not be sent again blindly.
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
        """Send a request, again where that helps, and return its answer.

        Parameters
        ----------
        operation
            Its name, for messages.
        send
            Sends it once, with ``stream=True`` and following no redirect.
        repeatable
            Whether sending it twice does no harm.
        needs_json
            Whether success without a JSON object is no usable answer.
        permit
            Asked right before each try; see `Permit`.

        Raises
        ------
        CiError
            As `call` does.
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
        """Return the headers that every call carries (guide "Request header elements").

        Who may use which accounts is asked before there are ids.
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
