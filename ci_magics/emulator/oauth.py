"""Microsoft Entra's sign-in: discovery, authorization code with PKCE, device code, refresh."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import secrets
import uuid
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from ci_magics.emulator.call import Call
from ci_magics.emulator.replies import Refusal, Reply
from ci_magics.emulator.state import ADVERTISING, SANDBOX_ADVERTISING, TOKEN_SECONDS, World

LOGIN = "https://login.microsoftonline.com"
CODE_SECONDS = 300.0  # "about five minutes" (guide "Request user consent")
DEVICE_SECONDS = 900.0
NATIVE_REDIRECT = f"{LOGIN}/common/oauth2/nativeclient"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"

_ALWAYS = {"openid", "profile", "offline_access", "email"}


def discovery(world: World, call: Call) -> Reply:
    """Answer the OpenID configuration.

    Names of endpoints stay Microsoft's, which clients insist on; only the page for a browser is ours.
    """
    tenant = call.arguments["tenant"]
    base = f"{LOGIN}/{tenant}/oauth2/v2.0"
    return Reply(
        {
            "issuer": f"{LOGIN}/{world.user.tenant_id}/v2.0",
            "authorization_endpoint": f"{call.origin}/{tenant}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}/token",
            "device_authorization_endpoint": f"{base}/devicecode",
            "jwks_uri": f"{LOGIN}/{tenant}/discovery/v2.0/keys",
            "response_modes_supported": ["query", "fragment", "form_post"],
            "response_types_supported": ["code"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
        }
    )


def authorize(world: World, call: Call) -> Reply:
    """Answer the page at which a person signs in; the emulator's only user has signed in already."""
    query = call.query
    if not query.get("client_id"):
        return _page("AADSTS900144: The request must contain client_id.", 400)
    if not _is_redirect(query.get("redirect_uri", "")):
        return _page("AADSTS50011: The redirect URI does not match those of the application.", 400)
    problem = _request_problem(query)
    answer = problem or {"code": _new_code(world, query), "client_info": _client_info(world)}
    if query.get("state"):
        answer["state"] = query["state"]
    if query.get("response_mode") == "form_post":
        return _form_post(query["redirect_uri"], answer)
    mark = "#" if query.get("response_mode") == "fragment" else "&" if "?" in query["redirect_uri"] else "?"
    return Reply(status=302, headers={"Location": f"{query['redirect_uri']}{mark}{urlencode(answer)}"})


def device_code(world: World, call: Call) -> Reply:
    """Answer the start of a sign-in by device code."""
    if not call.form.get("client_id"):
        raise _refuse(world, "invalid_request", 900144, "client_id is missing.")
    scope = _scope(world, call.form.get("scope", ""))
    code, user_code = secrets.token_urlsafe(32), secrets.token_hex(4).upper()
    world.device_codes[code] = {
        "user_code": user_code,
        "scope": scope,
        "client_id": call.form["client_id"],
        "expires": world.clock.now() + DEVICE_SECONDS,
        "approved": None,
    }
    page = f"{call.origin}/devicelogin"
    return Reply(
        {
            "device_code": code,
            "user_code": user_code,
            "verification_uri": page,
            "expires_in": int(DEVICE_SECONDS),
            "interval": 1,
            "message": f"To sign in, open the page {page} and enter the code {user_code} to authenticate.",
        }
    )


def device_page(_world: World, _call: Call) -> Reply:
    """Answer the page on which a person enters the code."""
    return _html(
        "<h1>Enter the code</h1><form method='post' action='/devicelogin'>"
        "<label>Code <input name='user_code' autofocus></label> "
        "<button name='answer' value='accept'>Continue</button> "
        "<button name='answer' value='decline'>Cancel</button></form>"
    )


def device_approval(world: World, call: Call) -> Reply:
    """Take the code that a person entered."""
    accepted = call.form.get("answer") != "decline"
    if not approve_device(world, call.form.get("user_code", ""), accepted):
        return _page("This code is not known.", 400)
    return _page("You have signed in. You may close this window." if accepted else "You have declined.", 200)


def approve_device(world: World, user_code: str, accepted: bool) -> bool:
    """Note what a person answered; tell whether the code is known."""
    found = [each for each in world.device_codes.values() if each["user_code"] == user_code.strip().upper()]
    for each in found:
        each["approved"] = accepted
    return bool(found)


def token(world: World, call: Call) -> Reply:
    """Answer the token endpoint for each of its grants."""
    form = call.form
    if not form.get("client_id"):
        raise _refuse(world, "invalid_request", 900144, "client_id is missing.")
    grant = form.get("grant_type")
    if grant == "authorization_code":
        return _by_code(world, form)
    if grant == "refresh_token":
        return _by_refresh_token(world, form)
    if grant == DEVICE_GRANT:
        return _by_device_code(world, form)
    raise _refuse(world, "unsupported_grant_type", 70003, "The grant type is not supported.")


def invalid_grant(world: World) -> Refusal:
    """Build the answer to a grant that is not valid any more: only a new consent helps."""
    return _refuse(world, "invalid_grant", 70000, "The grant is expired or revoked. Sign in again.")


def _by_code(world: World, form: dict[str, str]) -> Reply:
    issued = world.codes.pop(form.get("code", ""), None)  # single use
    if issued is None or issued["expires"] <= world.clock.now():
        raise invalid_grant(world)
    if issued["redirect_uri"] != form.get("redirect_uri") or issued["client_id"] != form["client_id"]:
        raise invalid_grant(world)
    if issued["redirect_uri"] == NATIVE_REDIRECT and form.get("client_secret"):
        raise _refuse(world, "invalid_request", 90023, "Public clients can't send a client secret.")
    if issued["challenge"] is not None and issued["challenge"] != _challenge(form.get("code_verifier", "")):
        raise _refuse(world, "invalid_grant", 501481, "The Code_Verifier does not match the code_challenge.")
    return _tokens(world, issued["scope"], form["client_id"], issued["nonce"])


def _by_refresh_token(world: World, form: dict[str, str]) -> Reply:
    known = world.refresh_tokens.get(form.get("refresh_token", ""))
    if known is None or known.expires <= world.clock.now():
        raise invalid_grant(world)
    scope = _scope(world, form["scope"]) if form.get("scope") else known.scope
    return _tokens(world, scope, form["client_id"], None)


def _by_device_code(world: World, form: dict[str, str]) -> Reply:
    issued = world.device_codes.get(form.get("device_code", ""))
    if issued is None or issued["client_id"] != form["client_id"]:
        raise _refuse(world, "bad_verification_code", 70018, "The device code is not known.")
    if issued["expires"] <= world.clock.now():
        raise _refuse(world, "expired_token", 70020, "The device code has expired.")
    if issued["approved"] is None:
        raise _refuse(world, "authorization_pending", 70016, "The person has not signed in yet.")
    del world.device_codes[form["device_code"]]
    if not issued["approved"]:
        raise _refuse(world, "authorization_declined", 70019, "The person declined.")
    return _tokens(world, issued["scope"], form["client_id"], None)


def _tokens(world: World, scope: str, client_id: str, nonce: str | None) -> Reply:
    return Reply(
        {
            "token_type": "Bearer",
            "scope": scope,
            "expires_in": int(TOKEN_SECONDS),
            "ext_expires_in": int(TOKEN_SECONDS),
            "access_token": world.issue_access_token(scope),
            "refresh_token": world.issue_refresh_token(scope),
            "id_token": _id_token(world, client_id, nonce),
            "client_info": _client_info(world),
        }
    )


def _new_code(world: World, query: dict[str, str]) -> str:
    code = secrets.token_urlsafe(32)
    world.codes[code] = {
        "client_id": query["client_id"],
        "redirect_uri": query["redirect_uri"],
        "challenge": query.get("code_challenge"),
        "nonce": query.get("nonce"),
        "scope": _wanted(query.get("scope", "")),
        "expires": world.clock.now() + CODE_SECONDS,
    }
    return code


def _request_problem(query: dict[str, str]) -> dict[str, str] | None:
    if query.get("response_type") != "code":
        return {"error": "unsupported_response_type", "error_description": "AADSTS700054: Only code is supported."}
    if _wanted(query.get("scope", "")) is None:
        return {"error": "invalid_scope", "error_description": "AADSTS70011: The scope is not valid."}
    if "code_challenge" in query and query.get("code_challenge_method") != "S256":
        return {"error": "invalid_request", "error_description": "AADSTS501491: Only S256 is supported."}
    return None


def _wanted(scope: str) -> str | None:
    """Return the service's scope out of a list; the old ``ads.manage`` and ``bingads.manage`` are refused."""
    services = [each for each in scope.split() if each not in _ALWAYS]
    return services[0] if len(services) == 1 and services[0] in (ADVERTISING, SANDBOX_ADVERTISING) else None


def _scope(world: World, scope: str) -> str:
    wanted = _wanted(scope)
    if wanted is None:
        raise _refuse(world, "invalid_scope", 70011, "The scope is not valid.")
    return wanted


def _is_redirect(uri: str) -> bool:
    parts = urlsplit(uri)
    return uri == NATIVE_REDIRECT or (parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1"))


def _challenge(verifier: str) -> str:
    return _encoded(hashlib.sha256(verifier.encode("ascii", "replace")).digest())


def _client_info(world: World) -> str:
    """Return who signed in, without which MSAL knows no account."""
    return _encoded(json.dumps({"uid": world.user.object_id, "utid": world.user.tenant_id}).encode())


def _id_token(world: World, client_id: str, nonce: str | None) -> str:
    now = int(world.clock.now())
    claims: dict[str, Any] = {
        "aud": client_id,
        "iss": f"{LOGIN}/{world.user.tenant_id}/v2.0",
        "iat": now,
        "nbf": now,
        "exp": now + int(TOKEN_SECONDS),
        "name": world.user.name,
        "preferred_username": world.user.name,
        "oid": world.user.object_id,
        "sub": world.user.object_id,
        "tid": world.user.tenant_id,
        "ver": "2.0",
    }
    if nonce:
        claims["nonce"] = nonce
    parts = ({"typ": "JWT", "alg": "none"}, claims)
    return ".".join([*(_encoded(json.dumps(part).encode()) for part in parts), ""])


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _refuse(world: World, error: str, number: int, description: str) -> Refusal:
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


def _form_post(redirect_uri: str, answer: dict[str, str]) -> Reply:
    """Return a page that sends itself on, as Microsoft Entra does for ``form_post``."""
    fields = "".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
        for name, value in answer.items()
    )
    return _html(
        f'<form method="post" action="{html.escape(redirect_uri)}">{fields}'
        "<noscript><button>Continue</button></noscript></form><script>document.forms[0].submit()</script>"
    )


def _page(text: str, status: int) -> Reply:
    return _html(f"<p>{html.escape(text)}</p>", status)


def _html(body: str, status: int = 200) -> Reply:
    page = f"<!doctype html><html lang='en'><meta charset='utf-8'><title>Sign in (emulator)</title><body>{body}</body>"
    return Reply(page, status, content_type="text/html; charset=utf-8")
