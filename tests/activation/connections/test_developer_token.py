from __future__ import annotations

import contoso
import pytest

from ci_magics.activation.connections.developer_token import holding
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
