"""Signing in through MSAL, with the sign-in pages and control calls of the emulator."""

from __future__ import annotations

import json
import logging
import re
import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from stub_server import Reply, stub_server

from ci_magics.errors import SignInError
from ci_magics.microsoft import signin
from ci_magics.microsoft.endpoints import Endpoints, endpoints_of
from ci_magics.microsoft.entra import EntraSession
from ci_magics.microsoft.token_cache import open_cache

if TYPE_CHECKING:
    from conftest import RunningEmulator


@pytest.fixture
def endpoints(emulator: RunningEmulator) -> Endpoints:
    return endpoints_of("emulator", emulator.base_url)


def application(endpoints: Endpoints, cache: Any = None) -> Any:
    return signin.open_application(endpoints, client_id=signin.EMULATOR_CLIENT_ID, cache=cache)


@pytest.fixture
def app(endpoints: Endpoints) -> Any:
    return application(endpoints)


def works(emulator: RunningEmulator, token: str) -> bool:
    path = "/CustomerManagement/v13/User/Query"
    return emulator.call("POST", path, {"UserId": None}, Authorization=f"Bearer {token}").ok


def answer_code(emulator: RunningEmulator, sentence: str, *, accept: bool) -> None:
    (code,) = re.findall(r"the code ([0-9A-F]{8})", sentence)
    emulator.control("POST", "/devicecode", {"user_code": code, "accept": accept})


def grants(emulator: RunningEmulator) -> list[dict[str, str]]:
    lines = [each for each in emulator.control("GET", "/requests") if each["operation"] == "Token"]
    return [dict(part.split("=", 1) for part in each["body"].split("&")) for each in lines]


def test_device_code_signs_in(emulator: RunningEmulator, endpoints: Endpoints, app: Any) -> None:
    shown: list[str] = []

    def enter(sentence: str) -> None:
        shown.append(sentence)
        answer_code(emulator, sentence, accept=True)

    tokens = signin.sign_in_by_device_code(app, endpoints.scope, enter)
    assert works(emulator, tokens.token())
    assert tokens.username == "analyst"
    assert shown[0].startswith(f"To sign in, open {emulator.base_url}/devicelogin and enter the code ")


def test_declined_device_code_is_reported(emulator: RunningEmulator, endpoints: Endpoints, app: Any) -> None:
    with pytest.raises(SignInError, match="declined") as caught:
        signin.sign_in_by_device_code(
            app, endpoints.scope, lambda sentence: answer_code(emulator, sentence, accept=False)
        )
    assert caught.value.code == "AADSTS70019"
    assert caught.value.tracking_id


def test_device_code_expires_if_nobody_enters_it(emulator: RunningEmulator, endpoints: Endpoints, app: Any) -> None:
    with pytest.raises(SignInError, match="before the code expired"):
        signin.sign_in_by_device_code(
            app, endpoints.scope, lambda _sentence: emulator.control("POST", "/clock", {"advance_hours": 1})
        )


def test_refused_device_code_request_is_reported(emulator: RunningEmulator, endpoints: Endpoints, app: Any) -> None:
    emulator.control("POST", "/faults", [{"operation": "DeviceCode", "call": 1, "fault": "invalid_grant"}])
    with pytest.raises(SignInError) as caught:
        signin.sign_in_by_device_code(app, endpoints.scope, lambda _sentence: pytest.fail("there is no code"))
    assert caught.value.code == "AADSTS70000"


def test_waiting_for_the_device_code_can_be_interrupted(
    emulator: RunningEmulator, endpoints: Endpoints, app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("msal.oauth2cli.oauth2.time.sleep", stop)
    with pytest.raises(KeyboardInterrupt):
        signin.sign_in_by_device_code(app, endpoints.scope, lambda _sentence: None)
    assert emulator.operations()[-1] == "Token"


def test_sign_in_to_the_emulator_needs_no_person(emulator: RunningEmulator, endpoints: Endpoints, app: Any) -> None:
    emulator.control("POST", "/settings", {"record_bodies": True})
    tokens = signin.sign_in_to_emulator(app, endpoints)
    assert works(emulator, tokens.token())
    (form,) = grants(emulator)
    assert form["grant_type"] == "authorization_code"
    assert form["code_verifier"]


@pytest.mark.parametrize("choose", [False, True])
def test_browser_sign_in_follows_the_self_posting_page_and_can_ask_for_the_account(
    emulator: RunningEmulator, endpoints: Endpoints, app: Any, monkeypatch: pytest.MonkeyPatch, choose: bool
) -> None:
    opened: list[str] = []

    def browse(uri: str, **_options: Any) -> bool:
        opened.append(uri)
        page = requests.get(uri, timeout=10).text
        (action,) = re.findall(r'action="([^"]+)"', page)
        form = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page))
        threading.Thread(target=requests.post, args=(action, form), kwargs={"timeout": 10}, daemon=True).start()
        return True

    monkeypatch.setattr("msal.oauth2cli.authcode._browse", browse)
    monkeypatch.setattr(signin, "_BROWSER_SECONDS", 20)
    tokens = signin.sign_in_by_browser(app, endpoints.scope, lambda _sentence: None, choose=choose)
    assert works(emulator, tokens.token())
    assert ("prompt=select_account" in opened[0]) is choose


def test_refresh_token_signs_in_unattended(emulator: RunningEmulator, endpoints: Endpoints, app: Any) -> None:
    tokens = signin.sign_in_by_refresh_token(app, endpoints.scope, emulator.refresh_token)
    assert works(emulator, tokens.token())


def test_invalid_refresh_token_asks_for_a_new_sign_in_and_is_not_retried(
    emulator: RunningEmulator, endpoints: Endpoints, app: Any
) -> None:
    with pytest.raises(SignInError, match="not valid any more") as caught:
        signin.sign_in_by_refresh_token(app, endpoints.scope, "gone")
    assert caught.value.code == "AADSTS70000"
    assert emulator.operations().count("Token") == 1


def test_token_is_cached_until_it_is_renewed(emulator: RunningEmulator, endpoints: Endpoints, app: Any) -> None:
    tokens = signin.sign_in_by_refresh_token(app, endpoints.scope, emulator.refresh_token)
    first = tokens.token()
    assert tokens.token() == first
    assert emulator.operations().count("Token") == 1
    renewed = tokens.renew()
    assert renewed != first
    assert tokens.token() == renewed
    assert works(emulator, renewed)


def test_each_renewal_uses_the_latest_refresh_token(emulator: RunningEmulator, endpoints: Endpoints, app: Any) -> None:
    emulator.control("POST", "/settings", {"record_bodies": True})
    tokens = signin.sign_in_by_refresh_token(app, endpoints.scope, emulator.refresh_token)
    for _ in range(3):
        tokens.renew()
    used = [form["refresh_token"] for form in grants(emulator)]
    assert len(set(used)) == 4
    assert used[0] == emulator.refresh_token


def test_new_refresh_token_is_saved_before_the_access_token_is_returned(
    emulator: RunningEmulator, endpoints: Endpoints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("msal_extensions.build_encrypted_persistence", unavailable)
    path = tmp_path / "cache.bin"
    notices: list[str] = []
    app = application(endpoints, open_cache(path, notices.append))
    tokens = signin.sign_in_by_refresh_token(app, endpoints.scope, emulator.refresh_token)
    before = saved(path)
    access = tokens.renew()
    assert saved(path) != before
    assert access in path.read_text("utf-8")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert notices == [
        "This machine offers no encryption for tokens: they are kept in cache.bin, readable by you only."
    ]


def saved(path: Path) -> str:
    (entry,) = json.loads(path.read_text("utf-8"))["RefreshToken"].values()
    return str(entry["secret"])


def unavailable(_path: str) -> Any:
    raise ImportError


def test_another_process_finds_the_signed_in_account(
    emulator: RunningEmulator, endpoints: Endpoints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("msal_extensions.build_encrypted_persistence", unavailable)
    path = tmp_path / "cache.bin"
    first = application(endpoints, open_cache(path, print))
    signin.sign_in_by_refresh_token(first, endpoints.scope, emulator.refresh_token)
    second = application(endpoints, open_cache(path, print))
    (person,) = signin.signed_in(second)
    known = signin.tokens_of(second, endpoints.scope, person.home_account_id)
    assert known is not None
    assert works(emulator, known.token())
    assert emulator.operations().count("Token") == 1
    assert signin.tokens_of(second, endpoints.scope, "somebody.else") is None


def test_signing_out_removes_the_tokens_from_this_machine(
    emulator: RunningEmulator, endpoints: Endpoints, app: Any
) -> None:
    tokens = signin.sign_in_by_refresh_token(app, endpoints.scope, emulator.refresh_token)
    (person,) = signin.signed_in(app)
    assert person.home_account_id == tokens.home_account_id
    assert person.username not in repr(person)
    signin.sign_out(app, "somebody.else")
    assert signin.signed_in(app) == [person]
    signin.sign_out(app, person.home_account_id)
    assert signin.signed_in(app) == []


def test_nobody_is_signed_in_at_first(endpoints: Endpoints, app: Any) -> None:
    assert signin.signed_in(app) == []
    assert signin.tokens_of(app, endpoints.scope, "anybody") is None


@pytest.mark.parametrize(
    "fault", ["http_502_html", "empty_body", "lost_reply", "lost_request", "redirect", "huge_body", "http_500"]
)
@pytest.mark.parametrize("when", ["at first", "later"])
def test_unreachable_sign_in_raises_one_error_without_the_response(
    emulator: RunningEmulator,
    endpoints: Endpoints,
    app: Any,
    fault: str,
    when: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    tokens = signin.sign_in_by_refresh_token(app, endpoints.scope, emulator.refresh_token) if when == "later" else None
    emulator.control("POST", "/faults", [{"operation": "Token", "call": 1, "fault": fault}])
    with pytest.raises(SignInError) as caught:  # noqa: PT012 - one or the other
        if tokens:
            tokens.renew()
        else:
            signin.sign_in_by_refresh_token(app, endpoints.scope, emulator.refresh_token)
    assert caught.value.code == "sign_in_unreachable"
    assert not re.search("<html|Gateway|xxxx", caplog.text + str(caught.value))
    assert "/elsewhere" not in [each["path"] for each in emulator.control("GET", "/requests")]


@pytest.mark.parametrize("operation", ["Discovery", "Authorize"])
@pytest.mark.parametrize("fault", ["http_502_html", "lost_reply", "empty_body"])
def test_every_page_of_the_sign_in_fails_with_the_same_error(
    emulator: RunningEmulator, endpoints: Endpoints, operation: str, fault: str
) -> None:
    emulator.control("POST", "/faults", [{"operation": operation, "call": 1, "fault": fault}])
    with pytest.raises(SignInError) as caught:
        signin.sign_in_to_emulator(application(endpoints), endpoints)
    assert caught.value.code in ("sign_in_unreachable", "emulator_unreachable")


def test_unknown_tenant_is_reported(emulator: RunningEmulator, endpoints: Endpoints) -> None:
    emulator.fault("Discovery", "AADSTS90002", times=9)
    with pytest.raises(SignInError, match="does not know the tenant") as caught:
        signin.sign_in_to_emulator(application(endpoints), endpoints)
    assert caught.value.code == "unknown_tenant"


@pytest.mark.parametrize("status", [202, 204, 304, 500])
def test_unexpected_status_of_the_sign_in_is_reported(status: int) -> None:
    with stub_server(Reply({"token_endpoint": "x"}, status)) as stub, pytest.raises(SignInError) as caught:
        application(endpoints_of("emulator", stub.address)).initiate_auth_code_flow(["scope"])
    assert caught.value.code == "sign_in_unreachable"


def test_refusal_of_the_sign_in_is_an_error_for_msal() -> None:
    with stub_server(Reply({}), Reply({"error": "invalid_request"}, 400)) as stub:
        session = EntraSession(endpoints_of("emulator", stub.address))
        session.get(stub.address).raise_for_status()
        with pytest.raises(requests.HTTPError, match="status 400"):
            session.get(stub.address).raise_for_status()


def test_response_to_another_sign_in_is_refused(
    endpoints: Endpoints, app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = signin.hidden_fields
    monkeypatch.setattr(signin, "hidden_fields", lambda page: {**fields(page), "state": "of another window"})
    with pytest.raises(SignInError, match="does not belong to this sign-in"):
        signin.sign_in_to_emulator(app, endpoints)


def test_sign_in_that_names_nobody_is_refused(
    emulator: RunningEmulator, endpoints: Endpoints, app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "get_accounts", list)
    with pytest.raises(SignInError) as caught:
        signin.sign_in_by_refresh_token(app, endpoints.scope, emulator.refresh_token)
    assert caught.value.code == "sign_in_without_account"


def test_no_output_contains_a_token(
    emulator: RunningEmulator, endpoints: Endpoints, app: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    tokens = signin.sign_in_by_refresh_token(app, endpoints.scope, emulator.refresh_token)
    secrets = [tokens.token(), emulator.refresh_token, tokens.renew()]
    shown = f"{tokens!r} {tokens} {app!r} {endpoints!r} {caplog.text}"
    assert not [secret for secret in secrets if secret in shown]


def test_requests_have_a_timeout_and_do_not_name_the_person(
    emulator: RunningEmulator, endpoints: Endpoints, app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    timeouts: list[Any] = []
    real = requests.Session.send

    def noted(session: requests.Session, request: Any, **options: Any) -> requests.Response:
        timeouts.append(options.get("timeout"))
        return real(session, request, **options)

    monkeypatch.setattr(requests.Session, "send", noted)
    emulator.control("POST", "/settings", {"record_bodies": True})
    signin.sign_in_by_refresh_token(app, endpoints.scope, emulator.refresh_token).renew()
    assert (10.0, 60.0) in timeouts
    tokens = [each for each in emulator.control("GET", "/requests") if each["operation"] == "Token"]
    assert len(tokens) == 2
    assert not [each for each in tokens if "X-Anchormailbox" in each["headers"]]
