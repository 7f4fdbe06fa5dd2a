"""A workspace of an earlier version may hold secrets in the addresses of databases: they go when it is opened."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from test_kept_address import SECRET, WITH_SECRETS

from ci_magics.workspace.store import open_workspace

SEGMENT = """INSERT INTO segments (id, name, definition, fingerprint, rows, domains, examples, consent, created_by,
  created_at, active, suppresses, tags)
VALUES ('s', 'All', :definition, 'f', 1, '{}', '{}', '{}', 'eva', '2026-11-01 10:00:00.000000', 1, 0, '[]')"""
VERSION = """INSERT INTO segment_versions (id, segment_name, rows, record, made_at, ended_at, ended_by, reason)
VALUES ('v', 'Old', 1, :record, '2026-11-01 10:00:00.000000', '2026-11-01 10:00:00.000000', 'eva', 'x')"""


def definition(address: str) -> dict[str, object]:
    source = {"kind": "database", "source": "SELECT * FROM people", "database": address, "parameters": {}}
    return {"email": "EMail", "key": "Id", "where": None, "rule": None, "source": source}


@pytest.mark.parametrize("where", WITH_SECRETS)
def test_no_byte_of_the_secret_is_left(where: str, tmp_path: Path) -> None:
    open_workspace(tmp_path / "workspace")
    engine = create_engine(f"sqlite:///{tmp_path / 'workspace' / 'workspace.sqlite'}")
    kept = json.dumps(definition(WITH_SECRETS[where]))
    segment = {"definition": kept, "record": json.dumps({"name": "Old", "definition": json.loads(kept)})}
    with engine.begin() as database:
        database.execute(text(SEGMENT), segment)
        database.execute(text(VERSION), segment)
        database.execute(text("UPDATE alembic_version SET version_num = '0013'"))
    engine.dispose()
    assert any(SECRET.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    open_workspace.__globals__["_open"].cache_clear()
    workspace = open_workspace(tmp_path / "workspace")
    assert workspace.segments["All"].definition["source"]["source"] == "SELECT * FROM people"
    found = [path.name for path in tmp_path.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert found == []


def test_users_whose_names_are_addresses_get_marks_and_keep_their_rights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = "zq7person@contoso.com"
    monkeypatch.setenv("JUPYTERHUB_USER", address)
    marked = open_workspace(tmp_path / "workspace").user
    engine = create_engine(f"sqlite:///{tmp_path / 'workspace' / 'workspace.sqlite'}")
    with engine.begin() as database:
        database.execute(text("UPDATE user_roles SET id = :user, given_by = :user"), {"user": address})
        database.execute(text("UPDATE alembic_version SET version_num = '0013'"))
    engine.dispose()
    open_workspace.__globals__["_open"].cache_clear()
    workspace = open_workspace(tmp_path / "workspace")
    assert [(each.name, each.role, each.given_by) for each in workspace.roles] == [(marked, "administrator", marked)]
    found = [path.name for path in tmp_path.rglob("*") if path.is_file() and b"zq7person" in path.read_bytes()]
    assert found == []
