"""Answers of Microsoft Entra: errors, scopes and pages."""

from __future__ import annotations

import html
import uuid
from datetime import UTC, datetime

from ci_magics.emulation.replies import Refusal, Reply
from ci_magics.emulation.sign_in.audience_check import service_of
from ci_magics.emulation.state import World

_ALWAYS = {"openid", "profile", "offline_access", "email"}


def invalid_grant(world: World) -> Refusal:
    """Build the answer to an expired or revoked grant, which requires a new sign-in."""
    return refuse(world, "invalid_grant", 70000, "The grant is expired or revoked. Sign in again.")


def refuse(world: World, error: str, number: int, description: str) -> Refusal:
    """Build an error in Microsoft Entra's format.

    Parameters
    ----------
    world
        The emulator's state.
    error
        The OAuth error.
    number
        The AADSTS code.
    description
        The text after the code.
    """
    trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
    moment = datetime.fromtimestamp(world.clock.now(), UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    body = {
        "error": error,
        "error_description": f"AADSTS{number}: {description} Trace ID: {trace} Timestamp: {moment}",
        "error_codes": [number],
        "timestamp": moment,
        "trace_id": trace,
        "correlation_id": correlation,
    }
    return Refusal(Reply(body, 400))


def wanted_scope(scope: str) -> str | None:
    """Return the only service scope in a list; the old ``ads.manage`` and ``bingads.manage`` are rejected."""
    services = [each for each in scope.split() if each not in _ALWAYS]
    return services[0] if len(services) == 1 and service_of(services[0]) else None


def scope_of(world: World, scope: str) -> str:
    """Return the only service scope in a list, or reject the request.

    Parameters
    ----------
    world
        The emulator's state.
    scope
        The scopes, separated by blanks.

    Raises
    ------
    Refusal
        The list does not have exactly one known service scope.
    """
    wanted = wanted_scope(scope)
    if wanted is None:
        raise refuse(world, "invalid_scope", 70011, "The scope is not valid.")
    return wanted


def form_post(redirect_uri: str, answer: dict[str, str]) -> Reply:
    """Return a page that submits itself, as Microsoft Entra does for ``form_post``.

    Parameters
    ----------
    redirect_uri
        The address to submit to.
    answer
        The form fields.
    """
    fields = "".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
        for name, value in answer.items()
    )
    return html_page(
        f'<form method="post" action="{html.escape(redirect_uri)}">{fields}'
        "<noscript><button>Continue</button></noscript></form><script>document.forms[0].submit()</script>"
    )


def page(text: str, status: int) -> Reply:
    """Return a page with one sentence.

    Parameters
    ----------
    text
        The sentence.
    status
        The HTTP status.
    """
    return html_page(f"<p>{html.escape(text)}</p>", status)


def html_page(body: str, status: int = 200) -> Reply:
    """Return a page.

    Parameters
    ----------
    body
        The HTML of the body.
    status
        The HTTP status.
    """
    whole = f"<!doctype html><html lang='en'><meta charset='utf-8'><title>Sign in (emulator)</title><body>{body}</body>"
    return Reply(whole, status, content_type="text/html; charset=utf-8")
