"""What each error code of Microsoft means: a sentence, the next step, and whether a retry can help.

No other module decides what a code means. Requests are retried, runs resumed, and scheduled runs repeated by these
tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from ci_magics.advice import NAME, Advice, Do, Opt, advise
from ci_magics.errors import CiError, OutcomeUnknownError, ServiceError, UnreachableError


class Retry(IntEnum):
    """How an error is retried. If a response has several codes, the lowest value counts."""

    #: At once, with a new access token; once for each request.
    NEW_TOKEN = 1
    #: After a minute, the window of the limits of calls.
    MINUTE = 2
    #: After 225 seconds: five attempts within the 15 minutes that Microsoft documents for bulk calls.
    QUARTER_HOUR = 3
    #: After 1, 2, 4, 8 seconds: the request was not carried out.
    BACKOFF = 4
    #: After 1, 2, 4, 8 seconds if the request is idempotent: it may have been carried out.
    IF_IDEMPOTENT = 5
    #: Not the same request, but when the run is resumed.
    BY_RUN = 6
    NEVER = 7

    @property
    def seconds(self) -> float | None:
        """Seconds to wait if the response does not say how long; None for exponential backoff."""
        return {Retry.NEW_TOKEN: 0.0, Retry.MINUTE: 60.0, Retry.QUARTER_HOUR: 225.0}.get(self)

    @property
    def is_transient(self) -> bool:
        """Whether the same run may succeed later without a change."""
        return Retry.NEW_TOKEN < self < Retry.NEVER


@dataclass(frozen=True)
class Meaning:
    """What an error code means.

    Parameters
    ----------
    template
        What happened. ``{service}`` and ``{operation}`` stand for the service and what it was asked for, and ``{name}``
        for Microsoft's symbolic name in brackets, if there is one.
    next_step
        What to do about it.
    retry
        How the error is retried.
    is_sign_in
        Whether the user has to sign in again, so that the error is a `SignInError`.
    """

    template: str
    next_step: str | Advice
    retry: Retry = Retry.NEVER
    is_sign_in: bool = False

    def sentence(self, service: str, operation: str, name: str = "") -> str:
        """Return what happened.

        Parameters
        ----------
        service
            The name of the service.
        operation
            What was requested.
        name
            Microsoft's symbolic name of the error, if there is one.
        """
        return self.template.format(service=service, operation=operation, name=f" ({name})" if name else "")


Codes = Mapping[int | str, Meaning]
"""The meanings of a service's codes. For a response without a code, the key is its status: ``HTTP 429``."""


def find(codes: Codes, code: int | str | None) -> Meaning | None:
    """Return the meaning of a code; None if it is unknown.

    Parameters
    ----------
    codes
        The codes of a service.
    code
        Microsoft's code, or the status; every status from 500 up means the same.
    """
    if isinstance(code, str) and code.startswith("HTTP 5"):
        return codes.get("HTTP 5xx")
    return None if code is None else codes.get(code)


def is_transient(error: BaseException) -> bool:
    """Return whether an error of a service may go away by itself, so that the same run may succeed later.

    The scheduler repeats a run that ended with such an error.

    Parameters
    ----------
    error
        Any error of a run.
    """
    if not isinstance(error, ServiceError):
        return False
    if isinstance(error, OutcomeUnknownError | UnreachableError):
        return True
    found = (find(table, error.code) for table in (ADVERTISING, SOURCES))
    return any(meaning is not None and meaning.retry.is_transient for meaning in found)


def is_final(error: CiError) -> bool:
    """Return whether Microsoft rejected a request permanently. Any other error leaves a run that can be resumed.

    Parameters
    ----------
    error
        What stopped a request: also a lost response, an unreachable service, or an expired sign-in, which are not
        final.
    """
    return isinstance(error, ServiceError) and not is_transient(error)


SUPPORT = "Try again later; if it stays, give Microsoft's support the TrackingId."
_SIGN_IN = advise("Sign in again: ", Do("connections.sign_in", NAME), ".")
_BUG = "Please report this as a bug of ci-magics."

_INTERNAL = Meaning("Microsoft Advertising had an internal error.", SUPPORT, Retry.IF_IDEMPOTENT)
_OTHER_KIND = Meaning(
    "This kind of sign-in is not accepted here.",
    "Sign in with the other kind of account (work or personal).",
    is_sign_in=True,
)

_NOT_ACCEPTED = Meaning(
    "Microsoft Advertising does not accept this sign-in.", _SIGN_IN, Retry.NEW_TOKEN, is_sign_in=True
)
_TOO_MANY_CALLS = Meaning(
    "Microsoft Advertising is receiving too many calls.", "Wait a minute and run it again.", Retry.MINUTE
)
_REFUSED = "{service} refused {operation}{name}."

#: For a code of Microsoft Advertising that is not listed.
ADVERTISING_OTHERWISE = Meaning(_REFUSED, SUPPORT)
#: Microsoft Advertising (guides "Operation error codes", "Handle service errors").
ADVERTISING: Codes = {
    0: _INTERNAL,
    105: _NOT_ACCEPTED,
    106: Meaning(
        "The signed-in user may not use this account.",
        "Check the customer id and account id of the connection, or ask the account's administrator for access.",
    ),
    108: Meaning(
        "Microsoft has locked the signed-in user.",
        "Unlock the user at Microsoft Advertising, then sign in again.",
        is_sign_in=True,
    ),
    109: Meaning("The sign-in has expired.", _SIGN_IN, Retry.NEW_TOKEN, is_sign_in=True),
    116: Meaning("A request header is missing.", _BUG),
    117: _TOO_MANY_CALLS,
    120: Meaning(
        "The signed-in user may not use Microsoft Advertising.", "Sign in with another user.", is_sign_in=True
    ),
    122: _OTHER_KIND,
    123: _OTHER_KIND,
    124: _OTHER_KIND,
    125: _OTHER_KIND,
    126: _OTHER_KIND,
    1001: Meaning(
        "The signed-in user may not use this customer.",
        "Check the customer id of the connection, or ask the customer's administrator for access.",
    ),
    1010: Meaning("Microsoft Advertising is in read-only mode.", "Run it again later.", Retry.BACKOFF),
    1011: _INTERNAL,
    1029: Meaning("The customer id is missing.", "Give the connection a customer id."),
    1030: Meaning("The account id is missing.", "Give the connection an account id."),
    1102: Meaning(
        "The account id is not valid.",
        "Check the account id (aid in the address bar of Microsoft Advertising).",
    ),
    1490: Meaning(
        "The customer id is not valid.",
        "Check the customer id (cid in the address bar of Microsoft Advertising).",
    ),
    3224: Meaning("The upload address has been used already.", "Run the export again."),
    3225: Meaning("The upload file has too many rows.", _BUG),
    3226: Meaning("The upload address has expired.", "Run the export again.", Retry.BY_RUN),
    3227: Meaning(
        "Too many uploads are running for this customer.",
        "Wait until they are done and run it again.",
        Retry.QUARTER_HOUR,
    ),
    4204: Meaning(
        "Microsoft Advertising allows no more bulk calls for now.", "Run it again in 15 minutes.", Retry.QUARTER_HOUR
    ),
    4835: Meaning("The audience does not exist in this account.", advise("See what exists: ", Do("status"), ".")),
    4838: Meaning("Microsoft Advertising does not accept the audience's name.", "Give the segment another name."),
    4853: Meaning(
        "An audience with this name exists already in the account.",
        "Give the segment another name, or rename the audience in Microsoft Advertising.",
    ),
    4854: Meaning(
        "The audience is used by an ad group, so it cannot be deleted.",
        "Take it out of its ad groups in Microsoft Advertising first, or empty it.",
    ),
    4865: Meaning("The account has no room for another audience.", "Delete audiences that are not used."),
    4866: Meaning("The customer has no room for another audience.", "Delete audiences that are not used."),
    6999: Meaning("A request held too many items.", _BUG),
    8000: Meaning(
        "The audience does not exist in this account, or is not a Customer Match list.",
        advise("See ", Do("status"), "."),
    ),
    8003: Meaning(
        "The Customer Match terms are not accepted for this account.",
        advise(
            "Accept them on the connection (",
            Opt("accept_terms", True),
            "), or in Microsoft Advertising under Audiences.",
        ),
    ),
    8004: Meaning("A value was not accepted as a hashed e-mail.", _BUG),
    8110: Meaning(
        "The audience is part of a combined list, so it cannot be deleted.",
        "Take it out of the combined list in Microsoft Advertising first, or empty it.",
    ),
    "HTTP 401": _NOT_ACCEPTED,
    "HTTP 429": _TOO_MANY_CALLS,
    "HTTP 5xx": Meaning(_REFUSED, SUPPORT, Retry.IF_IDEMPOTENT),
    # Not one of Microsoft's: a bulk file that was sent twice and did not arrive.
    "upload_lost": Meaning(
        "Microsoft Advertising still waits for the file, although it was sent twice.",
        "Run it again in a few minutes; if it stays, ask Microsoft's support.",
        Retry.BY_RUN,
    ),
}
_THROTTLED = Meaning(
    "{service} is receiving too many calls.",
    "Wait a few minutes and run it again: it goes on from there.",
    Retry.MINUTE,  # the window of Customer Insights: 100 calls a minute
)
#: For a status of Customer Insights or Dataverse that is not listed.
SOURCES_OTHERWISE = Meaning(_REFUSED, "Try again later; if it stays, ask the administrator.")
#: Customer Insights and Dataverse. Except for these codes, only the status counts.
SOURCES: Codes = {
    # Dataverse (page "Service protection API limits").
    "0x80072321": _THROTTLED,
    "0x80072322": _THROTTLED,
    "0x80072326": _THROTTLED,
    # Not one of Microsoft's: what API Management answers to a wrong key.
    "subscription key": Meaning(
        "Customer Insights does not accept the subscription key.",
        "Copy it again from Customer Insights, Permissions > APIs, and set CI_MAGICS_SUBSCRIPTION_KEY.",
        is_sign_in=True,
    ),
    "HTTP 401": Meaning(
        "{service} does not accept this sign-in.",
        _SIGN_IN,
        Retry.NEW_TOKEN,
        is_sign_in=True,
    ),
    "HTTP 403": Meaning(
        "The signed-in user may not use {service}.",
        "Ask an administrator of Customer Insights for a role, Viewer or more.",
    ),
    "HTTP 404": Meaning(
        "{service} does not know what was asked for ({operation}).", "Was it deleted or renamed meanwhile?"
    ),
    "HTTP 429": _THROTTLED,
    "HTTP 5xx": Meaning(
        "{service} had an internal error ({operation}).",
        "Run it again later: it goes on from there.",
        Retry.IF_IDEMPOTENT,
    ),
}
