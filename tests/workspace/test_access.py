from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import contoso
import pytest

import ci_magics as ci
from ci_magics.errors import AccessError, NotFoundError
from ci_magics.workspace.access import Role, Verb, may, require, role_of
from ci_magics.workspace.models import Connection
from ci_magics.workspace.store import Workspace

Becoming = Callable[..., Workspace]


def shared(*users: str) -> Connection:
    return Connection(
        id="1",
        name="C",
        environment="emulator",
        customer_id="222",
        account_id="111",
        account_name="",
        shared_with=users,
        flow=None,
        client_id=None,
        tenant="",
        created_by="carl",
        created_at=datetime.now(UTC),
    )


def test_first_user_is_administrator_and_others_are_viewers(workspace: Workspace, as_user: Becoming) -> None:
    assert role_of(workspace) is Role.ADMINISTRATOR
    assert role_of(as_user("ann")) is Role.VIEWER
    assert role_of(as_user("ann", "contributor")) is Role.CONTRIBUTOR


def test_role_includes_the_roles_below_it() -> None:
    assert Role.ADMINISTRATOR.includes(Role.VIEWER)
    assert Role.CONTRIBUTOR.includes(Role.CONTRIBUTOR)
    assert not Role.VIEWER.includes(Role.CONTRIBUTOR)


def test_refusal_names_the_required_roles_and_the_next_step(workspace: Workspace, as_user: Becoming) -> None:
    with pytest.raises(AccessError) as refused:
        require(as_user("ann"), Verb.RUN_EXPORT)
    assert refused.value.sentence == (
        "You (ann) are a viewer of this workspace, and only contributors and administrators may run an export."
    )
    assert f"Ask an administrator ('{workspace.user}')" in refused.value.next_step
    assert 'ci.roles.give("ann", "contributor")' in refused.value.next_step


@pytest.mark.usefixtures("emulator")
class TestConnections:
    """Visibility of connections."""

    def test_user_without_a_shared_connection_gets_an_explanation(self, as_user: Becoming) -> None:
        contoso.connect()
        as_user("ann", "contributor")
        with pytest.raises(AccessError, match="is not shared with you"):
            ci.preview(contoso.segment(1), to=contoso.NAME)
        with pytest.raises(AccessError, match="No Microsoft Advertising connection is shared with you; ask an admin"):
            ci.preview("All", to="Another")
        assert ci.open_workspace().store.connections.names() == []

    def test_contributor_sees_name_and_type_of_a_shared_connection(
        self, workspace: Workspace, as_user: Becoming
    ) -> None:
        contoso.connect(share=["contributor"])
        seen = as_user("ann", "contributor").connections
        assert list(seen.to_frame().columns) == ["name", "type"]
        for shown in (repr(seen[contoso.NAME]), repr(seen), seen.to_frame().to_string()):
            assert "111" not in shown
            assert "222" not in shown
            assert contoso.NAME in shown
        assert "111" in repr(workspace.connections[contoso.NAME])

    def test_error_for_a_wrong_name_lists_only_visible_connections(self, as_user: Becoming) -> None:
        contoso.connect(share=["contributor"])
        ci.connect("Secret", customer_id="222", account_id="112")
        seen = as_user("ann", "contributor").connections
        with pytest.raises(NotFoundError) as refused:
            seen["Secre"]
        assert "Secret" not in str(refused.value)

    def test_sharing_with_a_person_does_not_share_with_their_role(self, as_user: Becoming) -> None:
        as_user("ann", "contributor")
        ann = ci.open_workspace().store
        assert not may(ann, Verb.RUN_EXPORT, shared("bob"))
        assert may(ann, Verb.RUN_EXPORT, shared("ann"))
        assert may(ann, Verb.RUN_EXPORT, shared("contributor"))
        assert may(ann, Verb.RUN_EXPORT, shared("viewer"))
        assert not may(ann, Verb.RUN_EXPORT, shared("administrator"))
