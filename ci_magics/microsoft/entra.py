"""HTTP session for MSAL that limits what is sent to Microsoft's sign-in and which responses MSAL sees."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter

from ci_magics.errors import SignInUnreachableError
from ci_magics.microsoft.answers import MAX_ERROR_BYTES, read_up_to
from ci_magics.microsoft.endpoints import LOGIN_HOST, Endpoints
from ci_magics.microsoft.http import emulator_adapter, open_session
from ci_magics.microsoft.unreachable import EMULATOR_GONE, cause_of

TIMEOUT = (10.0, 60.0)
#: A routing hint that MSAL adds. It may contain the user's address and is not required.
_ROUTING_HINT = "X-AnchorMailbox"


@dataclass(frozen=True, repr=False)
class _EntraAnswer:
    """The parts of a response that MSAL reads."""

    status_code: int
    text: str
    headers: Mapping[str, str]

    def raise_for_status(self) -> None:
        if self.status_code >= 400:
            raise requests.HTTPError(f"refused, status {self.status_code}")


class EntraSession:
    """The session interface that MSAL expects.

    Every request has a timeout, follows no redirect, and contains no hint that names the user. MSAL logs responses that
    are not JSON verbatim, and accepts any length: such responses do not reach it.

    Parameters
    ----------
    endpoints
        The environment; determines where sign-in requests go.
    """

    def __init__(self, endpoints: Endpoints) -> None:
        self._is_emulator = endpoints.is_emulator
        self._session = open_session(endpoints)
        if endpoints.login:
            self._session.mount(f"{LOGIN_HOST}/", _Rerouted(endpoints.login, emulator_adapter(endpoints)))

    def get(self, url: str, **options: Any) -> _EntraAnswer:
        """Send a GET request.

        Parameters
        ----------
        url
            The URL, on Microsoft's sign-in host.
        **options
            Options that MSAL passes to the session.
        """
        return self._ask("GET", url, options)

    def post(self, url: str, **options: Any) -> _EntraAnswer:
        """Send a POST request.

        Parameters
        ----------
        url
            The URL, on Microsoft's sign-in host.
        **options
            Options that MSAL passes to the session.
        """
        return self._ask("POST", url, options)

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def _ask(self, verb: str, url: str, options: dict[str, Any]) -> _EntraAnswer:
        given = options.pop("headers", None) or {}
        headers = {name: value for name, value in given.items() if name != _ROUTING_HINT}
        fixed = {"headers": headers, "allow_redirects": False, "stream": True}
        try:
            with self._session.request(verb, url, **{"timeout": TIMEOUT, **options, **fixed}) as response:
                text = read_up_to(response, MAX_ERROR_BYTES)
        except requests.RequestException as error:
            raise not_answered(error, is_emulator=self._is_emulator) from None
        status = response.status_code
        if text is None or not _is_json_object(text) or (status != 200 and not 400 <= status < 500):
            raise not_answered(requests.HTTPError(response=response))
        return _EntraAnswer(response.status_code, text.decode(), response.headers)


def not_answered(error: requests.RequestException, *, is_emulator: bool = False) -> SignInUnreachableError:
    """Build the error for a sign-in request without a response, or with one that is not from Microsoft.

    Parameters
    ----------
    error
        What the request raised; an `HTTPError` for an unusable response.
    is_emulator
        Whether the request went to the emulator.
    """
    if isinstance(error, requests.HTTPError):
        status = "" if error.response is None else f" (HTTP {error.response.status_code})"
        return SignInUnreachableError(
            f"Microsoft's sign-in gave no usable answer{status}.",
            "Run it again in a few minutes; if it stays, a proxy or a sign-in page of your network may answer instead.",
            code="sign_in_unreachable",
        )
    cause = cause_of(error)
    code = "sign_in_unreachable" if cause.code == "unreachable" else cause.code
    if is_emulator:
        return SignInUnreachableError(cause.sentence("The emulator's sign-in"), EMULATOR_GONE, code=code)
    return SignInUnreachableError(cause.sentence("Microsoft's sign-in"), cause.next_step, code=code)


class _Rerouted(HTTPAdapter):
    """Send requests for Microsoft's sign-in to the emulator instead."""

    def __init__(self, base: str, adapter: HTTPAdapter) -> None:
        self._base = urlsplit(base)
        self._adapter = adapter
        super().__init__()

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        parts = urlsplit(request.url or "")
        request.url = urlunsplit((self._base.scheme, self._base.netloc, parts.path, parts.query, ""))
        return self._adapter.send(request, *args, **kwargs)

    def close(self) -> None:
        self._adapter.close()
        super().close()


def _is_json_object(text: bytes) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def hidden_fields(page: str) -> dict[str, str]:
    """Return the hidden inputs of a page, which the sign-in page makes the browser post.

    Parameters
    ----------
    page
        The HTML of the page.
    """
    return _HiddenFields(page).fields


class _HiddenFields(HTMLParser):
    """The hidden inputs of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "input" and values.get("type") == "hidden" and values.get("name"):
            self.fields[str(values["name"])] = values.get("value") or ""
