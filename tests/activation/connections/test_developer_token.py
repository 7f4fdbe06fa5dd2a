from __future__ import annotations

import getpass
from dataclasses import replace

import contoso
import pytest

from ci_magics.activation.connections.developer_token import VARIABLE, developer_token, forget_developer_token, holding
from ci_magics.activation.connections.keyring_secrets import remember
from ci_magics.errors import ConnectionSetupError, SignInError
from ci_magics.workspace.models import Connection

KeyringContent = dict[tuple[str, str], str]


@pytest.fixture
def connection(emulator: object, workspace: object) -> Connection:
    assert emulator
    assert workspace
    connected: Connection = contoso.connect()
    return connected


def test_token_that_works_is_stored(connection: Connection, keyring_content: KeyringContent) -> None:
    with holding(connection, "NEW"):
        assert keyring_content == {("ci-magics", connection.id): "NEW"}
    assert keyring_content == {("ci-magics", connection.id): "NEW"}


@pytest.mark.parametrize("ends", [ConnectionSetupError("No.", "Do."), KeyboardInterrupt(), ValueError()])
@pytest.mark.parametrize("before", [None, "OLD"])
def test_previous_token_is_restored_after_a_failure(
    connection: Connection, keyring_content: KeyringContent, ends: BaseException, before: str | None
) -> None:
    if before:
        remember(connection.id, before)
    with pytest.raises(type(ends)), holding(connection, "NEW"):
        raise ends
    assert keyring_content == ({("ci-magics", connection.id): "OLD"} if before else {})


def test_nothing_changes_without_a_token(connection: Connection, keyring_content: KeyringContent) -> None:
    remember(connection.id, "OLD")
    with pytest.raises(ValueError, match="any"), holding(connection, None):
        raise ValueError("any")
    assert keyring_content == {("ci-magics", connection.id): "OLD"}


def test_missing_keyring_is_explained(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "ci_magics.activation.connections.developer_token.remember", lambda *_: "This machine has no keyring"
    )
    with pytest.raises(SignInError, match="Set CI_MAGICS_DEVELOPER_TOKEN"), holding(connection, "NEW"):
        pytest.fail("nothing is done without it")


@pytest.fixture
def production(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> Connection:
    monkeypatch.delenv(VARIABLE, raising=False)
    return replace(connection, environment="production")


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the user types; nobody answers while the list is empty."""
    typed: list[str] = []
    monkeypatch.setattr("ci_magics.activation.connections.developer_token.can_ask", lambda: bool(typed))
    monkeypatch.setattr(getpass, "getpass", lambda _question: typed.pop())
    return typed


@pytest.mark.parametrize("environment", ["emulator", "sandbox"])
def test_own_token_is_sent_to_production_only(
    production: Connection, environment: str, keyring_content: KeyringContent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "OWN")
    assert developer_token(production, print, ask=False) == "OWN"
    assert developer_token(replace(production, environment=environment), print, ask=False) != "OWN"
    assert keyring_content == {}


@pytest.mark.usefixtures("keyring_content")
@pytest.mark.parametrize(("answer", "ask"), [(["TYPED"], False), ([], True)])
def test_missing_token_says_what_to_set_if_nobody_can_be_asked(
    production: Connection, typed: list[str], answer: list[str], ask: bool
) -> None:
    typed += answer
    with pytest.raises(SignInError, match=f"Set {VARIABLE}") as caught:
        developer_token(production, print, ask=ask)
    assert caught.value.code == "no_developer_token"
    assert typed == answer


def test_typed_token_is_asked_for_once(
    production: Connection, typed: list[str], keyring_content: KeyringContent
) -> None:
    typed.append(" TYPED ")
    said: list[str] = []
    assert [developer_token(production, said.append, ask=True) for _time in range(2)] == ["TYPED"] * 2
    assert keyring_content == {("ci-magics", production.id): "TYPED"}
    forget_developer_token(production, said.append)
    assert keyring_content == {}
    assert said == []


def test_token_that_the_keyring_cannot_store_or_delete_is_announced(
    production: Connection, typed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("remember", "forget_secret"):
        monkeypatch.setattr(f"ci_magics.activation.connections.developer_token.{name}", lambda *_: "It is locked")
    typed.append("TYPED")
    said: list[str] = []
    assert developer_token(production, said.append, ask=True) == "TYPED"
    forget_developer_token(production, said.append)
    assert [VARIABLE in said[0], production.name in said[1]] == [True, True]
    assert "TYPED" not in "".join(said)
