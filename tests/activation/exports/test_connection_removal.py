"""A connection can be removed after every export that uses it is removed or detached."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import contoso
import pytest

import ci_magics as ci
from ci_magics.activation.connections.sign_in import note_sign_in
from ci_magics.errors import AccessError, ArgumentError, ConnectionSetupError, ExportRefusedError, NotFoundError

if TYPE_CHECKING:
    from conftest import RunningEmulator

    from ci_magics.workspace.store import Workspace

pytestmark = pytest.mark.usefixtures("emulator", "workspace")


def quietly(_sentence: str) -> None:
    """Show nothing."""


@pytest.fixture
def used(workspace: Workspace, emulator: RunningEmulator) -> None:
    """Save two exports that use a connection."""
    del workspace, emulator  # both must exist first
    contoso.connect()
    made = contoso.segment(3)
    for name in ("daily", "weekly"):
        ci.exports.save(name, made, to=contoso.NAME, show=quietly)


@pytest.mark.usefixtures("used")
def test_exports_that_use_the_connection_are_named_and_nothing_is_removed() -> None:
    with pytest.raises(ConnectionSetupError, match="used by 2 exports: 'daily', 'weekly'") as refused:
        ci.connections.remove(contoso.NAME)
    assert 'ci.connections.remove("Contoso EU", exports="detach")' in refused.value.next_step
    with pytest.raises(ConnectionSetupError, match="used by 1 export: 'weekly'"):
        ci.connections.remove(contoso.NAME, exports={"daily": "remove"})
    assert contoso.NAME in ci.open_workspace().store.connections
    assert ci.open_workspace().store.exports.names() == ["daily", "weekly"]


@pytest.mark.usefixtures("used")
def test_each_export_is_removed_or_detached(workspace: Workspace) -> None:
    said: list[str] = []
    ci.connections.remove(contoso.NAME, exports={"daily": "remove", "weekly": "detach"}, show=said.append)
    assert workspace.connections.names() == []
    (kept,) = workspace.exports
    assert (kept.name, kept.connection_id) == ("weekly", None)
    assert len(said) == 2
    assert [each.verb for each in workspace.audit][-1] == "remove_connection"


@pytest.mark.usefixtures("used")
def test_only_exports_of_the_connection_can_be_removed_or_detached() -> None:
    with pytest.raises(ArgumentError, match="cannot be 'delete'"):
        ci.connections.remove(contoso.NAME, exports="delete")
    with pytest.raises(NotFoundError, match="not used by an export 'monthly'"):
        ci.connections.remove(contoso.NAME, exports={"monthly": "detach"})


@pytest.mark.usefixtures("used")
def test_exports_follow_a_renamed_connection(workspace: Workspace) -> None:
    ci.connections.edit(contoso.NAME, rename="Europe")
    assert {each.connection_name for each in workspace.exports} == {"Europe"}


def test_sign_ins_of_all_users_are_removed_with_the_connection(
    workspace: Workspace, as_user: Callable[..., Workspace]
) -> None:
    connection = contoso.connect()
    note_sign_in(as_user("bob", "contributor"), connection.id, "account of bob")
    note_sign_in(as_user("ada", "administrator"), connection.id, "account of ada")
    ci.connections.remove(contoso.NAME)
    assert list(workspace.sign_ins) == []


def test_consents_are_removed_with_the_connection(workspace: Workspace) -> None:
    contoso.connect()
    ci.connections.remove(contoso.NAME)
    assert len(workspace.connections.consents) == 0
    assert not contoso.connect(agree=False, accept_terms=False).agreed


def test_unfinished_run_keeps_the_connection_until_resumed_or_abandoned(emulator: RunningEmulator) -> None:
    contoso.connect()
    contoso.fail(emulator, "AddAudiences", *["http_500"] * 5)
    with pytest.raises(Exception, match="resume"):
        contoso.export(contoso.segment(3))
    (run,) = ci.open_workspace().store.runs
    with pytest.raises(ConnectionSetupError, match=f"The run {run.name} through .* was not finished"):
        ci.connections.remove(contoso.NAME)
    ci.connections.withdraw_consents(contoso.NAME, show=quietly)
    ci.connections.remove(contoso.NAME)
    with pytest.raises(ExportRefusedError, match="no longer exists"):
        contoso.resumed(run.name)


def test_only_administrators_can_remove_connections(as_user: Callable[..., Workspace]) -> None:
    contoso.connect(share=["contributor"])
    as_user("ann", "contributor")
    with pytest.raises(AccessError, match="only administrators may remove a connection"):
        ci.connections.remove(contoso.NAME)
