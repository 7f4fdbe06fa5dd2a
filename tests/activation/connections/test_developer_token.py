from __future__ import annotations

import contoso
import pytest

from ci_magics.activation.connections.developer_token import holding
from ci_magics.activation.connections.keyring_secrets import remember
from ci_magics.errors import ConnectionSetupError, SignInError
from ci_magics.workspace.models import Connection

Kept = dict[tuple[str, str], str]


@pytest.fixture
def connection(emulator: object, workspace: object) -> Connection:
    assert emulator
    assert workspace
    connected: Connection = contoso.connect()
    return connected


def test_a_token_with_which_all_went_well_stays(connection: Connection, kept: Kept) -> None:
    with holding(connection, "NEW"):
        assert kept == {("ci-magics", connection.id): "NEW"}
    assert kept == {("ci-magics", connection.id): "NEW"}


@pytest.mark.parametrize("ends", [ConnectionSetupError("No.", "Do."), KeyboardInterrupt(), ValueError()])
@pytest.mark.parametrize("before", [None, "OLD"])
def test_where_it_ends_early_the_one_before_comes_back(
    connection: Connection, kept: Kept, ends: BaseException, before: str | None
) -> None:
    if before:
        remember(connection.id, before)
    with pytest.raises(type(ends)), holding(connection, "NEW"):
        raise ends
    assert kept == ({("ci-magics", connection.id): "OLD"} if before else {})


def test_without_a_token_nothing_is_changed(connection: Connection, kept: Kept) -> None:
    remember(connection.id, "OLD")
    with pytest.raises(ValueError, match="any"), holding(connection, None):
        raise ValueError("any")
    assert kept == {("ci-magics", connection.id): "OLD"}


def test_without_a_keyring_it_is_said_what_to_do(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "ci_magics.activation.connections.developer_token.remember", lambda *_: "This machine has no keyring"
    )
    with pytest.raises(SignInError, match="Set CI_MAGICS_DEVELOPER_TOKEN"), holding(connection, "NEW"):
        pytest.fail("nothing is done without it")
