"""Decide which errors are transient and how long to wait (guides "Handle service errors", "Services protocol")."""

from __future__ import annotations

import requests
from tenacity import RetryCallState

from ci_magics.errors import CiError, OutcomeUnknownError, ServiceError
from ci_magics.microsoft.answers import Received
from ci_magics.microsoft.faults import Fault
from ci_magics.microsoft.unreachable import cause_of

#: A new access token may help.
RENEW = frozenset({105, 109})
_INTERNAL = frozenset({0, 1011})
_READ_ONLY = 1010
_RATE = 117
_BULK_RATE = frozenset({3227, 4204})
_RATE_SECONDS = 60.0
_BULK_RATE_SECONDS = 225.0  # five attempts within the documented 15 minutes


class TransientError(Exception):
    """An error that may go away by itself.

    Parameters
    ----------
    error
        What to raise if retries do not help.
    wait
        Seconds to wait before the next attempt; exponential backoff if None.
    may_have_arrived
        Whether the request may have been carried out anyway.
    """

    def __init__(self, error: CiError, wait: float | None = None, *, may_have_arrived: bool = False) -> None:
        super().__init__()
        self.error = error
        self.wait = wait
        self.may_have_arrived = may_have_arrived


def passing_or_final(
    error: CiError, faults: list[Fault], received: Received, operation: str, repeatable: bool
) -> Exception:
    """Decide by error code, not by status, whether to retry.

    Parameters
    ----------
    error
        The error to raise if retries do not help.
    faults
        The errors in the response.
    received
        The response.
    operation
        Microsoft's name of the operation, for messages.
    repeatable
        Whether the request is idempotent.

    Returns
    -------
    Exception
        A `TransientError` to retry, else the error to raise.
    """
    codes = {fault.code for fault in faults}
    asked = received.retry_after
    if _RATE in codes or (not faults and received.status == 429):
        return TransientError(error, _RATE_SECONDS if asked is None else asked)
    if codes & _BULK_RATE:
        return TransientError(error, _BULK_RATE_SECONDS if asked is None else asked)
    if _READ_ONLY in codes:
        return TransientError(error, asked)
    if codes & _INTERNAL or (not faults and (received.ok or received.status >= 500)):
        unknown = outcome_unknown(operation, received.tracking_id)
        return TransientError(error if faults else unknown, asked, may_have_arrived=True) if repeatable else unknown
    return error


def lost(
    operation: str, error: requests.RequestException, repeatable: bool, *, is_emulator: bool = False
) -> TransientError | CiError:
    """Classify a broken connection: nothing was sent only if the connection was never made.

    Parameters
    ----------
    operation
        Microsoft's name of the operation, for messages.
    error
        What the request raised.
    repeatable
        Whether the request is idempotent.
    is_emulator
        Whether the request went to the emulator.

    Returns
    -------
    TransientError or CiError
        A `TransientError` to retry, else the error to raise.
    """
    cause = cause_of(error)
    if not cause.may_have_arrived:
        unreachable = cause.error("Microsoft Advertising", is_emulator=is_emulator)
        return TransientError(unreachable) if cause.passes else unreachable
    unknown = outcome_unknown(operation, None)
    return TransientError(unknown, may_have_arrived=True) if repeatable else unknown


def redirected(operation: str, received: Received) -> ServiceError:
    """Build the error for a redirect: credentials are never sent to its target.

    Parameters
    ----------
    operation
        Microsoft's name of the operation, for messages.
    received
        The response.
    """
    return ServiceError(
        f"Microsoft Advertising answered {operation} with a redirect, which is not followed.",
        "Check the network for a proxy or sign-in page in between.",
        code=f"HTTP {received.status}",
        tracking_id=received.tracking_id,
    )


def answered_by_another(service: str, operation: str, received: Received) -> ServiceError | None:
    """Build the error for a refusal that is not from Microsoft: no JSON and no id for support.

    Parameters
    ----------
    service
        The name of the service, for messages.
    operation
        The name of the operation, for messages.
    received
        The response.

    Returns
    -------
    ServiceError or None
        None if the response may be Microsoft's.
    """
    if received.value is not None or received.tracking_id or not 400 <= received.status < 500:
        return None
    if received.status in (401, 429):
        return None
    return ServiceError(
        f"Something between this machine and {service} refused {operation}, in words that are not those of {service}.",
        "Ask who looks after your network whether a proxy or firewall blocks the address.",
        code=f"HTTP {received.status}",
    )


def outcome_unknown(operation: str, tracking_id: str | None) -> OutcomeUnknownError:
    """Build the error for a request that was sent but whose outcome is unknown.

    Parameters
    ----------
    operation
        Microsoft's name of the operation, for messages.
    tracking_id
        The TrackingId, if there is one.
    """
    return OutcomeUnknownError(
        f"Microsoft Advertising gave no usable answer to {operation}: it may or may not have been carried out.",
        "Look at %ci_status before you run it again.",
        code="outcome_unknown",
        tracking_id=tracking_id,
    )


def seconds_to_wait(state: RetryCallState) -> float:
    """Return the seconds before the next attempt: as requested by the service, else 1, 2, 4, 8."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.wait if isinstance(error, TransientError) else None
    return float(2 ** (state.attempt_number - 1)) if asked is None else asked
