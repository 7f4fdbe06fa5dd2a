"""What went wrong at Microsoft's sign-in, in words that say what to do; the provider's own words are never repeated."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ci_magics.errors import SignInError
from ci_magics.microsoft.faults import whole
from ci_magics.microsoft.sign_in_codes import ADVICE, AGAIN, DECLINED, GONE, LATER, NO_CONSENT

_NUMBER = re.compile(r"AADSTS(\d{4,8})\b")
_TRACKING_ID = re.compile("[0-9A-Za-z-]{1,64}")
#: By the name that OAuth gives to it.
_BY_NAME = {
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
        "Allow public client flows for it in Microsoft Entra, or use another --flow.",
    ),
    "invalid_scope": (
        "This application may not use the service.",
        "Give it the permission in Microsoft Entra, under API permissions.",
    ),
    "temporarily_unavailable": LATER,
}
#: A grant that is refused under a number that nobody has described here: it may have ended, or never been good.
_NEW = ("Microsoft does not accept this sign-in.", f"{AGAIN} If it stays, show the code to your administrator.")
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
    """Return the number of a refusal, one that is known before others; the browser's way tells it in the text only."""
    listed = answer.get("error_codes")
    numbers = [each for each in map(whole, listed if isinstance(listed, list) else []) if each is not None]
    numbers += [int(each) for each in _NUMBER.findall(str(answer.get("error_description") or ""))]
    return next((each for each in numbers if each in ADVICE), numbers[0] if numbers else None)


def _named(name: str) -> str:
    """Return a name of an error that is known; another one may quote anything."""
    return name if name in _BY_NAME else "sign_in_failed"
