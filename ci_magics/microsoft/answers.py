"""Answers over HTTP, read no further than is good."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import requests

#: A thousand lists with the longest descriptions make eight megabytes.
MAX_JSON_BYTES = 16 * 1024 * 1024
MAX_ERROR_BYTES = 1024 * 1024
_BLOCK = 64 * 1024
_LONGEST_WAIT = 3600.0
_TRACKING_ID = re.compile("[0-9A-Za-z-]{1,64}")
#: Microsoft Advertising's name first, then those of Dataverse and of Azure's API Management.
_TRACKING_HEADERS = ("TrackingId", "x-ms-service-request-id", "x-ms-request-id")


@dataclass(frozen=True)
class Received:
    """What came back: the status, a JSON object if there was one, and what the headers say.

    Parameters
    ----------
    value
        The JSON value, also where it is no object: Customer Insights answers with arrays.
    """

    status: int
    body: dict[str, Any] | None
    tracking_id: str | None
    retry_after: float | None
    value: Any = None

    @property
    def ok(self) -> bool:
        """Whether the request was carried out."""
        return 200 <= self.status < 300

    @property
    def is_redirect(self) -> bool:
        """Whether the answer sends us elsewhere."""
        return 300 <= self.status < 400


def receive(response: requests.Response, now: datetime) -> Received:
    """Read an answer that was asked for with ``stream=True``.

    What is longer than any answer of Microsoft's is given up on: it is an error page of something on the way.

    Raises
    ------
    requests.RequestException
        The connection broke in the middle.
    """
    with response:
        text = read_up_to(response, MAX_JSON_BYTES if response.ok else MAX_ERROR_BYTES)
    value = _json_value(text)
    body = value if isinstance(value, dict) else None
    return Received(response.status_code, body, _tracking_id(response, body), _retry_after(response, now), value)


def read_up_to(response: requests.Response, limit: int) -> bytes | None:
    """Return the body, or None where it is longer than the limit."""
    blocks: list[bytes] = []
    left = limit
    for block in response.iter_content(_BLOCK):
        left -= len(block)
        if left < 0:
            return None
        blocks.append(block)
    return b"".join(blocks)


def _json_value(text: bytes | None) -> Any:
    try:
        return json.loads(text or b"")
    except (ValueError, RecursionError):
        return None


def _tracking_id(response: requests.Response, body: Mapping[str, Any] | None) -> str | None:
    """Return the TrackingId: a header of every answer, and in the body of faults; nothing else is let through."""
    found = next((response.headers[name] for name in _TRACKING_HEADERS if response.headers.get(name)), "")
    found = str(found or (body or {}).get("TrackingId") or "")
    return found if _TRACKING_ID.fullmatch(found) else None


def _retry_after(response: requests.Response, now: datetime) -> float | None:
    """Return the seconds that the server asks to wait, given as such or as a date (RFC 9110, 10.2.3)."""
    value = response.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdecimal():
        return min(float(value), _LONGEST_WAIT)
    try:
        seconds = (parsedate_to_datetime(value) - now).total_seconds()
    except (TypeError, ValueError):
        return None
    return min(max(seconds, 0.0), _LONGEST_WAIT)
