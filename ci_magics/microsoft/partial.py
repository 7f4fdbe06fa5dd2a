"""Responses that succeed as a whole but may fail in part (pages "BatchError", "ApplyCustomerListUserData")."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from ci_magics.errors import ServiceError
from ci_magics.microsoft.faults import Fault, read_errors, service_error
from ci_magics.microsoft.http import Answer
from ci_magics.microsoft.retries import outcome_unknown


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
    """Return the errors of single items; an empty, null, or missing list means success.

    Parameters
    ----------
    answer
        The response.
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
        raise outcome_unknown(operation, answer.tracking_id)
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
            "Try again later; if it stays, give Microsoft's support the TrackingId.",
            code="answer_not_understood",
            tracking_id=answer.tracking_id,
        ) from None
