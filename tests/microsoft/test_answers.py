"""Headers and bodies of responses."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from ci_magics.microsoft.answers import Received, receive

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


def received(body: bytes = b"{}", status: int = 200, **headers: str) -> Received:
    response = requests.Response()
    response.status_code = status
    response.raw = io.BytesIO(body)
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return receive(response, NOW)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("99999", 3600.0),
        ("Tue, 24 Nov 2026 12:00:30 GMT", 30.0),
        ("Tue, 24 Nov 2026 11:00:00 GMT", 0.0),
        ("-5", None),
        ("soon", None),
        ("\u00b2", None),
        ("", None),
    ],
)
def test_retry_after_can_be_seconds_or_a_date(value: str, seconds: float | None) -> None:
    assert received(Retry_After=value).retry_after == seconds


@pytest.mark.parametrize(
    ("body", "expected"),
    [(b'{"a": 1}', {"a": 1}), (b"[]", None), (b"", None), (b"\xff", None), (b"[" * 100_000, None), (b"null", None)],
)
def test_only_a_json_object_is_a_body(body: bytes, expected: Any) -> None:
    assert received(body).body == expected


@pytest.mark.parametrize(
    ("header", "body", "found"),
    [
        ("ab-12", b"{}", "ab-12"),
        ("", b'{"TrackingId": "cd-34"}', "cd-34"),
        ("ab-12", b'{"TrackingId": "cd-34"}', "ab-12"),
        ("ada@contoso.com", b"{}", None),
        ("", b'{"TrackingId": {"a": 1}}', None),
        ("x" * 65, b"{}", None),
    ],
)
def test_tracking_id_contains_no_other_text(header: str, body: bytes, found: str | None) -> None:
    assert received(body, TrackingId=header).tracking_id == found


@pytest.mark.parametrize(("status", "ok", "redirect"), [(200, True, False), (204, True, False), (302, False, True)])
def test_redirect_is_not_success(status: int, ok: bool, redirect: bool) -> None:
    answer = received(status=status)
    assert (answer.ok, answer.is_redirect) == (ok, redirect)
