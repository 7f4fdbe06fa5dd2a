"""A workspace that cannot be opened or written gives the cause, and only that cause."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from ci_magics.errors import WorkspaceError
from ci_magics.workspace.private_paths import private_folder
from ci_magics.workspace.storage_errors import cannot_open, cannot_write
from ci_magics.workspace.store import open_workspace


def open_error(location: str | Path) -> str:
    with pytest.raises(WorkspaceError) as caught:
        open_workspace(location)
    return str(caught.value)


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("nonsense://there", "the driver of its database is not installed"),
        ("postgresql+nonsense://there/x", "the driver of its database is not installed"),
        ("postgresql://there:port/x", "neither a folder nor the address of a database"),
    ],
)
def test_invalid_address_is_reported(location: str, words: str) -> None:
    assert words in open_error(location)


def test_unreachable_server_is_reported() -> None:
    assert "its server does not answer" in open_error("postgresql+psycopg2://nobody@127.0.0.1:9/x?connect_timeout=2")


def test_damaged_database_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "workspace.sqlite").write_bytes(b"no database" * 1000)
    assert "its file is damaged or not a workspace" in open_error(tmp_path)


def test_file_in_place_of_the_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "a file is where a folder should be" in open_error(tmp_path / "file")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("database or disk is full", "is full"),
        ("attempt to write a readonly database", "not have permission to write"),
        ("unable to open database file", "not have permission to write"),
        ("database is locked", "another program has locked"),
        ("canceling statement due to lock timeout", "another program has locked"),
        ("disk I/O error", "does not answer"),
        ("no such table: runs", "tables are not those that ci-magics created"),
        ('relation "runs" does not exist', "tables are not those that ci-magics created"),
        ('FATAL: password authentication failed for user "jan"', "rejects your user or password"),
        ('FATAL: role "jan" does not exist', "rejects your user or password"),
        ('FATAL: database "x" does not exist', "no database of this name"),
        ('could not translate host name "db"', "cannot be looked up"),
        ("SSL error: certificate verify failed", "an encrypted connection to its server failed"),
        ("FATAL: sorry, too many clients already", "no connection left"),
        ("server closed the connection unexpectedly", "does not answer"),
        ("something new", "its database reports an error (RuntimeError)"),
    ],
)
def test_database_error_is_translated(words: str, told: str) -> None:
    said = str(cannot_open(OperationalError("SELECT 1", {}, RuntimeError(words))))
    assert told in said
    assert "jan" not in said


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EIO, errno.ENAMETOOLONG, 9999])
def test_write_error_names_one_cause(number: int) -> None:
    said = str(cannot_write(OSError(number, os.strerror(number))))
    assert ("full" in said) is (number == errno.ENOSPC)
    assert ("Free up space" in said) is (number == errno.ENOSPC)
    assert ("ask for permission" in said) is (number in (errno.EACCES, errno.EROFS, 9999))


def test_error_creating_a_folder_names_the_cause(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def full(*_arguments: object, **_options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(WorkspaceError, match="cannot be created: the disk is full"):
        private_folder(tmp_path / "new")
