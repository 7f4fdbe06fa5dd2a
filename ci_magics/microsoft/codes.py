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
_AS_ANOTHER = Do("connections.sign_in", NAME)
_WORK_ACCOUNT = advise("Sign in with your work account: ", _AS_ANOTHER, ".")

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
    122: Meaning("Microsoft Advertising knows this user only with a work account.", _WORK_ACCOUNT, is_sign_in=True),
    123: Meaning(
        "Microsoft Advertising knows this user only with a personal account.",
        advise("Sign in with your personal Microsoft account: ", _AS_ANOTHER, "."),
        is_sign_in=True,
    ),
    124: Meaning("Your personal account was replaced by a work account.", _WORK_ACCOUNT, is_sign_in=True),
    125: Meaning("Your organization requires a work account.", _WORK_ACCOUNT, is_sign_in=True),
    126: Meaning(
        "This user signs in to Microsoft Advertising with another type of account.",
        advise(
            "Sign in with the one that you use in the web page: ",
            _AS_ANOTHER,
            ". Accounts that sign in with Google are not supported yet.",
        ),
        is_sign_in=True,
    ),
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

_GONE = Meaning("The sign-in is not valid any more.", _SIGN_IN)
_DECLINED = Meaning("The sign-in was declined.", "Sign in again and accept what is asked.")
_SECOND_FACTOR = Meaning("Microsoft asks for a second proof of who you are.", _SIGN_IN)
_NO_CONSENT = Meaning(
    "Nobody has allowed this application to use the service yet.",
    "Sign in again and accept what is asked, or ask the tenant's administrator to consent.",
)
_LATER = Meaning("Microsoft's sign-in is not available for the moment.", "Run it again in a few minutes.")

_ADMINISTRATOR = "Ask your organization's administrator"
_UNKNOWN_APPLICATION = Meaning(
    "The tenant does not know this application.",
    advise("Check the client id (", Opt("client_id"), ") and the tenant (", Opt("tenant"), ") of the connection."),
)
_NO_TENANT = Meaning(
    "Microsoft cannot tell which organization you belong to.",
    advise("Name your organization's tenant with ", Opt("tenant"), ": its id, or one of its domains."),
)
_DISABLED_APPLICATION = Meaning(
    "This application is turned off in the tenant.",
    f"{_ADMINISTRATOR} to enable it under Enterprise applications, or use another client id.",
)
_NOT_IN_TENANT = Meaning(
    "This account does not exist in the tenant of the connection.",
    advise(
        "Sign in with an account of that tenant, check ",
        Opt("tenant"),
        ", or ask the tenant's administrator to invite the account.",
    ),
)
_SECRET = "The application's registration expects a secret, and ci-magics never sends one"  # noqa: S105 - a sentence
_PUBLIC = (
    "Allow public client flows for it in Microsoft Entra, under Authentication (its owner can), "
    "or use another client id."
)
_NOT_PUBLIC = Meaning("This application may not sign in without a secret.", _PUBLIC)
_PASSWORD = Meaning(
    "The user name or the password is not right.",
    "Sign in again and type them carefully, or reset the password on Microsoft's page.",
)
_EXPIRED_PASSWORD = Meaning(
    "The password of this account has expired or was changed.",
    "Set a new one on Microsoft's page or with your organization's administrator, then sign in again.",
)
_DEVICE = Meaning(
    "Your organization lets only its own devices sign in, and this machine is none of them.",
    advise(
        f"{_ADMINISTRATOR} to enroll it, or sign in on a machine that is enrolled with ", Opt("flow", "browser"), "."
    ),
)
_POLICY = Meaning(
    "A rule of your organization (Conditional Access) does not allow this sign-in.",
    advise(
        "Use ",
        Opt("flow", "browser"),
        " on a machine that it knows, or ask its administrator which rule applies to this sign-in.",
    ),
)
_RISK = Meaning(
    "Microsoft has blocked this sign-in because it looks risky.",
    f"{_ADMINISTRATOR} to look at the sign-in logs of Microsoft Entra and to release the account.",
)
_RULE_OF_TENANTS = Meaning(
    "Your organization or the other one does not allow accounts to cross between the two.",
    "Ask the administrators of both about their cross-tenant access, or sign in with an account of the tenant itself.",
)
_PERMISSION = Meaning(
    "The application's registration does not ask for the permission that the service needs.",
    "Add it in Microsoft Entra, under API permissions (the application's owner can), then consent again.",
)
_APPROVAL = Meaning(
    "An administrator has to approve this application before anybody of your organization can use it.",
    f"{_ADMINISTRATOR} to consent to it for the organization, then sign in again.",
)
_MALFORMED = Meaning(
    "Microsoft Entra did not understand the request.",
    "Check the client id and the tenant of the connection; if they are right, report this as a bug of ci-magics.",
)
_ONE_TENANT = Meaning(
    "The application cannot be used through the general address of Microsoft's sign-in.",
    advise("Name your tenant with ", Opt("tenant"), ", or open the application to other tenants in Microsoft Entra."),
)
_ENROLL = Meaning(
    "Your organization asks for a second proof of who you are, and this account has none registered.",
    "Register one at https://aka.ms/mfasetup, then sign in again.",
)

_NOT_SIGNED_IN = Meaning("You are not signed in at Microsoft any more.", _SIGN_IN)

#: Microsoft Entra: OAuth's names, and numbers (page "Microsoft Entra authentication and authorization error codes").
SIGN_IN: Codes = {
    16000: _NOT_IN_TENANT,
    50001: Meaning(
        "The service does not exist for this tenant.",
        "Check the tenant of the connection, or ask its administrator to enable the service.",
    ),
    50005: _DEVICE,
    50011: Meaning(
        "The application does not know the address that the browser comes back to.",
        advise(
            "Add http://localhost to its addresses for desktop applications in Microsoft Entra, or use ",
            Opt("flow", "device"),
            ".",
        ),
    ),
    500011: Meaning(
        "The service is not set up in this tenant.",
        "Check the tenant of the connection, or ask its administrator to enable the service.",
    ),
    50014: _NOT_IN_TENANT,
    50020: _NOT_IN_TENANT,
    500208: Meaning(
        "This kind of account (work or personal) may not sign in to the tenant.",
        advise("Sign in with the other kind of account, or check ", Opt("tenant"), "."),
    ),
    500021: _RULE_OF_TENANTS,
    500022: _RULE_OF_TENANTS,
    500212: _RULE_OF_TENANTS,
    500213: _RULE_OF_TENANTS,
    50033: _LATER,
    50034: _NOT_IN_TENANT,
    50053: Meaning(
        "This account is locked after too many wrong passwords, or the address that you sign in from is blocked.",
        "Wait some minutes and sign in again; if it stays, ask your organization's administrator to unblock it.",
    ),
    50055: _EXPIRED_PASSWORD,
    50056: _PASSWORD,
    50057: Meaning(
        "This account is turned off.",
        f"{_ADMINISTRATOR} to turn it on again, or sign in with another account.",
    ),
    50058: _NOT_SIGNED_IN,
    50059: _NO_TENANT,
    50064: _PASSWORD,
    50072: _ENROLL,
    50074: _SECOND_FACTOR,
    50076: _SECOND_FACTOR,
    50078: Meaning("Your second proof of who you are has expired.", _SIGN_IN),
    50079: _ENROLL,
    50085: _GONE,
    50087: _LATER,
    50088: Meaning("Microsoft can send no more codes by telephone for the moment.", "Sign in again in a few minutes."),
    50089: _GONE,
    50097: _DEVICE,
    50105: Meaning(
        "This account is not assigned to the application.",
        f"{_ADMINISTRATOR} to assign you to it under Enterprise applications, Users and groups.",
    ),
    50125: Meaning(
        "Microsoft asks you to reset or register your password first.", advise("Do so on its page. ", _SIGN_IN)
    ),
    50126: _PASSWORD,
    50128: _NO_TENANT,
    50129: _DEVICE,
    50131: _POLICY,
    50132: _EXPIRED_PASSWORD,
    50133: _EXPIRED_PASSWORD,
    50135: Meaning(
        "Your password must be changed because the account is at risk.",
        advise("Change it on Microsoft's page. ", _SIGN_IN),
    ),
    50144: _EXPIRED_PASSWORD,
    50155: _DEVICE,
    50158: _SECOND_FACTOR,
    50173: Meaning("Your sign-ins were ended by you or an administrator, or your password was changed.", _SIGN_IN),
    50187: _DEVICE,
    50194: Meaning(
        "The application is registered for one tenant only.",
        advise(
            "Name that tenant with ", Opt("tenant"), ", or open the application to other tenants in Microsoft Entra."
        ),
    ),
    50196: Meaning(
        "Microsoft has seen the same sign-in too often in a short time.", "Wait some minutes and run it again."
    ),
    50197: _NOT_IN_TENANT,
    51004: _NOT_IN_TENANT,
    53000: _DEVICE,
    53001: _DEVICE,
    53002: Meaning(
        "Your organization lets only approved applications sign in, and this one is not among them.",
        f"{_ADMINISTRATOR} to approve it, or use another client id.",
    ),
    53003: _POLICY,
    530032: _POLICY,
    530034: _RISK,
    530035: Meaning(
        "The security defaults of your organization block this sign-in.",
        advise(
            "Use ", Opt("flow", "browser"), ", or ask your organization's administrator about its security defaults."
        ),
    ),
    530036: Meaning(
        "Your organization does not allow sign-ins that began with a code (Conditional Access), nor to renew them.",
        advise(
            "Sign in again with ",
            Opt("flow", "browser"),
            ", or ask its administrator to allow device code flow for you.",
        ),
    ),
    53004: _ENROLL,
    53010: Meaning(
        "Your organization lets you register a second proof of who you are only from certain places or devices.",
        "Register it there, then sign in again.",
    ),
    53011: _RISK,
    54005: _GONE,
    65001: _NO_CONSENT,
    65004: _DECLINED,
    65005: _PERMISSION,
    650052: Meaning(
        "The service is not enabled in your organization's tenant.",
        "Ask the tenant's administrator to enable it, or sign in with another account.",
    ),
    650054: _PERMISSION,
    650056: _PERMISSION,
    650057: _PERMISSION,
    70000: _GONE,
    70001: _DISABLED_APPLICATION,
    700005: _GONE,
    70002: Meaning(f"{_SECRET}.", _PUBLIC),
    70008: Meaning("The sign-in was not used for too long and has expired.", _SIGN_IN),
    700011: _UNKNOWN_APPLICATION,
    700016: _UNKNOWN_APPLICATION,
    700020: _SECOND_FACTOR,
    700082: Meaning("The sign-in was not used for 90 days or longer and has expired.", _SIGN_IN),
    700084: Meaning("The sign-in has reached the end of its life.", _SIGN_IN),
    70012: _LATER,
    70043: Meaning(
        "Your organization asks to sign in again from time to time (Conditional Access), and the time is over.",
        advise(_SIGN_IN, " For unattended runs ask its administrator for a longer sign-in frequency."),
    ),
    7000112: _DISABLED_APPLICATION,
    7000215: Meaning(f"{_SECRET}.", _PUBLIC),
    7000216: _NOT_PUBLIC,
    7000218: _NOT_PUBLIC,
    7000222: Meaning(f"{_SECRET}; the one that is registered has expired.", _PUBLIC),
    80001: _LATER,
    80002: _LATER,
    80012: Meaning(
        "Your organization does not allow this account to sign in at this hour.",
        "Sign in at another time, or ask its administrator.",
    ),
    80014: _LATER,
    90002: Meaning("There is no such tenant.", advise("Check the tenant of the connection (", Opt("tenant"), ").")),
    90004: _MALFORMED,
    90006: _LATER,
    90008: _NO_CONSENT,
    9001023: _ONE_TENANT,
    90014: _MALFORMED,
    900144: _MALFORMED,
    90019: _NO_TENANT,
    90023: _NOT_PUBLIC,
    900382: Meaning(
        "The tenant belongs to another cloud of Microsoft.",
        "ci-magics signs in to Microsoft's worldwide cloud only: use an account and tenant of that one.",
    ),
    90038: Meaning(
        "The tenant belongs to another cloud of Microsoft.",
        "ci-magics signs in to Microsoft's worldwide cloud only: use an account and tenant of that one.",
    ),
    90033: _LATER,
    90055: Meaning(
        "Microsoft's sign-in is receiving too many requests of this tenant.", "Run it again in a few minutes."
    ),
    90072: _NOT_IN_TENANT,
    90090: _LATER,
    90094: _APPROVAL,
    90095: _APPROVAL,
    90124: _ONE_TENANT,
    90130: _ONE_TENANT,
    1000031: _DISABLED_APPLICATION,
    "invalid_grant": _GONE,
    "interaction_required": Meaning("Microsoft wants to ask you something before it lets you in.", _SIGN_IN),
    "login_required": _NOT_SIGNED_IN,
    "consent_required": _NO_CONSENT,
    "access_denied": _DECLINED,
    "authorization_declined": _DECLINED,
    "expired_token": Meaning(
        "Nobody signed in before the code expired.",
        "Run it again and enter the new code in time.",
    ),
    "invalid_client": Meaning("Microsoft does not know this application.", "Check the client id of the connection."),
    "unauthorized_client": Meaning(
        "This application may not sign in this way.",
        advise("Allow public client flows for it in Microsoft Entra, or use another ", Opt("flow"), "."),
    ),
    "invalid_scope": Meaning(
        "This application may not use the service.",
        "Give it the permission in Microsoft Entra, under API permissions.",
    ),
    "temporarily_unavailable": _LATER,
}
#: For an unknown number of a refused grant: it may have expired, or never been valid.
SIGN_IN_REFUSED = Meaning(
    "Microsoft does not accept this sign-in.",
    advise(_SIGN_IN, " If it stays, show the code to your administrator."),
)
SIGN_IN_OTHERWISE = Meaning(
    "Signing in to Microsoft failed.",
    "Run it again; if it stays, show the code to your administrator.",
)
