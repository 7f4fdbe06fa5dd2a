"""Parse Microsoft's three error formats into one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ci_magics.errors import ServiceError, SignInError

_SUPPORT = "Try again later; if it stays, give Microsoft's support the TrackingId."
_SIGN_IN = "Sign in again: %ci_connect NAME."

#: Sentence and next step for each code (guides "Operation error codes", "Handle service errors").
_SENTENCES: dict[int, tuple[str, str]] = {
    0: ("Microsoft Advertising had an internal error.", _SUPPORT),
    105: ("Microsoft Advertising does not accept this sign-in.", _SIGN_IN),
    106: (
        "The signed-in user may not use this account.",
        "Check the customer id and account id of the connection, or ask the account's administrator for access.",
    ),
    108: (
        "Microsoft has locked the signed-in user.",
        "Unlock the user at Microsoft Advertising, then sign in again.",
    ),
    109: ("The sign-in has expired.", _SIGN_IN),
    116: ("A request header is missing.", "Please report this as a bug of ci-magics."),
    117: ("Microsoft Advertising is receiving too many calls.", "Wait a minute and run it again."),
    120: ("The signed-in user may not use Microsoft Advertising.", "Sign in with another user."),
    122: (
        "This kind of sign-in is not accepted here.",
        "Sign in with the other kind of account (work or personal).",
    ),
    123: (
        "This kind of sign-in is not accepted here.",
        "Sign in with the other kind of account (work or personal).",
    ),
    124: (
        "This kind of sign-in is not accepted here.",
        "Sign in with the other kind of account (work or personal).",
    ),
    125: (
        "This kind of sign-in is not accepted here.",
        "Sign in with the other kind of account (work or personal).",
    ),
    126: (
        "This kind of sign-in is not accepted here.",
        "Sign in with the other kind of account (work or personal).",
    ),
    1001: (
        "The signed-in user may not use this customer.",
        "Check the customer id of the connection, or ask the customer's administrator for access.",
    ),
    1010: ("Microsoft Advertising is in read-only mode.", "Run it again later."),
    1011: ("Microsoft Advertising had an internal error.", _SUPPORT),
    1029: ("The customer id is missing.", "Give the connection a customer id."),
    1030: ("The account id is missing.", "Give the connection an account id."),
    1102: (
        "The account id is not valid.",
        "Check the account id (aid in the address bar of Microsoft Advertising).",
    ),
    1490: (
        "The customer id is not valid.",
        "Check the customer id (cid in the address bar of Microsoft Advertising).",
    ),
    3224: ("The upload address has been used already.", "Run the export again."),
    3225: ("The upload file has too many rows.", "Please report this as a bug of ci-magics."),
    3226: ("The upload address has expired.", "Run the export again."),
    3227: ("Too many uploads are running for this customer.", "Wait until they are done and run it again."),
    4204: ("Microsoft Advertising allows no more bulk calls for now.", "Run it again in 15 minutes."),
    4835: ("The audience does not exist in this account.", "See what exists: %ci_status."),
    4838: ("Microsoft Advertising does not accept the audience's name.", "Give the segment another name."),
    4853: (
        "An audience with this name exists already in the account.",
        "Give the segment another name, or rename the audience in Microsoft Advertising.",
    ),
    4854: (
        "The audience is used by an ad group, so it cannot be deleted.",
        "Take it out of its ad groups in Microsoft Advertising first, or empty it.",
    ),
    4865: ("The account has no room for another audience.", "Delete audiences that are not used."),
    4866: ("The customer has no room for another audience.", "Delete audiences that are not used."),
    6999: ("A request held too many items.", "Please report this as a bug of ci-magics."),
    8000: (
        "The audience does not exist in this account, or is not a Customer Match list.",
        "See %ci_status.",
    ),
    8003: (
        "The Customer Match terms are not accepted for this account.",
        "Accept them on the connection (--accept-terms), or in Microsoft Advertising under Audiences.",
    ),
    8110: (
        "The audience is part of a combined list, so it cannot be deleted.",
        "Take it out of the combined list in Microsoft Advertising first, or empty it.",
    ),
    8004: ("A value was not accepted as a hashed e-mail.", "Please report this as a bug of ci-magics."),
}
_SYMBOL = re.compile("[A-Za-z][A-Za-z0-9]{0,99}")
_WHOLE = re.compile("-?[0-9]{1,18}")
_SIGN_IN_CODES = frozenset({105, 108, 109, 120, 122, 123, 124, 125, 126})


@dataclass(frozen=True)
class Fault:
    """One error as Microsoft sent it, independent of the response format.

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
    """Read all errors from the body of a fault.

    Supports ``AdApiFaultDetail`` (Errors), ``ApiFaultDetail`` and ``ApiFault`` (OperationErrors, BatchErrors), and the
    flat response of the upload URL.
    """
    faults = [fault for name in ("Errors", "OperationErrors", "BatchErrors") for fault in read_errors(body.get(name))]
    if not faults and "Code" in body:
        faults = read_errors([body])
    return faults


def read_errors(elements: Any) -> list[Fault]:
    """Read a list of error elements such as ``PartialErrors``; a null or missing list is empty."""
    if not isinstance(elements, list):
        return []
    return [_fault(element) for element in elements if isinstance(element, Mapping)]


def service_error(
    faults: Iterable[Fault], *, status: int, tracking_id: str | None, operation: str
) -> ServiceError | SignInError:
    """Build the error that the user sees.

    The provider's text is never repeated: it may quote what was sent.

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
    fault = next((fault for fault in faults if fault.code is not None), None)
    code = fault.code if fault else None
    sentence, next_step = sentence_of(code, status=status, operation=operation, name=fault.error_code if fault else "")
    kind = SignInError if code in _SIGN_IN_CODES or (code is None and status == 401) else ServiceError
    return kind(
        sentence,
        next_step,
        code=code if code is not None else f"HTTP {status}",
        tracking_id=tracking_id,
        error_name=fault.error_code if fault else "",
    )


def sentence_of(code: int | None, *, status: int, operation: str, name: str = "") -> tuple[str, str]:
    """Return the sentence and next step for a code.

    Parameters
    ----------
    code
        Microsoft's number, if there is one.
    status
        The HTTP status; it decides if there is no code.
    operation
        Microsoft's name of the operation, for messages.
    name
        Microsoft's symbolic name, shown if the code is unknown.
    """
    if code in _SENTENCES:
        return _SENTENCES[code]
    if code is None and status == 401:
        return _SENTENCES[105]
    if code is None and status == 429:
        return _SENTENCES[117]
    named = f" ({name})" if symbol(name) else ""
    return f"Microsoft Advertising refused {operation}{named}.", _SUPPORT


def _fault(element: Mapping[str, Any]) -> Fault:
    return Fault(
        code=whole(element.get("Code")),
        error_code=symbol(element.get("ErrorCode")),
        index=whole(element.get("Index")),
    )


def symbol(value: Any) -> str:
    """Return a symbolic name, or an empty text if it is not one: other text may quote what was sent."""
    return value if isinstance(value, str) and _SYMBOL.fullmatch(value) else ""


def whole(value: Any) -> int | None:
    """Return an integer given as a number or as text, or None."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return int(value) if isinstance(value, str) and _WHOLE.fullmatch(value.strip()) else None
