from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

if TYPE_CHECKING:
    from conftest import RunningEmulator

SCOPE = "https://ads.microsoft.com/msads.manage offline_access openid profile"
REDIRECT = "http://localhost:5000"


def token(emulator: RunningEmulator, **form: str) -> requests.Response:
    return emulator.session.post(f"{emulator.base_url}/common/oauth2/v2.0/token", data={"client_id": "app", **form})


def authorize(emulator: RunningEmulator, **changes: str | None) -> requests.Response:
    query: dict[str, str | None] = {
        "client_id": "app",
        "response_type": "code",
        "redirect_uri": REDIRECT,
        "scope": SCOPE,
        "state": "some <state>",
        "response_mode": "form_post",
        **changes,
    }
    return emulator.session.get(
        f"{emulator.base_url}/common/oauth2/v2.0/authorize",
        params={name: value for name, value in query.items() if value is not None},
        allow_redirects=False,
    )


def hidden(page: str) -> dict[str, str]:
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page)
    return {name: html.unescape(value) for name, value in found}


def pkce() -> tuple[str, str]:
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    return verifier, challenge


def code_with_pkce(emulator: RunningEmulator) -> tuple[str, str]:
    verifier, challenge = pkce()
    page = authorize(emulator, code_challenge=challenge, code_challenge_method="S256").text
    return hidden(page)["code"], verifier


def error_of(answer: requests.Response) -> Any:
    assert answer.status_code == 400
    body = answer.json()
    assert body["error_codes"]
    assert body["correlation_id"]
    return body["error"]


def test_discovery_lists_the_endpoints(emulator: RunningEmulator) -> None:
    body = emulator.session.get(f"{emulator.base_url}/common/v2.0/.well-known/openid-configuration").json()
    assert body["token_endpoint"] == "https://login.microsoftonline.com/common/oauth2/v2.0/token"
    assert body["device_authorization_endpoint"].startswith("https://login.microsoftonline.com/")
    assert body["authorization_endpoint"] == f"{emulator.base_url}/common/oauth2/v2.0/authorize"


def test_sign_in_hosts_are_known(emulator: RunningEmulator) -> None:
    body = emulator.session.get(f"{emulator.base_url}/common/discovery/instance", params={"api-version": "1.1"}).json()
    (group,) = body["metadata"]
    assert group["preferred_network"] == "login.microsoftonline.com"
    assert {"login.microsoftonline.com", "login.windows.net"} <= set(group["aliases"])


def test_code_and_verifier_give_working_tokens(emulator: RunningEmulator) -> None:
    code, verifier = code_with_pkce(emulator)
    answer = token(
        emulator, grant_type="authorization_code", code=code, redirect_uri=REDIRECT, code_verifier=verifier
    ).json()
    assert answer["token_type"] == "Bearer"
    assert answer["client_info"]
    bearer = f"Bearer {answer['access_token']}"
    assert emulator.call("POST", "/CustomerManagement/v13/User/Query", {"UserId": None}, Authorization=bearer).ok


def test_page_escapes_its_input(emulator: RunningEmulator) -> None:
    page = authorize(emulator).text
    assert "<state>" not in page
    assert hidden(page)["state"] == "some <state>"


def test_query_mode_redirects_with_the_code(emulator: RunningEmulator) -> None:
    answer = authorize(emulator, response_mode=None)
    assert answer.status_code == 302
    assert parse_qs(urlsplit(answer.headers["Location"]).query)["code"]


@pytest.mark.parametrize(("uri", "mark"), [(REDIRECT, "#"), (f"{REDIRECT}/?a=1", "#")])
def test_fragment_mode_keeps_the_code_from_the_server(emulator: RunningEmulator, uri: str, mark: str) -> None:
    location = authorize(emulator, response_mode="fragment", redirect_uri=uri).headers["Location"]
    assert location.startswith(f"{uri}{mark}code=")


def test_redirect_keeps_its_query(emulator: RunningEmulator) -> None:
    location = authorize(emulator, response_mode="query", redirect_uri=f"{REDIRECT}/?a=1").headers["Location"]
    query = parse_qs(urlsplit(location).query)
    assert query["a"] == ["1"]
    assert query["code"]


def test_code_belongs_to_its_client_and_redirect(emulator: RunningEmulator) -> None:
    for changes in ({"client_id": "other"}, {"redirect_uri": "http://localhost:1"}):
        code, verifier = code_with_pkce(emulator)
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, "code_verifier": verifier}
        assert error_of(token(emulator, **form | changes)) == "invalid_grant"


def test_challenge_needs_its_verifier_and_s256(emulator: RunningEmulator) -> None:
    code, _ = code_with_pkce(emulator)
    assert error_of(token(emulator, grant_type="authorization_code", code=code, redirect_uri=REDIRECT))
    page = authorize(emulator, code_challenge="x", code_challenge_method="plain").text
    assert hidden(page)["error"] == "invalid_request"


@pytest.mark.parametrize("grant", ["implicit", "password", ""])
def test_other_grants_are_not_offered(emulator: RunningEmulator, grant: str) -> None:
    assert error_of(token(emulator, grant_type=grant)) == "unsupported_grant_type"


def test_token_response_identifies_the_user(emulator: RunningEmulator) -> None:
    answer = token(emulator, grant_type="refresh_token", refresh_token=emulator.refresh_token)
    info = answer.json()["client_info"]
    assert set(json.loads(base64.urlsafe_b64decode(info + "=" * (-len(info) % 4)))) == {"uid", "utid"}
    assert answer.headers["Cache-Control"] == "no-store"


def test_device_code_expires(emulator: RunningEmulator) -> None:
    started = emulator.session.post(
        f"{emulator.base_url}/common/oauth2/v2.0/devicecode", data={"client_id": "app", "scope": SCOPE}
    ).json()
    emulator.control("POST", "/clock", {"advance_hours": 0.3})
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": started["device_code"]}
    assert error_of(token(emulator, **form)) == "expired_token"


def test_code_works_once(emulator: RunningEmulator) -> None:
    code, verifier = code_with_pkce(emulator)
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, "code_verifier": verifier}
    assert token(emulator, **form).ok
    assert error_of(token(emulator, **form)) == "invalid_grant"


def test_wrong_verifier_is_refused(emulator: RunningEmulator) -> None:
    code, _ = code_with_pkce(emulator)
    answer = token(emulator, grant_type="authorization_code", code=code, redirect_uri=REDIRECT, code_verifier="other")
    assert error_of(answer) == "invalid_grant"


def test_code_expires_after_five_minutes(emulator: RunningEmulator) -> None:
    code, verifier = code_with_pkce(emulator)
    emulator.control("POST", "/clock", {"advance_hours": 0.1})
    answer = token(emulator, grant_type="authorization_code", code=code, redirect_uri=REDIRECT, code_verifier=verifier)
    assert error_of(answer) == "invalid_grant"


def test_foreign_redirect_gets_no_code(emulator: RunningEmulator) -> None:
    answer = authorize(emulator, redirect_uri="https://evil.example/")
    assert answer.status_code == 400
    assert "code" not in hidden(answer.text)


@pytest.mark.parametrize("scope", ["https://ads.microsoft.com/ads.manage", "https://api.ads.microsoft.com/x", ""])
def test_other_scopes_are_refused(emulator: RunningEmulator, scope: str) -> None:
    assert hidden(authorize(emulator, scope=scope).text)["error"] == "invalid_scope"


def test_native_client_must_not_send_a_secret(emulator: RunningEmulator) -> None:
    native = "https://login.microsoftonline.com/common/oauth2/nativeclient"
    code = hidden(authorize(emulator, redirect_uri=native).text)["code"]
    answer = token(emulator, grant_type="authorization_code", code=code, redirect_uri=native, client_secret="x")
    assert error_of(answer) == "invalid_request"


def test_refresh_issues_a_new_refresh_token_and_the_old_one_stays_valid(emulator: RunningEmulator) -> None:
    first = token(emulator, grant_type="refresh_token", refresh_token=emulator.refresh_token).json()
    assert first["refresh_token"] != emulator.refresh_token
    for each in (first["refresh_token"], emulator.refresh_token):
        assert token(emulator, grant_type="refresh_token", refresh_token=each).ok


def test_unknown_refresh_token_is_refused(emulator: RunningEmulator) -> None:
    assert error_of(token(emulator, grant_type="refresh_token", refresh_token="gone")) == "invalid_grant"


def test_device_code_is_pending_until_entered(emulator: RunningEmulator) -> None:
    started = emulator.session.post(
        f"{emulator.base_url}/common/oauth2/v2.0/devicecode", data={"client_id": "app", "scope": SCOPE}
    ).json()
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "device_code": started["device_code"],
    }
    assert error_of(token(emulator, **form)) == "authorization_pending"
    emulator.session.post(f"{emulator.base_url}/devicelogin", data={"user_code": started["user_code"]})
    assert token(emulator, **form).json()["access_token"]


def test_declined_device_code_is_reported(emulator: RunningEmulator) -> None:
    started = emulator.session.post(
        f"{emulator.base_url}/common/oauth2/v2.0/devicecode", data={"client_id": "app", "scope": SCOPE}
    ).json()
    emulator.control("POST", "/devicecode", {"user_code": started["user_code"], "accept": False})
    answer = token(
        emulator,
        grant_type="urn:ietf:params:oauth:grant-type:device_code",
        device_code=started["device_code"],
    )
    assert error_of(answer) == "authorization_declined"
