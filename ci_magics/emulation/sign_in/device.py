"""Sign-in by device code: the client shows a link and a code, and the user enters it on another device."""

from __future__ import annotations

import secrets

from ci_magics.emulation.call import Call
from ci_magics.emulation.replies import Reply
from ci_magics.emulation.sign_in.replies import html_page, page, refuse, scope_of
from ci_magics.emulation.state import World

DEVICE_SECONDS = 900.0


def start(world: World, call: Call) -> Reply:
    """Answer the start of a device code sign-in."""
    if not call.form.get("client_id"):
        raise refuse(world, "invalid_request", 900144, "client_id is missing.")
    scope = scope_of(world, call.form.get("scope", ""))
    code, user_code = secrets.token_urlsafe(32), secrets.token_hex(4).upper()
    world.device_codes[code] = {
        "user_code": user_code,
        "scope": scope,
        "client_id": call.form["client_id"],
        "expires": world.clock.now() + DEVICE_SECONDS,
        "approved": None,
    }
    address = f"{call.origin}/devicelogin"
    return Reply(
        {
            "device_code": code,
            "user_code": user_code,
            "verification_uri": address,
            "expires_in": int(DEVICE_SECONDS),
            "interval": 1,
            "message": f"To sign in, open the page {address} and enter the code {user_code} to authenticate.",
        }
    )


def show_page(_world: World, _call: Call) -> Reply:
    """Return the page on which the user enters the code.

    Parameters
    ----------
    _world
        Unused.
    _call
        Unused.
    """
    return html_page(
        "<h1>Enter the code</h1><form method='post' action='/devicelogin'>"
        "<label>Code <input name='user_code' autofocus></label> "
        "<button name='answer' value='accept'>Continue</button> "
        "<button name='answer' value='decline'>Cancel</button></form>"
    )


def take_answer(world: World, call: Call) -> Reply:
    """Accept the code that the user entered."""
    accepted = call.form.get("answer") != "decline"
    if not approve(world, call.form.get("user_code", ""), accepted):
        return page("This code is not known.", 400)
    return page("You have signed in. You may close this window." if accepted else "You have declined.", 200)


def approve(world: World, user_code: str, accepted: bool) -> bool:
    """Record the user's answer; returns whether the code is known.

    Parameters
    ----------
    world
        The emulator's state.
    user_code
        The code that the user entered.
    accepted
        Whether the user accepted.
    """
    found = [each for each in world.device_codes.values() if each["user_code"] == user_code.strip().upper()]
    for each in found:
        each["approved"] = accepted
    return bool(found)


def redeem(world: World, form: dict[str, str]) -> str:
    """Return the scope of an approved device code, or reject the request.

    Parameters
    ----------
    world
        The emulator's state.
    form
        The fields of the token request.

    Raises
    ------
    Refusal
        The code is unknown, expired, pending or declined.
    """
    issued = world.device_codes.get(form.get("device_code", ""))
    if issued is None or issued["client_id"] != form["client_id"]:
        raise refuse(world, "bad_verification_code", 70018, "The device code is not known.")
    if issued["expires"] <= world.clock.now():
        raise refuse(world, "expired_token", 70020, "The device code has expired.")
    if issued["approved"] is None:
        raise refuse(world, "authorization_pending", 70016, "The person has not signed in yet.")
    del world.device_codes[form["device_code"]]
    if not issued["approved"]:
        raise refuse(world, "authorization_declined", 70019, "The person declined.")
    return str(issued["scope"])
