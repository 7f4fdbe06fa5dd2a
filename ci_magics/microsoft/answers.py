"""Read HTTP responses: up to a size limit, and text in them only after it is made safe."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import requests

from ci_magics.discretion import without_people
from ci_magics.one_line import writable

#: A thousand lists with the longest descriptions take eight megabytes.
MAX_JSON_BYTES = 16 * 1024 * 1024
MAX_ERROR_BYTES = 1024 * 1024
_BLOCK = 64 * 1024
_LONGEST_WAIT = 3600.0
_TRACKING_ID = re.compile("[0-9A-Za-z-]{1,64}")
#: Microsoft Advertising's name first, then those of Dataverse and of Azure's API Management.
_TRACKING_HEADERS = ("TrackingId", "x-ms-service-request-id", "x-ms-request-id")


@dataclass(frozen=True)
class Received:
    """A response: status, JSON object if there is one, and relevant headers.

    Parameters
    ----------
    value
        The JSON value of any type: Customer Insights also returns arrays.
    """

    status: int
    body: dict[str, Any] | None
    tracking_id: str | None
    retry_after: float | None
    value: Any = None

    @property
    def ok(self) -> bool:
        """Whether the status is a success."""
        return 200 <= self.status < 300

    @property
    def is_redirect(self) -> bool:
        """Whether the response redirects elsewhere."""
        return 300 <= self.status < 400


def receive(response: requests.Response, now: datetime) -> Received:
    """Read a response to a request sent with ``stream=True``.

    A body that exceeds the size limit is dropped: it is an error page of some intermediary, not from Microsoft.

    Parameters
    ----------
    response
        The response, with an unread body.
    now
        The current time in UTC, to interpret a ``Retry-After`` date.

    Raises
    ------
    requests.RequestException
        The connection broke while reading.
    """
    with response:
        text = read_up_to(response, MAX_JSON_BYTES if response.ok else MAX_ERROR_BYTES)
    value = _json_value(text)
    body = value if isinstance(value, dict) else None
    return Received(response.status_code, body, _tracking_id(response, body), _retry_after(response, now), value)


def read_up_to(response: requests.Response, limit: int) -> bytes | None:
    """Return the body, or None if it is longer than the limit.

    Parameters
    ----------
    response
        The response, with an unread body.
    limit
        Maximum number of bytes, after decompression.
    """
    blocks: list[bytes] = []
    left = limit
    for block in response.iter_content(_BLOCK):
        left -= len(block)
        if left < 0:
            return None
        blocks.append(block)
    return b"".join(blocks)


def said(value: Any) -> str:
    """Return text from a response that is safe to show, store, and write into code: anyone may have written it.

    The result is one line without control characters, marks that reorder text, and e-mail addresses.

    Parameters
    ----------
    value
        A JSON value; empty for None.
    """
    return without_people(writable(value if isinstance(value, str) else "" if value is None else str(value)))


def _json_value(text: bytes | None) -> Any:
    try:
        return json.loads(text or b"")
    except (ValueError, RecursionError):
        return None


def _tracking_id(response: requests.Response, body: Mapping[str, Any] | None) -> str | None:
    """Return the TrackingId from the headers, or from the body of a fault, if it has the form of an id."""
    found = next((response.headers[name] for name in _TRACKING_HEADERS if response.headers.get(name)), "")
    found = str(found or (body or {}).get("TrackingId") or "")
    return found if _TRACKING_ID.fullmatch(found) else None


def _retry_after(response: requests.Response, now: datetime) -> float | None:
    """Return the seconds to wait before a retry, from a number or a date (RFC 9110, 10.2.3)."""
    value = response.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdecimal():
        return min(float(value), _LONGEST_WAIT)
    try:
        seconds = (parsedate_to_datetime(value) - now).total_seconds()
    except (TypeError, ValueError):
        return None
    return min(max(seconds, 0.0), _LONGEST_WAIT)
