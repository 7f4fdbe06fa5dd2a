"""HTTP conversation with a service that segments are read from: credentials, faults, and retries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests

from ci_magics.clock import Clock, SystemClock
from ci_magics.errors import ServiceError, UnreachableError
from ci_magics.microsoft.answers import Received, receive
from ci_magics.microsoft.http import AccessTokens, open_session
from ci_magics.microsoft.insights_endpoints import SourceEndpoints
from ci_magics.microsoft.retries import TransientError, answered_by_another
from ci_magics.microsoft.source_faults import is_throttled, lacks_key, source_error
from ci_magics.microsoft.unreachable import cause_of

_TIMEOUT = (10.0, 100.0)
_TRIES = 5
_RATE_SECONDS = 60.0  # the window of Customer Insights: 100 calls a minute


@dataclass(frozen=True)
class SourceCaller:
    """The caller of a service, and how long it waits.

    Parameters
    ----------
    endpoints
        The service.
    tokens
        The source of access tokens.
    headers
        Additional headers of every request, such as a subscription key.
    patience
        Total seconds that one request may wait while the service throttles.
    """

    endpoints: SourceEndpoints
    tokens: AccessTokens
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    patience: float = 900.0


class SourceConversation:
    """Send requests to a service and read the responses.

    Parameters
    ----------
    caller
        URLs and identity.
    clock
        Used for waits; tests replace it.
    on_wait
        Called with a sentence before each wait.
    """

    def __init__(
        self,
        caller: SourceCaller,
        *,
        clock: Clock | None = None,
        on_wait: Callable[[str], None] | None = None,
    ) -> None:
        self.caller = caller
        self.clock: Clock = clock or SystemClock()
        self.session = open_session(caller.endpoints.sign_in)
        self._on_wait = on_wait or (lambda _sentence: None)

    @property
    def endpoints(self) -> SourceEndpoints:
        """The service."""
        return self.caller.endpoints

    def get(self, operation: str, url: str, headers: Mapping[str, str] | None = None) -> Any:
        """Request a JSON value.

        Parameters
        ----------
        operation
            What is requested, for messages.
        url
            A URL of the service; a URL on another host is rejected before anything is sent.
        headers
            Additional headers.

        Raises
        ------
        ServiceError
            The service refused, is unreachable, or throttles for too long.
        SignInError
            The sign-in is no longer accepted.
        """
        return self._ask("GET", operation, url, None, headers)

    def post(self, operation: str, url: str, body: Mapping[str, Any] | None = None) -> Any:
        """Send an idempotent request; raises the errors of `get`.

        Parameters
        ----------
        operation
            What is requested, for messages.
        url
            A URL of the service.
        body
            The JSON object to send, if any.
        """
        return self._ask("POST", operation, url, body, None)

    def _ask(
        self, verb: str, operation: str, url: str, body: Mapping[str, Any] | None, headers: Mapping[str, str] | None
    ) -> Any:
        self.endpoints.require_own(url, operation)
        patience = _Patience(self.caller.patience)
        renewed = False
        while True:
            try:
                received = self._send(verb, url, body, headers)
                if received.status == 401 and not renewed and not lacks_key(received):
                    renewed = True
                    self.caller.tokens.renew()
                    continue
                return self._read(operation, received)
            except TransientError as passing:
                seconds = patience.seconds_for(passing)
                if seconds >= 1:
                    self._on_wait(f"{passing.error.sentence} Trying again in {seconds:.0f} s.")
                self.clock.sleep(seconds)

    def _send(self, verb: str, url: str, body: Mapping[str, Any] | None, headers: Mapping[str, str] | None) -> Received:
        given = {
            "Accept": "application/json",
            "Authorization": f"Bearer {self.caller.tokens.token()}",
            **self.caller.headers,
            **(headers or {}),
        }
        request = self.session.prepare_request(requests.Request(verb, url, json=body, headers=given))
        request.url = url  # unchanged: requests would re-encode some characters
        settings = self.session.merge_environment_settings(url, {}, True, None, None)
        try:
            response = self.session.send(request, timeout=_TIMEOUT, allow_redirects=False, **settings)
            return receive(response, self.clock.now())
        except requests.RequestException as error:
            raise self._unreachable(error) from None

    def _read(self, operation: str, received: Received) -> Any:
        if received.ok and received.value is not None:
            return received.value
        if received.is_redirect:
            raise ServiceError(
                f"{self.endpoints.service} answered {operation} with a redirect, which is not followed.",
                "Check the network for a proxy or sign-in page in between.",
                code=f"HTTP {received.status}",
                tracking_id=received.tracking_id,
            )
        another = answered_by_another(self.endpoints.service, operation, received)
        if another is not None:
            raise another
        error = source_error(self.endpoints.service, received, operation)
        if is_throttled(received):
            raise TransientError(error, _RATE_SECONDS if received.retry_after is None else received.retry_after)
        if received.ok or received.status >= 500:
            raise TransientError(error, received.retry_after)
        raise error

    def _unreachable(self, error: requests.RequestException) -> TransientError | UnreachableError:
        """Classify a broken connection: reads are always safe to retry."""
        cause = cause_of(error)
        unreachable = cause.error(self.endpoints.service, is_emulator=self.endpoints.sign_in.is_emulator)
        return TransientError(unreachable) if cause.passes else unreachable


class _Patience:
    """How often and how long one request is retried.

    A throttled request waits as the service asks, up to a total of ``seconds``. Other transient errors are retried up
    to five attempts.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._tries = 0

    def seconds_for(self, passing: TransientError) -> float:
        """Return the seconds to wait, or raise the error if the limit is reached."""
        if passing.wait is not None and passing.wait > 0:
            self._seconds -= passing.wait
            if self._seconds < 0:
                raise passing.error from None
            return passing.wait
        self._tries += 1
        if self._tries >= _TRIES:
            raise passing.error from None
        return float(2 ** (self._tries - 1))
