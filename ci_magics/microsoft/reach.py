"""Check whether the services respond, and compare clocks."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import requests

from ci_magics.clock import present
from ci_magics.microsoft.endpoints import Endpoints
from ci_magics.microsoft.http import open_session
from ci_magics.microsoft.unreachable import Cause, cause_of

_SECONDS = 5


@dataclass(frozen=True)
class Answer:
    """The result of contacting a service.

    Parameters
    ----------
    host
        The host that was contacted.
    cause
        Why there was no response; None if there was one.
    ahead
        How many seconds this machine's clock is ahead of the service's; None if unknown.
    """

    host: str
    cause: Cause | None = None
    ahead: float | None = None


def ask_services(endpoints: Endpoints) -> list[Answer]:
    """Contact every service of an environment without credentials; any response counts.

    Parameters
    ----------
    endpoints
        The URLs of the environment.
    """
    login = endpoints.login or "https://login.microsoftonline.com"
    urls = {f"{parts.scheme}://{parts.netloc}" for parts in map(urlsplit, (login, endpoints.campaign, endpoints.bulk))}
    with open_session(endpoints) as session:
        return [_ask(session, url) for url in sorted(urls)]


def _ask(session: requests.Session, url: str) -> Answer:
    host = urlsplit(url).netloc
    try:
        reply = session.head(url, timeout=_SECONDS, allow_redirects=False)
    except requests.RequestException as error:
        return Answer(host, cause_of(error))
    now, there = present(), None
    with contextlib.suppress(ValueError):  # no date, or an invalid one
        there = parsedate_to_datetime(reply.headers.get("Date", ""))
    return Answer(host, ahead=(now - there).total_seconds() if there and there.tzinfo else None)
