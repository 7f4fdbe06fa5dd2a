"""Roles as rights of the database: users with their own database user cannot bypass ci-magics."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import contoso
import pytest
from sqlalchemy import URL, create_engine, text
from sqlalchemy.exc import ProgrammingError

import ci_magics as ci
from ci_magics.cli import main
from ci_magics.errors import AccessError
from ci_magics.workspace.store import Workspace

if TYPE_CHECKING:
    from conftest import RunningEmulator

Become = Callable[[str], Workspace]


@contextmanager
def sql_of(name: str, url: URL) -> Iterator[Callable[[str], list[Any]]]:
    """Return a function that runs SQL as a database user."""
    engine = create_engine(url.set(username=name))

    def run(statement: str) -> list[Any]:
        with engine.begin() as database:
            done = database.execute(text(statement))
            return list(done) if done.returns_rows else []

    yield run
    engine.dispose()


WRITES = [
    "UPDATE segments SET active = false",
    "DELETE FROM file_chunks",
    "DELETE FROM runs",
    "INSERT INTO user_roles VALUES ('vera', 'administrator', 'vera', now())",
    "UPDATE connections SET account_id = '1'",
    "DELETE FROM consents",
    "CREATE TABLE mine (id int)",
    "DELETE FROM audit_entries",
]


@pytest.mark.parametrize("statement", WRITES)
def test_viewer_cannot_write(team: Become, database_url: URL, statement: str) -> None:
    del team
    with sql_of("vera", database_url) as run, pytest.raises(ProgrammingError, match="permission denied"):
        run(statement)


def test_viewer_can_read_and_refusals_are_explained(team: Become) -> None:
    seen = team("vera")
    assert seen.segments.names() == ["All"]
    assert seen.connections.names() == []
    with pytest.raises(AccessError, match="database does not allow"):
        ci.overlap("All", "All")
    with pytest.raises(AccessError, match="only contributors"):
        contoso.segment(3)
    record = seen.segments["All"]
    with pytest.raises(AccessError, match="database does not allow"):
        seen.segments.put(record)


@pytest.mark.parametrize("name", ["vera", "carl"])
def test_account_and_sign_in_of_a_connection_cannot_be_read(team: Become, database_url: URL, name: str) -> None:
    del team
    with sql_of(name, database_url) as run:
        assert sorted(run("SELECT name, environment FROM connections")) == [
            ("Contoso EU", "emulator"),
            ("Secret", "emulator"),
        ]
        for column in ("account_id", "customer_id", "account_name", "client_id", "tenant", "*"):
            with pytest.raises(ProgrammingError, match="permission denied"):
                run(f"SELECT {column} FROM connections")
        shared = run("SELECT name FROM shared_connections")
        assert shared == ([("Contoso EU",)] if name == "carl" else [])
        assert all(row.user == name for row in run("SELECT * FROM sign_ins"))


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO user_roles VALUES ('carl', 'administrator', 'carl', now())",
        "UPDATE user_roles SET role = 'administrator'",
        "UPDATE connections SET shared_with = '[\"carl\"]'",
        "DELETE FROM consents",
        "SELECT * FROM audit_entries",
        "UPDATE settings SET value = '1'",
        "DROP TABLE segments",
        "INSERT INTO sign_ins VALUES ('x', 'ada', 'y', 'z', now())",
    ],
)
def test_contributor_cannot_gain_rights(team: Become, database_url: URL, statement: str) -> None:
    del team
    with (
        sql_of("carl", database_url) as run,
        pytest.raises(ProgrammingError, match=r"permission denied|must be owner|row-level security"),
    ):
        run(statement)


def test_contributor_creates_segments_and_exports_to_shared_connections(
    team: Become, emulator: RunningEmulator
) -> None:
    seen = team("carl")
    assert seen.connections.names() == ["Contoso EU"]
    run = contoso.export(contoso.segment(300, name="Carl's"))
    assert (run.status, run.accepted) == ("Completed", 300)
    assert len(emulator.members("Carl's")) == 300
    with pytest.raises(AccessError, match="'Secret' is not shared with you"):
        ci.export("All", to="Secret")


def test_pretending_to_be_another_user_gives_no_rights(
    team: Become, database_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    team("vera")
    monkeypatch.setenv("JUPYTERHUB_USER", "ada")
    monkeypatch.setenv("CI_MAGICS_WORKSPACE", database_url.set(username="vera").render_as_string(hide_password=False))
    with pytest.raises(AccessError, match="database does not allow"):
        contoso.segment(3)


def test_administrator_can_do_everything(team: Become) -> None:
    seen = team("ada")
    assert seen.connections.names() == ["Contoso EU", "Secret"]
    assert len(seen.audit) > 0
    contoso.segment(3)
    ci.connect("Third", customer_id="222", account_id="111")


def test_user_without_a_role_can_read_nothing(team: Become, database_url: URL) -> None:
    del team
    with sql_of("nobody", database_url) as run, pytest.raises(ProgrammingError, match="permission denied"):
        run("SELECT * FROM segments")


def test_revoked_role_is_revoked_in_the_database(team: Become, workspace: Workspace, database_url: URL) -> None:
    del team
    assert main(["roles", "take", "carl"]) == 0
    assert main(["roles", "enforce"]) == 0
    with sql_of("carl", database_url) as run, pytest.raises(ProgrammingError, match="permission denied"):
        run("DELETE FROM segments")
    assert workspace.enforce_roles().members == {"ada": "administrator", "carl": "viewer", "vera": "viewer"}


def test_user_without_a_database_user_is_reported(
    team: Become, as_user: Callable[..., Workspace], workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    del team
    as_user("zoe", "viewer")
    as_user(workspace.user)
    assert main(["roles", "enforce"]) == 0
    assert "zoe has no database user of that name" in capsys.readouterr().out
