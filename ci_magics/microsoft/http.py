"""One HTTP conversation with Microsoft Advertising: headers, answers, faults and waits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import requests
from requests.adapters import HTTPAdapter
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from ci_magics import __version__
from ci_magics.errors import CiError, OutcomeUnknownError, ServiceError
from ci_magics.microsoft.clock import Clock, SystemClock
from ci_magics.microsoft.endpoints import Endpoints
from ci_magics.microsoft.faults import Fault, read_faults, service_error

_ATTEMPTS = 5
_JSON_TIMEOUT = (10.0, 100.0)  # seconds to connect, to wait for a byte of the answer
_RENEW = frozenset({105, 109})
_INTERNAL = frozenset({0, 1010, 1011})
_RATE = 117
_BULK_RATE = frozenset({3227, 4204})


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
    tracking_id: str | None


@dataclass(frozen=True)
class Caller:
    """Everything that identifies a caller to Microsoft Advertising."""

    endpoints: Endpoints
    tokens: AccessTokens
    customer_id: str
    account_id: str
    developer_token: str = field(repr=False)


class _PassingError(Exception):
    """A failure that may pass: what to raise when it does not, and how long to wait before trying again."""

    def __init__(self, error: CiError, wait: float | None = None) -> None:
        super().__init__()
        self.error = error
        self.wait = wait


def open_session(endpoints: Endpoints) -> requests.Session:
    """Return a session that keeps its connections open; towards the emulator it ignores proxies of the machine."""
    session = requests.Session()
    session.trust_env = not endpoints.is_emulator
    session.headers["User-Agent"] = f"ci-magics/{__version__}"
    session.mount("https://", HTTPAdapter(pool_maxsize=8))
    session.mount("http://", HTTPAdapter(pool_maxsize=8))
    return session


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

    def call(self, operation: str, verb: str, url: str, body: Mapping[str, Any], *, repeatable: bool = True) -> Answer:
        """Send one JSON request and return its answer.

        Parameters
        ----------
        operation
            Microsoft's name of the operation, for messages.
        verb, url, body
            The request.
        repeatable
            Whether sending it twice does no harm. If not, a lost answer is not asked for again.

        Raises
        ------
        ServiceError
            Microsoft refused, or cannot be reached.
        SignInError
            The sign-in is not accepted any more.
        OutcomeUnknownError
            The request went out, no usable answer came back, and it must not be sent again blindly.
        """
        renewals = iter((self.caller.tokens.renew,))

        def once() -> Answer:
            return self._once(operation, verb, url, body, repeatable, renewals)

        try:
            return self._retrying()(once)
        except _PassingError as passing:
            raise passing.error from None

    def headers(self) -> dict[str, str]:
        """Return the headers that every call carries (guide "Request header elements")."""
        caller = self.caller
        return {
            "Accept": "application/json",
            "Authorization": f"Bearer {caller.tokens.token()}",
            "CustomerAccountId": caller.account_id,
            "CustomerId": caller.customer_id,
            "DeveloperToken": caller.developer_token,
        }

    def _retrying(self) -> Retrying:
        return Retrying(
            retry=retry_if_exception_type(_PassingError),
            stop=stop_after_attempt(_ATTEMPTS),
            wait=_seconds_to_wait,
            sleep=self.clock.sleep,
            before_sleep=self._tell,
            reraise=True,
        )

    def _tell(self, state: RetryCallState) -> None:
        seconds = state.next_action.sleep if state.next_action else 0
        error = state.outcome.exception() if state.outcome else None
        if seconds >= 1 and isinstance(error, _PassingError):
            self._on_wait(f"{error.error.sentence} Trying again in {seconds:.0f} s.")

    def _once(
        self,
        operation: str,
        verb: str,
        url: str,
        body: Mapping[str, Any],
        repeatable: bool,
        renewals: Any,
    ) -> Answer:
        try:
            response = self.session.request(
                verb, url, json=body, headers=self.headers(), timeout=_JSON_TIMEOUT, allow_redirects=False
            )
        except requests.RequestException as error:
            raise _lost(operation, error, repeatable) from None
        return self._read(operation, response, repeatable, renewals)

    def _read(self, operation: str, response: requests.Response, repeatable: bool, renewals: Any) -> Answer:
        body = json_object(response)
        tracking_id = tracking_id_of(response, body)
        if response.ok and body is not None:
            return Answer(body, tracking_id)
        faults = read_faults(body or {})
        codes = {fault.code for fault in faults}
        error = service_error(faults, status=response.status_code, tracking_id=tracking_id, operation=operation)
        if codes & _RENEW or (not faults and response.status_code == 401):
            renew = next(renewals, None)
            if renew is None:
                raise error
            renew()
            raise _PassingError(error, 0)
        raise _passing_or_final(error, faults, response, operation, repeatable)


def json_object(response: requests.Response) -> dict[str, Any] | None:
    """Return the answer's JSON object, or None when it holds none."""
    try:
        body = response.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def tracking_id_of(response: requests.Response, body: Mapping[str, Any] | None) -> str | None:
    """Return the TrackingId of an answer: a header of every answer, and in the body of faults."""
    found = response.headers.get("TrackingId") or (body or {}).get("TrackingId")
    return str(found) if found else None


def _passing_or_final(
    error: CiError, faults: list[Fault], response: requests.Response, operation: str, repeatable: bool
) -> Exception:
    """Decide by code, not by status, whether waiting helps."""
    codes = {fault.code for fault in faults}
    if _RATE in codes or (not faults and response.status_code == 429):
        return _PassingError(error, _retry_after(response) or 60.0)
    if codes & _BULK_RATE:
        return _PassingError(error, _retry_after(response) or 225.0)  # five tries within the documented 15 min
    if codes & _INTERNAL or (not faults and (response.ok or response.status_code >= 500)):
        unknown = _unknown(operation, tracking_id_of(response, None))
        return _PassingError(error if faults else unknown) if repeatable else unknown
    return error


def _lost(operation: str, error: requests.RequestException, repeatable: bool) -> Exception:
    if _never_left(error):
        return _PassingError(
            ServiceError(
                "Microsoft Advertising cannot be reached.",
                "Check the network and run it again.",
                code="unreachable",
            )
        )
    unknown = _unknown(operation, None)
    return _PassingError(unknown) if repeatable else unknown


def _never_left(error: requests.RequestException) -> bool:
    """Tell whether the connection was never made, so that nothing can have arrived."""
    if isinstance(error, requests.ConnectTimeout):
        return True
    return "NewConnectionError" in repr(error) or "NameResolutionError" in repr(error)


def _unknown(operation: str, tracking_id: str | None) -> OutcomeUnknownError:
    return OutcomeUnknownError(
        f"Microsoft Advertising gave no usable answer to {operation}: it may or may not have been carried out.",
        "Look at %ci_status before you run it again.",
        code="outcome_unknown",
        tracking_id=tracking_id,
    )


def _retry_after(response: requests.Response) -> float | None:
    value = response.headers.get("Retry-After", "")
    return min(float(value), 3600.0) if value.isdigit() else None


def _seconds_to_wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.wait if isinstance(error, _PassingError) else None
    return float(2 ** (state.attempt_number - 1)) if asked is None else asked
