from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection as SqlConnection
from sqlalchemy import Engine, create_engine, inspect, text
from sqlalchemy.exc import DBAPIError

from ci_magics.discretion import person_name
from ci_magics.errors import WorkspaceError
from ci_magics.workspace.schema import SCRIPTS, bring_up_to_date, revisions, upgrade
from ci_magics.workspace.store import open_workspace
from ci_magics.workspace.tables import metadata

HASH = "ab" * 32

# A workspace of the first version, with its tables as they were created then.
FIRST_VERSION = """
CREATE TABLE schema_versions (version INTEGER PRIMARY KEY);
INSERT INTO schema_versions VALUES (1);
CREATE TABLE audiences (
  id VARCHAR(36) PRIMARY KEY, environment VARCHAR(20), account_id VARCHAR(30), audience_id VARCHAR(30),
  name VARCHAR(200), segment_name VARCHAR(200), normalization VARCHAR(20), membership_days INTEGER, owned BOOLEAN,
  members INTEGER, generation INTEGER, updated_at TIMESTAMP
);
INSERT INTO audiences VALUES
  ('a', 'emulator', '111', '8', 'All', 'All', 'basic', -1, true, 3, 2, '2026-11-01 10:00:00.000000');
CREATE TABLE segments (
  id VARCHAR(36) PRIMARY KEY, name VARCHAR(200) UNIQUE, definition JSON, fingerprint VARCHAR(64), rows INTEGER,
  domains JSON, examples JSON, unused_consent JSON, created_by VARCHAR(200), created_at TIMESTAMP
);
INSERT INTO segments VALUES
  ('s', 'All', '{"email": "EMail", "key": "Id", "where": null}', 'f', 3, '{}', '{}', '[]', 'eva',
   '2026-11-01 10:00:00.000000');
CREATE TABLE connections (
  id VARCHAR(36) PRIMARY KEY, name VARCHAR(200) UNIQUE, environment VARCHAR(20), customer_id VARCHAR(30),
  account_id VARCHAR(30), account_name VARCHAR(200), shared_with JSON, flow VARCHAR(20), client_id VARCHAR(100),
  tenant VARCHAR(100), home_account_id VARCHAR(200), created_by VARCHAR(200), created_at TIMESTAMP
);
INSERT INTO connections VALUES
  ('c', 'C', 'emulator', '222', '111', '', '["administrator"]', NULL, NULL, '', 'oid.tid', 'eva',
   '2026-11-01 10:00:00.000000');
CREATE TABLE consents (
  id VARCHAR(36) PRIMARY KEY, connection_id VARCHAR(36), kind VARCHAR(40), text_version VARCHAR(20),
  given_by VARCHAR(200), given_at TIMESTAMP, withdrawn_by VARCHAR(200), withdrawn_at TIMESTAMP
);
CREATE TABLE runs (
  id VARCHAR(36) PRIMARY KEY, connection_id VARCHAR(36), destination VARCHAR(300), status VARCHAR(30), results JSON,
  started_by VARCHAR(200), started_at TIMESTAMP, finished_at TIMESTAMP
);
"""


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return create_engine(f"sqlite:///{tmp_path}/workspace.sqlite")


def execute(engine: Engine, statements: str) -> None:
    with engine.begin() as database:
        for statement in statements.split(";\n"):
            database.execute(text(statement))


def opened(engine: Engine) -> None:
    bring_up_to_date(engine, then=lambda database: None)  # noqa: ARG005


def migrated(engine: Engine) -> None:
    with engine.begin() as database:
        upgrade(database)


def differences(engine: Engine) -> list[object]:
    with engine.connect() as database:
        return list(compare_metadata(MigrationContext.configure(database), metadata))


def revision(engine: Engine) -> object:
    with engine.connect() as database:
        return database.execute(text("SELECT version_num FROM alembic_version")).scalars().all()


def test_migrations_create_the_current_tables(engine: Engine) -> None:
    migrated(engine)
    assert differences(engine) == []
    assert revision(engine) == [revisions()[-1]]


def test_new_workspace_has_the_current_tables_and_revision(engine: Engine) -> None:
    opened(engine)
    assert differences(engine) == []
    assert revision(engine) == [revisions()[-1]]


def test_schema_difference_is_detected(engine: Engine) -> None:
    opened(engine)
    execute(engine, "ALTER TABLE runs ADD COLUMN mood VARCHAR(10);\nDROP TABLE locks")
    assert len(differences(engine)) == 2


def test_workspace_of_the_first_version_is_upgraded(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "workspace.sqlite") as database:
        database.executescript(FIRST_VERSION)
    workspace = open_workspace(tmp_path)
    (audience,) = workspace.audiences
    assert (audience.name, audience.generation, audience.directory, audience.chosen) == ("All", 2, "", False)
    assert audience.updated_at == datetime(2026, 11, 1, 10, tzinfo=UTC)
    (segment,) = workspace.segments
    assert (segment.name, segment.active, segment.tags) == ("All", True, ())
    assert workspace.all_connections["C"].customer_id == "222"
    assert list(workspace.runs) == []
    assert len(workspace.pushes) == 0


def test_consent_columns_of_an_early_segment_are_converted(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "workspace.sqlite") as database:
        database.executescript(FIRST_VERSION.replace("'{}', '{}', '[]', 'eva'", """'{}', '{}', '["OptIn"]', 'eva'"""))
    (segment,) = open_workspace(tmp_path).segments
    assert segment.consent == {"columns": ["OptIn"], "in_old_form": True}


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_workspace_from_before_alembic_is_upgraded_from_its_version(engine: Engine, version: int) -> None:
    with engine.begin() as database:
        upgrade(database, to=f"{version:04}")
        database.execute(text("DROP TABLE alembic_version"))
        for earlier in range(1, version + 1):
            database.execute(text("INSERT INTO schema_versions VALUES (:version)"), {"version": earlier})
    opened(engine)
    assert differences(engine) == []


@pytest.mark.parametrize("make", [opened, migrated])
def test_audit_log_refuses_changes_in_new_and_migrated_workspaces(
    engine: Engine, make: Callable[[Engine], None]
) -> None:
    make(engine)
    execute(engine, "INSERT INTO audit_entries VALUES (1, 'a', '2026-11-01 10:00:00', 'eva', 'forget', 'x', '{}')")
    with pytest.raises(DBAPIError, match="only ever added to"):
        execute(engine, "DELETE FROM audit_entries")


def test_upgrade_masks_personal_data_in_the_audit_log(engine: Engine) -> None:
    with engine.begin() as database:
        upgrade(database, to=revisions()[revisions().index("0018") - 1])
    facts = json.dumps({"old_name": "to zq7m@contoso.com", "members": 3, "names": ["All", "zq7m@contoso.com"]})
    values = "(:number, :id, '2026-11-01 10:00:00.000000', :user, 'forget', :subject, :facts)"
    insert = text(f"INSERT INTO audit_entries VALUES {values}")
    with engine.begin() as database:
        row = {
            "number": 1,
            "id": "a",
            "user": "zq7m@contoso.com",
            "subject": f"zq7m@contoso.com {HASH}",
            "facts": facts,
        }
        database.execute(insert, row)
        database.execute(insert, {"number": 2, "id": "b", "user": "eva", "subject": "All", "facts": '{"members": 1}'})
    opened(engine)
    with engine.connect() as database:
        kept = [
            tuple(row) for row in database.execute(text('SELECT "user", subject, facts FROM audit_entries ORDER BY 1'))
        ]
    kept = [(user, subject, json.loads(each) if isinstance(each, str) else each) for user, subject, each in kept]
    masked = {"old_name": "to ***", "members": 3, "names": ["All", "***"]}
    assert kept == [("eva", "All", {"members": 1}), (person_name("zq7m@contoso.com"), "*** ***", masked)]
    with pytest.raises(DBAPIError, match="only ever added to"):
        execute(engine, "UPDATE audit_entries SET subject = 'x'")
    if engine.dialect.name == "sqlite":
        folder = Path(str(engine.url.database)).parent
        found = [
            path.name for path in folder.iterdir() for each in (b"zq7m", HASH.encode()) if each in path.read_bytes()
        ]
        assert found == []


def test_callback_for_changed_tables_runs_once(engine: Engine) -> None:
    times: list[SqlConnection] = []
    bring_up_to_date(engine, then=times.append)
    bring_up_to_date(engine, then=times.append)
    assert len(times) == 1


def test_programs_from_before_alembic_see_a_newer_version(engine: Engine) -> None:
    opened(engine)
    with engine.connect() as database:
        assert database.execute(text("SELECT max(version) FROM schema_versions")).scalar() == 5


@pytest.mark.parametrize(
    "newer",
    [
        "CREATE TABLE alembic_version (version_num VARCHAR(32));\nINSERT INTO alembic_version VALUES ('9999')",
        "CREATE TABLE schema_versions (version INTEGER PRIMARY KEY);\nINSERT INTO schema_versions VALUES (1000)",
    ],
)
def test_newer_workspace_is_refused_and_left_unchanged(engine: Engine, newer: str) -> None:
    execute(engine, newer)
    before = inspect(engine).get_table_names()
    with pytest.raises(WorkspaceError, match="newer version of ci-magics") as refused:
        opened(engine)
    assert "CI_MAGICS_WORKSPACE" in refused.value.next_step
    assert inspect(engine).get_table_names() == before


def test_failed_migration_changes_nothing(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    execute(engine, FIRST_VERSION.strip().removesuffix(";"))
    before = {name: inspect(engine).get_columns(name) for name in inspect(engine).get_table_names()}
    monkeypatch.setattr("alembic.op.create_table", fails)
    with pytest.raises(KeyboardInterrupt):
        opened(engine)
    after = {name: inspect(engine).get_columns(name) for name in inspect(engine).get_table_names()}
    assert {name: len(columns) for name, columns in after.items()} == {name: len(c) for name, c in before.items()}


@pytest.mark.slow
@pytest.mark.usefixtures("workspace")
def test_new_or_current_workspace_is_opened_without_alembic(tmp_path: Path) -> None:
    code = "import sys, ci_magics as ci; ci.open_workspace(sys.argv[1]).store; print('alembic' in sys.modules)"
    for folder in (tmp_path / "new", tmp_path / "workspace"):
        command = [sys.executable, "-c", code, str(folder)]
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "False\n"


def test_migrations_form_one_chain() -> None:
    """If two revisions had the same parent, workspaces would stop at either of them."""
    paths = sorted((SCRIPTS / "versions").glob("[0-9]*.py"))
    assert [path.name[:4] for path in paths] == revisions()
    before = "None"
    for path, number in zip(paths, revisions(), strict=True):
        assert f'\nrevision = "{number}"\ndown_revision = {before}\n' in path.read_text("utf-8")
        before = f'"{number}"'
