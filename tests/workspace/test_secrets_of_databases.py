"""Secrets in database addresses of earlier versions are removed when the workspace is opened."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text
from test_stored_database_address import SECRET, WITH_SECRETS

from ci_magics.workspace.schema import revisions, upgrade
from ci_magics.workspace.store import open_workspace

SEGMENT = """INSERT INTO segments (id, name, definition, fingerprint, rows, domains, examples, consent, created_by,
  created_at, active, suppresses, tags)
VALUES ('s', 'All', :definition, 'f', 1, '{}', '{}', '{}', 'eva', '2026-11-01 10:00:00.000000', 1, 0, '[]')"""
VERSION = """INSERT INTO segment_versions (id, segment_name, rows, record, made_at, ended_at, ended_by, reason)
VALUES ('v', 'Old', 1, :record, '2026-11-01 10:00:00.000000', '2026-11-01 10:00:00.000000', 'eva', 'x')"""

ROLE = """INSERT INTO user_roles (id, role, given_by, given_at)
VALUES (:user, 'administrator', :user, '2026-11-01 10:00:00.000000')"""


def before_the_revision(folder: Path) -> Engine:
    """Return the database of a workspace as it was before the revision that removes secrets."""
    (folder / "workspace").mkdir(mode=0o700)
    engine = create_engine(f"sqlite:///{folder / 'workspace' / 'workspace.sqlite'}")
    with engine.begin() as database:
        upgrade(database, to=revisions()[revisions().index("0017") - 1])
    return engine


def definition(address: str) -> dict[str, object]:
    source = {"kind": "database", "source": "SELECT * FROM people", "database": address, "parameters": {}}
    return {"email": "EMail", "key": "Id", "where": None, "rule": None, "source": source}


@pytest.mark.matrix
@pytest.mark.parametrize("where", WITH_SECRETS)
def test_no_byte_of_the_secret_remains(where: str, tmp_path: Path) -> None:
    engine = before_the_revision(tmp_path)
    kept = json.dumps(definition(WITH_SECRETS[where]))
    segment = {"definition": kept, "record": json.dumps({"name": "Old", "definition": json.loads(kept)})}
    with engine.begin() as database:
        database.execute(text(SEGMENT), segment)
        database.execute(text(VERSION), segment)
    engine.dispose()
    assert any(SECRET.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    workspace = open_workspace(tmp_path / "workspace")
    assert workspace.segments["All"].definition["source"]["source"] == "SELECT * FROM people"
    found = [path.name for path in tmp_path.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert found == []


def test_users_named_by_addresses_are_masked_and_keep_their_roles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = "zq7person@contoso.com"
    monkeypatch.setenv("JUPYTERHUB_USER", address)
    engine = before_the_revision(tmp_path)
    with engine.begin() as database:
        database.execute(text(ROLE), {"user": address})
    engine.dispose()
    workspace = open_workspace(tmp_path / "workspace")
    marked = workspace.user
    assert "@" not in marked
    assert [(each.name, each.role, each.given_by) for each in workspace.roles] == [(marked, "administrator", marked)]
    found = [path.name for path in tmp_path.rglob("*") if path.is_file() and b"zq7person" in path.read_bytes()]
    assert found == []
