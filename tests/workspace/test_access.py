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


def test_the_first_user_of_a_workspace_administers_it_and_everyone_else_is_a_viewer(
    workspace: Workspace, as_user: Becoming
) -> None:
    assert role_of(workspace) is Role.ADMINISTRATOR
    assert role_of(as_user("ann")) is Role.VIEWER
    assert role_of(as_user("ann", "contributor")) is Role.CONTRIBUTOR


def test_each_role_may_what_those_below_it_may() -> None:
    assert Role.ADMINISTRATOR.includes(Role.VIEWER)
    assert Role.CONTRIBUTOR.includes(Role.CONTRIBUTOR)
    assert not Role.VIEWER.includes(Role.CONTRIBUTOR)


def test_a_refusal_says_who_may_and_what_to_do(workspace: Workspace, as_user: Becoming) -> None:
    with pytest.raises(AccessError) as refused:
        require(as_user("ann"), Verb.RUN_EXPORT)
    assert refused.value.sentence == (
        "You (ann) are a viewer of this workspace, and only contributors and administrators may run an export."
    )
    assert f"Ask an administrator ('{workspace.user}')" in refused.value.next_step
    assert 'ci.roles.give("ann", "contributor")' in refused.value.next_step


@pytest.mark.usefixtures("emulator")
class TestConnections:
    """Who sees what of a connection."""

    def test_who_has_none_is_told_so(self, as_user: Becoming) -> None:
        contoso.connect()
        as_user("ann", "contributor")
        with pytest.raises(AccessError, match="is not shared with you"):
            ci.preview(contoso.segment(1), to=contoso.NAME)
        with pytest.raises(AccessError, match="No Microsoft Advertising connection is shared with you; ask an admin"):
            ci.preview("All", to="Another")
        assert ci.open_workspace().store.connections.names() == []

    def test_a_contributor_sees_name_and_type_of_what_is_shared(self, workspace: Workspace, as_user: Becoming) -> None:
        contoso.connect(share=["contributor"])
        seen = as_user("ann", "contributor").connections
        assert list(seen.to_frame().columns) == ["name", "type"]
        for shown in (repr(seen[contoso.NAME]), repr(seen), seen.to_frame().to_string()):
            assert "111" not in shown
            assert "222" not in shown
            assert contoso.NAME in shown
        assert "111" in repr(workspace.connections[contoso.NAME])

    def test_a_wrong_name_lists_only_what_the_person_sees(self, as_user: Becoming) -> None:
        contoso.connect(share=["contributor"])
        ci.connect("Secret", customer_id="222", account_id="112")
        seen = as_user("ann", "contributor").connections
        with pytest.raises(NotFoundError) as refused:
            seen["Secre"]
        assert "Secret" not in str(refused.value)

    def test_sharing_with_a_person_is_not_sharing_with_the_role(self, as_user: Becoming) -> None:
        as_user("ann", "contributor")
        ann = ci.open_workspace().store
        assert not may(ann, Verb.RUN_EXPORT, shared("bob"))
        assert may(ann, Verb.RUN_EXPORT, shared("ann"))
        assert may(ann, Verb.RUN_EXPORT, shared("contributor"))
        assert may(ann, Verb.RUN_EXPORT, shared("viewer"))
        assert not may(ann, Verb.RUN_EXPORT, shared("administrator"))
