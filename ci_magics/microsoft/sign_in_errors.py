"""What went wrong at Microsoft's sign-in, in words that say what to do; the provider's own words are never repeated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ci_magics.errors import SignInError
from ci_magics.microsoft.faults import whole

_AGAIN = "Sign in again: %ci_connect NAME --sign-in."
_GONE = ("The sign-in is not valid any more.", _AGAIN)
_DECLINED = ("The sign-in was declined.", "Sign in again and accept what is asked.")
_UNKNOWN_APPLICATION = (
    "The tenant does not know this application.",
    "Check the client id (--client-id) and the tenant (--tenant) of the connection.",
)
_SECOND_FACTOR = ("Microsoft asks for a second proof of who you are.", _AGAIN)
_NOT_PUBLIC = (
    "This application may not sign in without a secret.",
    "Allow public client flows for it in Microsoft Entra, under Authentication, or use another client id.",
)

#: By number, which says more than the name (page "Microsoft Entra authentication error codes", guide "Get tokens").
_BY_NUMBER = {
    50011: (
        "The application does not know the address that the browser comes back to.",
        "Add http://localhost to its addresses for desktop applications in Microsoft Entra, or use --flow device.",
    ),
    50059: _UNKNOWN_APPLICATION,
    50076: _SECOND_FACTOR,
    50079: _SECOND_FACTOR,
    50158: _SECOND_FACTOR,
    50194: (
        "The application is registered for one tenant only.",
        "Name that tenant with --tenant, or open the application to other tenants in Microsoft Entra.",
    ),
    53003: (
        "Your organization does not allow signing in from here in this way.",
        "Use --flow browser on a machine that it knows, or ask its administrator.",
    ),
    65001: (
        "Nobody has allowed this application to use the service yet.",
        "Sign in again and accept what is asked, or ask the tenant's administrator to consent.",
    ),
    650052: (
        "The service is not enabled in your organization's tenant.",
        "Ask the tenant's administrator to enable it, or sign in with another account.",
    ),
    700016: _UNKNOWN_APPLICATION,
    7000218: _NOT_PUBLIC,
    90002: ("There is no such tenant.", "Check the tenant of the connection (--tenant)."),
    90023: _NOT_PUBLIC,
}
#: By the name that OAuth gives to it.
_BY_NAME = {
    "invalid_grant": _GONE,
    "interaction_required": _SECOND_FACTOR,
    "consent_required": _BY_NUMBER[65001],
    "access_denied": _DECLINED,
    "authorization_declined": _DECLINED,
    "expired_token": (
        "Nobody signed in before the code expired.",
        "Run it again and enter the new code in time.",
    ),
    "invalid_client": ("Microsoft does not know this application.", "Check the client id of the connection."),
    "unauthorized_client": (
        "This application may not sign in this way.",
        "Allow public client flows for it in Microsoft Entra, or use another --flow.",
    ),
    "invalid_scope": (
        "This application may not use the service.",
        "Give it the permission in Microsoft Entra, under API permissions.",
    ),
    "temporarily_unavailable": ("Microsoft's sign-in is not available for the moment.", "Run it again later."),
}
_OTHERWISE = (
    "Signing in to Microsoft failed.",
    "Run it again; if it stays, show the code to your administrator.",
)


def sign_in_error(answer: Mapping[str, Any]) -> SignInError:
    """Turn a refusal of Microsoft Entra into the error that a person sees.

    Parameters
    ----------
    answer
        What was answered: ``error``, and often ``error_codes`` and ``correlation_id``. Nothing at all is read as a
        sign-in that has ended.
    """
    name = str(answer.get("error") or "invalid_grant")
    number = next((each for each in map(whole, answer.get("error_codes") or []) if each is not None), None)
    sentence, next_step = _BY_NUMBER.get(number or 0) or _BY_NAME.get(name) or _OTHERWISE
    correlation = answer.get("correlation_id")
    return SignInError(
        sentence,
        next_step,
        code=f"AADSTS{number}" if number is not None else _named(name),
        tracking_id=str(correlation) if correlation else None,
    )


def _named(name: str) -> str:
    """Return a name of an error that is known; another one may quote anything."""
    return name if name in _BY_NAME else "sign_in_failed"
