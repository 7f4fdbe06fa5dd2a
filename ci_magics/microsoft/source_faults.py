"""Parse the error formats of Customer Insights, its API management, and Dataverse."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ci_magics.errors import CiError, ServiceError, SignInError
from ci_magics.microsoft.answers import Received

THROTTLED = 429
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,80}")
#: Dataverse's service protection limits (page "Service protection API limits").
_DATAVERSE_LIMITS = frozenset({"0x80072322", "0x80072321", "0x80072326"})


def source_error(service: str, received: Received, operation: str) -> CiError:
    """Build the error that the user sees from a response that is not a success.

    The provider's text is never repeated: it may quote the request.

    Parameters
    ----------
    service
        The name of the service, for messages.
    received
        The response.
    operation
        What was requested, for messages.
    """
    code = fault_code(received.body or {}) or f"HTTP {received.status}"
    sentence, next_step = _sentence(service, received, operation)
    kind = SignInError if received.status == 401 else ServiceError
    return kind(sentence, next_step, code=code, tracking_id=received.tracking_id)


def fault_code(body: Mapping[str, Any]) -> str | None:
    """Return the code of a fault if it is a plain name or number.

    Supports ``ApiErrorResult`` and ``ODataError`` (``errorCode``), and Dataverse (``error.code``).
    """
    inner = body.get("error")
    found = body.get("errorCode", inner.get("code") if isinstance(inner, Mapping) else None)
    text = str(found) if isinstance(found, str | int) and not isinstance(found, bool) else ""
    return text if _NAME.fullmatch(text) else None


def is_throttled(received: Received) -> bool:
    """Return whether the service throttles the request."""
    return received.status == THROTTLED or fault_code(received.body or {}) in _DATAVERSE_LIMITS


def lacks_key(received: Received) -> bool:
    """Return whether the API management rejects the subscription key, so that a new sign-in does not help."""
    words = str((received.body or {}).get("message") or "").lower()
    return received.status == 401 and "subscription key" in words


def _sentence(service: str, received: Received, operation: str) -> tuple[str, str]:
    if lacks_key(received):
        return (
            "Customer Insights does not accept the subscription key.",
            "Copy it again from Customer Insights, Permissions > APIs, and set CI_MAGICS_SUBSCRIPTION_KEY.",
        )
    if is_throttled(received):
        return f"{service} is receiving too many calls.", "Wait a few minutes and run it again: it goes on from there."
    if received.status == 401:
        return f"{service} does not accept this sign-in.", "Sign in again: %ci_connect --insights NAME."
    if received.status == 403:
        return (
            f"The signed-in user may not use {service}.",
            "Ask an administrator of Customer Insights for a role, Viewer or more.",
        )
    if received.status == 404:
        return f"{service} does not know what was asked for ({operation}).", "Was it deleted or renamed meanwhile?"
    if received.status >= 500:
        return f"{service} had an internal error ({operation}).", "Run it again later: it goes on from there."
    return f"{service} refused {operation}.", "Try again later; if it stays, ask the administrator."
