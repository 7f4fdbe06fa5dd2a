"""Every verb of the role matrix, run for each role by its own database user.

Allowed verbs succeed. The database refuses all others, even if ci-magics does not check.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import contoso
import pytest
from role_rows import LEAST, ROWS, Row
from role_setup import PreparedWorkspace
from sqlalchemy import URL, Engine, create_engine, text

import ci_magics as ci
from ci_magics.activation.segments.kept_counts import keep_all_counts
from ci_magics.errors import AccessError, CiError, NotFoundError
from ci_magics.workspace import access
from ci_magics.workspace.access import Role
from ci_magics.workspace.store import Workspace, open_workspace

if TYPE_CHECKING:
    from conftest import RunningEmulator

pytestmark = pytest.mark.usefixtures("waits")
PEOPLE = {Role.VIEWER: "valerie", Role.CONTRIBUTOR: "conrad", Role.ADMINISTRATOR: "agnes"}
#: Viewers cannot read keys and hashes, and these functions compare the keys of two segments.
COMPARISONS = {"overlap", "differentiators"}
#: What happens outside the database (other files, other processes, Microsoft's side, one's own sign-in), or does to its
#: rows what a run does too; a purge of an empty workspace changes nothing.
ELSEWHERE = {
    "audiences.empty",
    "audiences.delete",
    "purge",
    "connect",
    "connections.sign_in",
    "connections.sign_out",
    "connections.accounts",
    "connections.choose_account",
    "emulator.stop",
    "emulator.reset",
    "emulator.control",
}


@pytest.fixture
def stage(
    tmp_path: Path, workspace: Workspace, emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch
) -> PreparedWorkspace:
    del workspace
    monkeypatch.setenv("CI_MAGICS_SUBSCRIPTION_KEY", emulator.subscription_key)
    return PreparedWorkspace(tmp_path, emulator)


@pytest.fixture
def enforced(
    postgresql: Engine, database_url: URL, as_user: Callable[..., Workspace], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Role], Workspace]]:
    """Return a function that enforces the roles and switches to the user with a role."""
    with postgresql.begin() as server:
        for name in PEOPLE.values():
            server.execute(text(f"CREATE ROLE {name} LOGIN"))
    owner = open_workspace().user

    def become(role: Role) -> Workspace:
        for each, name in PEOPLE.items():
            as_user(name, each.value)
        monkeypatch.setenv("JUPYTERHUB_USER", owner)
        open_workspace().enforce_roles()
        keep_all_counts(open_workspace())
        url = database_url.set(username=PEOPLE[role]).render_as_string(hide_password=False)
        monkeypatch.setenv("JUPYTERHUB_USER", PEOPLE[role])
        monkeypatch.setenv("CI_MAGICS_WORKSPACE", url)
        return open_workspace()

    yield become
    engine = create_engine(database_url)
    with engine.begin() as database:
        for role in Role:
            name = f"{database_url.database}_{role}"
            database.execute(text(f"DROP OWNED BY {name}"))
            database.execute(text(f"DROP ROLE {name}"))
        for name in PEOPLE.values():
            database.execute(text(f"DROP ROLE {name}"))
    engine.dispose()


def _named(row: Row) -> str:
    return f"{row.verb.name.lower()}-{row.operation.rpartition('.')[2]}"


def is_allowed(row: Row, role: Role) -> bool:
    """Return whether a role can do something if the database enforces it."""
    if role is Role.VIEWER and row.operation in COMPARISONS:
        return False
    return role.includes(LEAST[row.verb])


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("row", ROWS, ids=_named)
def test_database_allows_what_the_role_allows(
    row: Row,
    role: Role,
    stage: PreparedWorkspace,
    enforced: Callable[[Role], Workspace],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row.prepared(stage)
    enforced(role)
    if is_allowed(row, role):
        if row.operation == "connections.choose_account":
            with pytest.raises(CiError, match="No account is signed in"):
                row.act(stage)
        else:
            row.act(stage)
        return
    if row.operation in ELSEWHERE:
        return
    monkeypatch.setattr(access, "_refusal", lambda *_: None)
    with pytest.raises((AccessError, NotFoundError)):  # a role does not see rows that it cannot read
        row.act(stage)


def test_scheduler_skips_and_reports_what_its_user_cannot_see(
    stage: PreparedWorkspace, enforced: Callable[[Role], Workspace]
) -> None:
    stage.with_saved_export()
    workspace = stage.workspace
    ci.connections.share(contoso.NAME, "administrator")
    seen = enforced(Role.CONTRIBUTOR)
    assert seen.exports.names() == ["daily"]
    with pytest.raises(AccessError, match="'Contoso EU' is not shared with you"):
        ci.exports.remove("daily")
    report = _refreshed()
    why = "The connection 'Contoso EU' is not shared with conrad, the user of the scheduler."
    assert report == [f"{why} An administrator can share it."]
    (entry,) = workspace.export_runs
    assert (entry.status, entry.started_by) == ("Skipped", "conrad")


def _refreshed() -> list[str]:
    return [each["reason"] for each in ci.refresh(show=lambda _: None).exports]
