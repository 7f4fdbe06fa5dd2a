"""Read the errors in responses of Microsoft's services. `codes` says what they mean.

The provider's text is never repeated: it may quote what was sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ci_magics.advice import Advice
from ci_magics.errors import CiError, ServiceError, SignInError
from ci_magics.microsoft.answers import Received
from ci_magics.microsoft.codes import (
    ADVERTISING,
    ADVERTISING_OTHERWISE,
    SIGN_IN,
    SIGN_IN_OTHERWISE,
    SIGN_IN_REFUSED,
    SOURCES,
    SOURCES_OTHERWISE,
    SUPPORT,
    Meaning,
    Retry,
    find,
)
from ci_magics.microsoft.http import Answer, Refusal
from ci_magics.microsoft.retries import outcome_unknown

ADVERTISING_NAME = "Microsoft Advertising"

_SYMBOL = re.compile("[A-Za-z][A-Za-z0-9]{0,99}")
_WHOLE = re.compile("-?[0-9]{1,18}")
_ENTRA_NUMBER = re.compile(r"AADSTS(\d{4,8})\b")
_CORRELATION_ID = re.compile("[0-9A-Za-z-]{1,64}")
_SOURCE_CODE = re.compile(r"[A-Za-z0-9_.-]{1,80}")


@dataclass(frozen=True)
class Fault:
    """One error as Microsoft Advertising sent it, independent of the response format.

    Parameters
    ----------
    code
        Microsoft's number; None if the response has none.
    error_code
        Microsoft's symbolic name, such as ``DuplicateAudienceName``; empty in Customer Management faults.
    index
        Position of the item in the request; None if the error concerns the whole request.
    """

    code: int | None
    error_code: str = ""
    index: int | None = None


def read_faults(body: Mapping[str, Any]) -> list[Fault]:
    """Read all errors from the body of a fault of Microsoft Advertising.

    Supports ``AdApiFaultDetail`` (Errors), ``ApiFaultDetail`` and ``ApiFault`` (OperationErrors, BatchErrors), and the
    flat response of the upload URL.

    Parameters
    ----------
    body
        The JSON object of the response.
    """
    faults = [fault for name in ("Errors", "OperationErrors", "BatchErrors") for fault in read_errors(body.get(name))]
    if not faults and "Code" in body:
        faults = read_errors([body])
    return faults


def read_errors(elements: Any) -> list[Fault]:
    """Read a list of error elements such as ``PartialErrors``; a null or missing list is empty.

    Parameters
    ----------
    elements
        The JSON value of the list.
    """
    if not isinstance(elements, list):
        return []
    return [_fault(element) for element in elements if isinstance(element, Mapping)]


def advertising_refusal(received: Received, operation: str, service: str = ADVERTISING_NAME) -> Refusal:
    """Read a response of Microsoft Advertising that is not a success.

    The error is about the first code. All codes, not the status, decide how to retry.

    Parameters
    ----------
    received
        The response.
    operation
        Microsoft's name of the operation, for messages.
    service
        The name of the service, for messages.
    """
    faults = read_faults(received.body or {})
    error: CiError = service_error(
        faults, status=received.status, tracking_id=received.tracking_id, operation=operation
    )
    if faults:
        return Refusal(error, min(_retry_of(fault.code) for fault in faults))
    retry = Retry.IF_IDEMPOTENT if received.ok else _retry_of(f"HTTP {received.status}")
    if retry is Retry.IF_IDEMPOTENT:
        error = outcome_unknown(service, operation, received.tracking_id)
    return Refusal(error, retry)


def _retry_of(code: int | str | None) -> Retry:
    return (find(ADVERTISING, code) or ADVERTISING_OTHERWISE).retry


def service_error(
    faults: Iterable[Fault], *, status: int, tracking_id: str | None, operation: str
) -> ServiceError | SignInError:
    """Build the error of Microsoft Advertising that the user sees.

    Parameters
    ----------
    faults
        The errors of the response; the first one with a code counts.
    status
        The HTTP status.
    tracking_id
        The TrackingId, if there is one.
    operation
        Microsoft's name of the operation, for messages.

    Returns
    -------
    ServiceError or SignInError
        A `SignInError` if the user has to sign in again.
    """
    fault = next((fault for fault in faults if fault.code is not None), Fault(None))
    code = f"HTTP {status}" if fault.code is None else fault.code
    meaning = find(ADVERTISING, code) or ADVERTISING_OTHERWISE
    kind = SignInError if meaning.is_sign_in else ServiceError
    return kind(
        meaning.sentence(ADVERTISING_NAME, operation, fault.error_code),
        meaning.next_step,
        code=code,
        tracking_id=tracking_id,
        error_name=fault.error_code,
    )


def sentence_of(code: int | None, *, operation: str, name: str = "") -> tuple[str, str | Advice]:
    """Return the sentence and next step for a code of Microsoft Advertising.

    Parameters
    ----------
    code
        Microsoft's number, if there is one.
    operation
        Microsoft's name of the operation, for messages.
    name
        Microsoft's symbolic name, shown if the code is unknown.
    """
    meaning = find(ADVERTISING, code) or ADVERTISING_OTHERWISE
    return meaning.sentence(ADVERTISING_NAME, operation, symbol(name)), meaning.next_step


def raise_partial(answer: Answer, operation: str) -> None:
    """Raise the error of the only item of a request, if it failed.

    Parameters
    ----------
    answer
        The response.
    operation
        Microsoft's name of the operation, for messages.

    Raises
    ------
    CiError
        Microsoft refused the item.
    """
    faults = partial_errors(answer, operation)
    if faults:
        raise service_error(faults, status=200, tracking_id=answer.tracking_id, operation=operation)


def partial_errors(answer: Answer, operation: str) -> list[Fault]:
    """Return the errors of single items (pages "BatchError", "ApplyCustomerListUserData").

    An empty, null, or missing list means success.

    Parameters
    ----------
    answer
        The response, which succeeded as a whole.
    operation
        Microsoft's name of the operation, for messages.

    Raises
    ------
    OutcomeUnknownError
        The value is not a list of errors.
    """
    errors = answer.body.get("PartialErrors")
    if errors is None:
        return []
    if not isinstance(errors, list) or not all(isinstance(each, Mapping) for each in errors):
        raise outcome_unknown(ADVERTISING_NAME, operation, answer.tracking_id)
    return read_errors(errors)


@contextmanager
def understood(operation: str, answer: Answer) -> Iterator[None]:
    """Convert parsing errors in the block into a `ServiceError`: the response lacks a documented field.

    Parameters
    ----------
    operation
        Microsoft's name of the operation, for messages.
    answer
        The response; its TrackingId goes into the error.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ServiceError(
            f"Microsoft Advertising's answer to {operation} cannot be understood.",
            SUPPORT,
            code="answer_not_understood",
            tracking_id=answer.tracking_id,
        ) from None


def source_refusal(received: Received, operation: str, service: str) -> Refusal:
    """Read a response of Customer Insights, its API management, or Dataverse that is not a success.

    Parameters
    ----------
    received
        The response.
    operation
        What was requested, for messages.
    service
        The name of the service, for messages.
    """
    code, status = source_code(received.body or {}), f"HTTP {received.status}"
    meaning = _source_meaning(received, code) or find(SOURCES, status) or SOURCES_OTHERWISE
    kind = SignInError if meaning.is_sign_in else ServiceError
    error = kind(
        meaning.sentence(service, operation), meaning.next_step, code=code or status, tracking_id=received.tracking_id
    )
    return Refusal(error, Retry.IF_IDEMPOTENT if received.ok else meaning.retry)


def source_code(body: Mapping[str, Any]) -> str | None:
    """Return the code of a fault if it is a plain name or number.

    Supports ``ApiErrorResult`` and ``ODataError`` (``errorCode``), and Dataverse (``error.code``).

    Parameters
    ----------
    body
        The JSON object of the response.
    """
    inner = body.get("error")
    found = body.get("errorCode", inner.get("code") if isinstance(inner, Mapping) else None)
    text = str(found) if isinstance(found, str | int) and not isinstance(found, bool) else ""
    return text if _SOURCE_CODE.fullmatch(text) else None


def _source_meaning(received: Received, code: str | None) -> Meaning | None:
    """Return the meaning of a code, or of a rejected subscription key: then a new sign-in does not help."""
    words = str((received.body or {}).get("message") or "").lower()
    if received.status == 401 and "subscription key" in words:
        return SOURCES["subscription key"]
    return find(SOURCES, code)


def sign_in_error(answer: Mapping[str, Any]) -> SignInError:
    """Build the error that the user sees from a refusal of Microsoft Entra.

    Parameters
    ----------
    answer
        The response: ``error``, and often ``error_codes`` and ``correlation_id``. An empty one means that the sign-in
        has expired.
    """
    name = str(answer.get("error") or "invalid_grant")
    number = _number_in(answer)
    by_name = SIGN_IN_REFUSED if number is not None and name == "invalid_grant" else find(SIGN_IN, name)
    meaning = find(SIGN_IN, number) or by_name or SIGN_IN_OTHERWISE
    correlation = str(answer.get("correlation_id") or "")
    return SignInError(
        meaning.sentence("Microsoft's sign-in", name),
        meaning.next_step,
        code=f"AADSTS{number}" if number is not None else _named(name),
        tracking_id=correlation if _CORRELATION_ID.fullmatch(correlation) else None,
    )


def _number_in(answer: Mapping[str, Any]) -> int | None:
    """Return the error number, preferring a known one; the browser flow gives it only in the text."""
    listed = answer.get("error_codes")
    numbers = [each for each in map(whole, listed if isinstance(listed, list) else []) if each is not None]
    numbers += [int(each) for each in _ENTRA_NUMBER.findall(str(answer.get("error_description") or ""))]
    return next((each for each in numbers if each in SIGN_IN), numbers[0] if numbers else None)


def _named(name: str) -> str:
    """Return the name of a known error; an unknown one may quote anything."""
    return name if name in SIGN_IN else "sign_in_failed"


def _fault(element: Mapping[str, Any]) -> Fault:
    return Fault(
        code=whole(element.get("Code")),
        error_code=symbol(element.get("ErrorCode")),
        index=whole(element.get("Index")),
    )


def symbol(value: Any) -> str:
    """Return a symbolic name, or an empty text if it is not one: other text may quote what was sent.

    Parameters
    ----------
    value
        Any JSON value.
    """
    return value if isinstance(value, str) and _SYMBOL.fullmatch(value) else ""


def whole(value: Any) -> int | None:
    """Return an integer given as a number or as text, or None.

    Parameters
    ----------
    value
        Any JSON value.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return int(value) if isinstance(value, str) and _WHOLE.fullmatch(value.strip()) else None
