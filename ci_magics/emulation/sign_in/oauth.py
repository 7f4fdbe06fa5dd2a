"""Sign-in of Microsoft Entra: discovery, authorization code with PKCE, device code, refresh."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from typing import Any
from urllib.parse import urlencode, urlsplit

from ci_magics.emulation.call import Call
from ci_magics.emulation.replies import Reply
from ci_magics.emulation.sign_in import device
from ci_magics.emulation.sign_in.replies import form_post, invalid_grant, page, refuse, scope_of, wanted_scope
from ci_magics.emulation.state import TOKEN_SECONDS, World

LOGIN = "https://login.microsoftonline.com"
CODE_SECONDS = 300.0  # "about five minutes" (guide "Request user consent")
NATIVE_REDIRECT = f"{LOGIN}/common/oauth2/nativeclient"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


def discovery(world: World, call: Call) -> Reply:
    """Return the OpenID configuration.

    Endpoint names stay Microsoft's, because clients insist on them; only the browser page is ours.
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


def instance_discovery(_world: World, call: Call) -> Reply:
    """Return the aliases of the sign-in host; clients request them before they search their token cache.

    Parameters
    ----------
    _world
        Unused.
    call
        The request.
    """
    names = ["login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"]
    return Reply(
        {
            "tenant_discovery_endpoint": f"{LOGIN}/{call.arguments['tenant']}/v2.0/.well-known/openid-configuration",
            "api-version": "1.1",
            "metadata": [{"preferred_network": names[0], "preferred_cache": names[1], "aliases": names}],
        }
    )


def authorize(world: World, call: Call) -> Reply:
    """Return the result of the sign-in page: the emulator's only user is always signed in."""
    query = call.query
    if not query.get("client_id"):
        return page("AADSTS900144: The request must contain client_id.", 400)
    if not _is_redirect(query.get("redirect_uri", "")):
        return page("AADSTS50011: The redirect URI does not match those of the application.", 400)
    problem = _request_problem(query)
    answer = problem or {"code": _new_code(world, query), "client_info": _client_info(world)}
    if query.get("state"):
        answer["state"] = query["state"]
    if query.get("response_mode") == "form_post":
        return form_post(query["redirect_uri"], answer)
    mark = "#" if query.get("response_mode") == "fragment" else "&" if "?" in query["redirect_uri"] else "?"
    return Reply(status=302, headers={"Location": f"{query['redirect_uri']}{mark}{urlencode(answer)}"})


def token(world: World, call: Call) -> Reply:
    """Answer the token endpoint for each grant type."""
    form = call.form
    if not form.get("client_id"):
        raise refuse(world, "invalid_request", 900144, "client_id is missing.")
    grant = form.get("grant_type")
    if grant == "authorization_code":
        return _by_code(world, form)
    if grant == "refresh_token":
        return _by_refresh_token(world, form)
    if grant == DEVICE_GRANT:
        return tokens(world, device.redeem(world, form), form["client_id"], None)
    if grant == "client_credentials":
        return _by_secret(world, form)
    raise refuse(world, "unsupported_grant_type", 70003, "The grant type is not supported.")


def _by_code(world: World, form: dict[str, str]) -> Reply:
    issued = world.codes.pop(form.get("code", ""), None)  # single use
    if issued is None or issued["expires"] <= world.clock.now():
        raise invalid_grant(world)
    if issued["redirect_uri"] != form.get("redirect_uri") or issued["client_id"] != form["client_id"]:
        raise invalid_grant(world)
    if issued["redirect_uri"] == NATIVE_REDIRECT and form.get("client_secret"):
        raise refuse(world, "invalid_request", 90023, "Public clients can't send a client secret.")
    if issued["challenge"] is not None and issued["challenge"] != _challenge(form.get("code_verifier", "")):
        raise refuse(world, "invalid_grant", 501481, "The Code_Verifier does not match the code_challenge.")
    return tokens(world, issued["scope"], form["client_id"], issued["nonce"])


def _by_refresh_token(world: World, form: dict[str, str]) -> Reply:
    known = world.refresh_tokens.get(form.get("refresh_token", ""))
    if known is None or known.expires <= world.clock.now():
        raise invalid_grant(world)
    scope = scope_of(world, form["scope"]) if form.get("scope") else known.scope
    return tokens(world, scope, form["client_id"], None)


def _by_secret(world: World, form: dict[str, str]) -> Reply:
    """Sign in an application by itself: only with ``.default``, its own rights, and not for Microsoft Advertising."""
    if not form.get("client_secret"):
        raise refuse(world, "invalid_client", 7000216, "client_secret is missing.")
    scope = scope_of(world, form.get("scope", ""))
    if not scope.endswith("/.default"):
        raise refuse(world, "invalid_scope", 1002012, "The scope of an application must end with /.default.")
    body = {"token_type": "Bearer", "expires_in": int(TOKEN_SECONDS), "ext_expires_in": int(TOKEN_SECONDS)}
    return Reply(body | {"access_token": world.issue_access_token(scope)})


def tokens(world: World, scope: str, client_id: str, nonce: str | None) -> Reply:
    """Return new tokens of the seeded user.

    Parameters
    ----------
    world
        The emulator's state.
    scope
        The scope of the tokens.
    client_id
        The application.
    nonce
        The nonce of the sign-in request, if any.
    """
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
        "scope": wanted_scope(query.get("scope", "")),
        "expires": world.clock.now() + CODE_SECONDS,
    }
    return code


def _request_problem(query: dict[str, str]) -> dict[str, str] | None:
    if query.get("response_type") != "code":
        return {"error": "unsupported_response_type", "error_description": "AADSTS700054: Only code is supported."}
    if wanted_scope(query.get("scope", "")) is None:
        return {"error": "invalid_scope", "error_description": "AADSTS70011: The scope is not valid."}
    if "code_challenge" in query and query.get("code_challenge_method") != "S256":
        return {"error": "invalid_request", "error_description": "AADSTS501491: Only S256 is supported."}
    return None


def _is_redirect(uri: str) -> bool:
    parts = urlsplit(uri)
    return uri == NATIVE_REDIRECT or (parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1"))


def _challenge(verifier: str) -> str:
    return _encoded(hashlib.sha256(verifier.encode("ascii", "replace")).digest())


def _client_info(world: World) -> str:
    """Return the user's ids, which MSAL needs to recognize the account."""
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
