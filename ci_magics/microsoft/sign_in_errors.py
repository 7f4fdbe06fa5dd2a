"""Build the errors of Microsoft's sign-in. The provider's text is never repeated."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ci_magics.advice import Opt, advise
from ci_magics.errors import SignInError
from ci_magics.microsoft.faults import whole
from ci_magics.microsoft.sign_in_codes import ADVICE, AGAIN, DECLINED, GONE, LATER, NO_CONSENT, Told

_NUMBER = re.compile(r"AADSTS(\d{4,8})\b")
_TRACKING_ID = re.compile("[0-9A-Za-z-]{1,64}")
#: Advice by OAuth error name.
_BY_NAME: dict[str, Told] = {
    "invalid_grant": GONE,
    "interaction_required": ("Microsoft wants to ask you something before it lets you in.", AGAIN),
    "login_required": ADVICE[50058],
    "consent_required": NO_CONSENT,
    "access_denied": DECLINED,
    "authorization_declined": DECLINED,
    "expired_token": (
        "Nobody signed in before the code expired.",
        "Run it again and enter the new code in time.",
    ),
    "invalid_client": ("Microsoft does not know this application.", "Check the client id of the connection."),
    "unauthorized_client": (
        "This application may not sign in this way.",
        advise("Allow public client flows for it in Microsoft Entra, or use another ", Opt("flow"), "."),
    ),
    "invalid_scope": (
        "This application may not use the service.",
        "Give it the permission in Microsoft Entra, under API permissions.",
    ),
    "temporarily_unavailable": LATER,
}
#: For an unknown number of a refused grant: it may have expired, or never been valid.
_NEW: Told = (
    "Microsoft does not accept this sign-in.",
    advise(AGAIN, " If it stays, show the code to your administrator."),
)
_OTHERWISE: Told = (
    "Signing in to Microsoft failed.",
    "Run it again; if it stays, show the code to your administrator.",
)


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
    by_name = _NEW if number is not None and name == "invalid_grant" else _BY_NAME.get(name)
    sentence, next_step = ADVICE.get(number or 0) or by_name or _OTHERWISE
    correlation = str(answer.get("correlation_id") or "")
    return SignInError(
        sentence,
        next_step,
        code=f"AADSTS{number}" if number is not None else _named(name),
        tracking_id=correlation if _TRACKING_ID.fullmatch(correlation) else None,
    )


def _number_in(answer: Mapping[str, Any]) -> int | None:
    """Return the error number, preferring a known one; the browser flow gives it only in the text."""
    listed = answer.get("error_codes")
    numbers = [each for each in map(whole, listed if isinstance(listed, list) else []) if each is not None]
    numbers += [int(each) for each in _NUMBER.findall(str(answer.get("error_description") or ""))]
    return next((each for each in numbers if each in ADVICE), numbers[0] if numbers else None)


def _named(name: str) -> str:
    """Return the name of a known error; an unknown one may quote anything."""
    return name if name in _BY_NAME else "sign_in_failed"
