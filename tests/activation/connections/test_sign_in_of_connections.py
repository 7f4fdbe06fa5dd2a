"""Signing in for a connection: accounts are found, asked for and chosen; no sign-in starts if nobody can answer."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from ci_magics.activation.connections import sign_in
from ci_magics.activation.connections.sign_in import SignInFor, acquire, noted_sign_in
from ci_magics.errors import SignInError
from ci_magics.microsoft import signin
from ci_magics.microsoft.endpoints import Endpoints, endpoints_of

if TYPE_CHECKING:
    from conftest import RunningEmulator

    from ci_magics.workspace.store import Workspace

DEVICE = SignInFor("c1", "Contoso EU", flow="device")
Entering = Callable[[str], None]


@pytest.fixture
def endpoints(emulator: RunningEmulator) -> Endpoints:
    return endpoints_of("emulator", emulator.base_url)


@pytest.fixture
def entering(emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch) -> Entering:
    """Enter each device code that is shown."""
    monkeypatch.setattr(sign_in, "can_ask", lambda: True)

    def enter(sentence: str) -> None:
        for code in re.findall(r"the code ([0-9A-F]{8})", sentence):
            emulator.control("POST", "/devicecode", {"user_code": code, "accept": True})

    return enter


def silent(sentence: str) -> None:
    assert "the code" not in sentence


def test_signed_in_user_is_not_asked_again(
    workspace: Workspace, endpoints: Endpoints, entering: Entering, emulator: RunningEmulator
) -> None:
    first = acquire(workspace, DEVICE, endpoints, entering)
    again = acquire(workspace, DEVICE, endpoints, silent)
    assert again.token() == first.token()
    assert emulator.operations().count("DeviceCode") == 1


def test_tokens_are_stored_privately_for_each_user(
    workspace: Workspace, endpoints: Endpoints, entering: Entering, as_user: Callable[..., Workspace]
) -> None:
    acquire(workspace, DEVICE, endpoints, entering)
    ann = as_user("ann/x", "contributor")
    assert noted_sign_in(workspace, "c1") is not None
    assert noted_sign_in(ann, "c1") is None
    with pytest.raises(SignInError, match="nobody can be asked here"):
        acquire(ann, DEVICE, endpoints, silent, ask=False)
    (kept,) = workspace.folder.parent.glob("config/ci-magics/sign-in-*/*.bin")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    in_workspace = b"".join(each.read_bytes() for each in workspace.folder.rglob("*") if each.is_file())
    for token in re.findall(r'"secret": "([^"]+)"', kept.read_text("utf-8")):
        assert token.encode() not in in_workspace


def test_another_connection_uses_the_existing_sign_in(
    workspace: Workspace, endpoints: Endpoints, entering: Entering, emulator: RunningEmulator
) -> None:
    acquire(workspace, DEVICE, endpoints, entering)
    acquire(workspace, SignInFor("c2", "Contoso US", flow="device"), endpoints, silent)
    assert emulator.operations().count("DeviceCode") == 1


def test_signing_in_again_asks_although_a_sign_in_exists(
    workspace: Workspace, endpoints: Endpoints, entering: Entering, emulator: RunningEmulator
) -> None:
    acquire(workspace, DEVICE, endpoints, entering)
    acquire(workspace, DEVICE, endpoints, entering, again=True)
    assert emulator.operations().count("DeviceCode") == 2


def test_expired_sign_in_is_repeated_if_somebody_can_answer(
    workspace: Workspace, endpoints: Endpoints, entering: Entering, emulator: RunningEmulator
) -> None:
    acquire(workspace, DEVICE, endpoints, entering)
    _let_tokens_end(workspace)
    fault = {"operation": "Token", "call": 1, "fault": "invalid_grant"}
    emulator.control("POST", "/faults", [fault])
    with pytest.raises(SignInError, match="Sign in again"):
        acquire(workspace, DEVICE, endpoints, silent, ask=False)
    emulator.control("POST", "/faults", [fault])
    assert acquire(workspace, DEVICE, endpoints, entering).token()


def _let_tokens_end(workspace: Workspace) -> None:
    """Make every stored access token expired."""
    (kept,) = workspace.folder.parent.glob("config/ci-magics/sign-in-*/*.bin")
    kept.write_text(re.sub(r'("expires_on": ")\d+', r"\g<1>1000000000", kept.read_text("utf-8")), "utf-8")


@pytest.mark.parametrize("flow", ["device", "browser"])
def test_kernel_that_cannot_ask_starts_no_sign_in(
    workspace: Workspace,
    endpoints: Endpoints,
    emulator: RunningEmulator,
    monkeypatch: pytest.MonkeyPatch,
    flow: str,
) -> None:
    monkeypatch.setattr(sign_in, "can_ask", lambda: False)
    with pytest.raises(SignInError, match="nobody can be asked here") as refused:
        acquire(workspace, SignInFor("c1", "Contoso EU", flow=flow), endpoints, silent)
    assert "CI_MAGICS_REFRESH_TOKEN" in refused.value.next_step
    assert not {"DeviceCode", "Authorize", "Token"} & set(emulator.operations())


def test_failed_device_code_mentions_missing_documentation(
    workspace: Workspace, endpoints: Endpoints, entering: Entering, emulator: RunningEmulator
) -> None:
    emulator.control("POST", "/faults", [{"operation": "DeviceCode", "call": 1, "fault": "invalid_grant"}])
    with pytest.raises(SignInError, match='does not document signing in by a code: if it stays, use flow="browser"'):
        acquire(workspace, DEVICE, endpoints, entering)


def test_real_refresh_token_is_never_sent_to_the_emulator(
    workspace: Workspace, endpoints: Endpoints, emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI_MAGICS_REFRESH_TOKEN", "a-real-one")
    emulator.control("POST", "/settings", {"record_bodies": True})
    for flow in ("env", None):
        assert acquire(workspace, SignInFor("c1", "Contoso EU", flow=flow), endpoints, silent).token()
    assert "a-real-one" not in repr(emulator.control("GET", "/requests"))


@pytest.mark.parametrize(
    ("environment", "local"),
    [
        ({"DISPLAY": ":0"}, True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, True),
        ({}, False),
        ({"DISPLAY": ":0", "SSH_CONNECTION": "1.2.3.4"}, False),
        ({"DISPLAY": ":0", "JUPYTERHUB_USER": "ann"}, False),
    ],
)
def test_browser_is_opened_only_for_a_local_user(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], local: bool
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION", "JUPYTERHUB_USER"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("webbrowser.get", lambda: object())
    assert sign_in.is_local() is local


def test_two_services_are_signed_in_to_independently(
    workspace: Workspace, endpoints: Endpoints, entering: Entering
) -> None:
    sandbox = Endpoints(**{**vars(endpoints), "scope": "https://si.ads.microsoft.com/msads.manage"})
    first = acquire(workspace, DEVICE, endpoints, entering)
    second = acquire(workspace, SignInFor("i1", "Insights", flow="device"), sandbox, entering)
    tokens: set[Any] = {first.token(), second.token()}
    assert len(tokens) == 2


@pytest.fixture
def elsewhere(endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch) -> Endpoints:
    """Return the endpoints of production, which the emulator serves."""
    monkeypatch.setenv("CI_MAGICS_CLIENT_ID", signin.EMULATOR_CLIENT_ID)
    return replace(endpoints, environment="production")


@pytest.mark.parametrize("flow", ["env", None])
def test_refresh_token_of_the_environment_signs_in_without_a_person(
    workspace: Workspace,
    elsewhere: Endpoints,
    emulator: RunningEmulator,
    monkeypatch: pytest.MonkeyPatch,
    flow: str | None,
) -> None:
    monkeypatch.setenv("CI_MAGICS_REFRESH_TOKEN", emulator.refresh_token)
    wanted = SignInFor("c1", "Contoso EU", flow=flow)
    assert acquire(workspace, wanted, elsewhere, silent, ask=False).username == "analyst"
    assert noted_sign_in(workspace, "c1") is not None


def test_missing_refresh_token_is_reported_with_its_variable(
    workspace: Workspace, elsewhere: Endpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI_MAGICS_REFRESH_TOKEN", raising=False)
    with pytest.raises(SignInError, match="CI_MAGICS_REFRESH_TOKEN is not set") as caught:
        acquire(workspace, SignInFor("c1", "Contoso EU", flow="env"), elsewhere, silent)
    assert caught.value.code == "no_refresh_token"


@pytest.mark.parametrize(
    ("flow", "local", "browser"), [("browser", False, True), (None, True, True), (None, False, False)]
)
def test_browser_signs_in_if_it_is_visible_or_chosen(
    workspace: Workspace,
    elsewhere: Endpoints,
    entering: Entering,
    monkeypatch: pytest.MonkeyPatch,
    flow: str | None,
    local: bool,
    browser: bool,
) -> None:
    opened: list[str] = []

    def browse(app: Any, scope: str, show: Entering, **_options: Any) -> Any:
        opened.append(scope)
        return signin.sign_in_by_device_code(app, scope, show)

    monkeypatch.delenv("CI_MAGICS_REFRESH_TOKEN", raising=False)
    monkeypatch.setattr(sign_in, "is_local", lambda: local)
    monkeypatch.setattr(signin, "sign_in_by_browser", browse)
    assert acquire(workspace, SignInFor("c1", "Contoso EU", flow=flow), elsewhere, entering).token()
    assert bool(opened) == browser


def test_several_accounts_are_not_guessed_between_if_nobody_can_be_asked(
    workspace: Workspace, endpoints: Endpoints, entering: Entering, monkeypatch: pytest.MonkeyPatch
) -> None:
    acquire(workspace, DEVICE, endpoints, entering)
    accounts = signin.signed_in
    monkeypatch.setattr(signin, "signed_in", lambda app: accounts(app) * 2)
    other = SignInFor("c2", "Contoso US", flow="device")
    with pytest.raises(SignInError, match="2 accounts are signed in, and none was chosen for 'Contoso US'") as caught:
        acquire(workspace, other, endpoints, silent, ask=False)
    assert caught.value.code == "several_accounts"
