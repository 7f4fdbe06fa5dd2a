"""The tests of `tests/workspace/test_files.py`, with files in the database and in a shared folder."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sqlalchemy import URL, Engine, create_engine, func, select, text
from workspace.test_files import *  # noqa: F403 - all of its tests
from workspace.test_files import NEW, OLD

from ci_magics.errors import WorkspaceError
from ci_magics.workspace.contents import Contents, DatabaseContents, FolderContents
from ci_magics.workspace.shared_folder import MARK
from ci_magics.workspace.tables import file_chunks, file_contents, metadata
from ci_magics.workspace.team_files import TeamFiles


@pytest.fixture
def engine(database_url: URL) -> Iterator[Engine]:
    engine = create_engine(database_url)
    metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture(params=["database", "folder"])
def contents(request: pytest.FixtureRequest, engine: Engine, tmp_path: Path) -> Contents:
    return DatabaseContents(engine) if request.param == "database" else FolderContents(engine, tmp_path / "store")


@pytest.fixture
def files(engine: Engine, contents: Contents) -> TeamFiles:
    return TeamFiles(engine, "ledgers", contents)


@pytest.fixture
def elsewhere(engine: Engine, contents: Contents) -> TeamFiles:
    return TeamFiles(engine, "spool", contents)


@pytest.fixture
def in_chunks(engine: Engine) -> TeamFiles:
    return TeamFiles(engine, "ledgers", DatabaseContents(engine))


def content_counts(engine: Engine) -> list[int]:
    with engine.connect() as database:
        return [
            database.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (file_contents, file_chunks)
        ]


def test_folders_are_separate(files: TeamFiles, elsewhere: TeamFiles) -> None:
    files.write("x", OLD)
    elsewhere.write("x", NEW)
    assert files.read("x") == OLD
    elsewhere.remove("x")
    assert files.read("x") == OLD


def test_replaced_or_deleted_content_is_removed(engine: Engine, in_chunks: TeamFiles) -> None:
    in_chunks.write_bytes("x.bin", [memoryview(bytes(1_000_000))])
    assert content_counts(engine) == [1, 4]
    in_chunks.write("x", OLD)
    in_chunks.write("x", NEW)
    in_chunks.delete("x.bin")
    assert content_counts(engine) == [1, 1]
    in_chunks.remove("x")
    assert content_counts(engine) == [0, 0]


def test_failed_write_leaves_nothing(engine: Engine, files: TeamFiles) -> None:
    def parts() -> Iterator[memoryview]:
        yield memoryview(bytes(1_000_000))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        files.write_bytes("x.bin", parts())
    assert files.names() == []
    assert content_counts(engine) == [0, 0]
    assert files.sweep(datetime.now(UTC) + timedelta(hours=1), dry_run=False) == 0


def test_row_counts_the_generations(engine: Engine, files: TeamFiles) -> None:
    for table in (OLD, NEW, OLD):
        files.write("x", table)
    with engine.connect() as database:
        assert database.execute(text("SELECT generation FROM files")).scalars().all() == [3]


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE file_chunks SET content = set_byte(content, 100, 255 - get_byte(content, 100)) WHERE number = 1",
        "DELETE FROM file_chunks WHERE number = 1",
        "UPDATE file_contents SET checksum = 'another'",
    ],
)
def test_damaged_content_is_detected(engine: Engine, in_chunks: TeamFiles, damage: str) -> None:
    numbers = np.random.default_rng(1).integers(1, 256, 700_000, np.uint8)
    in_chunks.write("x", pa.table({"number": numbers}))
    with engine.begin() as database:
        database.execute(text(damage))
    with pytest.raises(WorkspaceError, match="missing or damaged"):
        in_chunks.read("x")


def test_files_in_a_shared_folder_are_private_and_checked(engine: Engine, tmp_path: Path) -> None:
    shared = TeamFiles(engine, "ledgers", FolderContents(engine, tmp_path / "store"))
    shared.write("x", OLD)
    (path,) = (path for path in (tmp_path / "store").iterdir() if path.name != MARK)
    assert [stat.S_IMODE(each.stat().st_mode) for each in (path, path.parent)] == [0o600, 0o700]
    path.write_bytes(path.read_bytes().replace(b"a", b"b"))
    with pytest.raises(WorkspaceError, match="missing or damaged"):
        shared.read("x")


def test_content_without_a_name_is_swept(engine: Engine, files: TeamFiles, elsewhere: TeamFiles) -> None:
    files.write("x", OLD)
    elsewhere.write("y", NEW)
    with engine.begin() as database:
        database.execute(text("DELETE FROM files WHERE name = 'x.parquet'"))
    now = datetime.now(UTC)
    assert files.sweep(now - timedelta(hours=1), dry_run=False) == 0
    assert files.sweep(now + timedelta(hours=1), dry_run=True) == 1
    assert files.sweep(now + timedelta(hours=1), dry_run=False) == 1
    assert files.sweep(now + timedelta(hours=1), dry_run=False) == 0
    assert elsewhere.read("y") == NEW
    assert content_counts(engine)[0] == 1


def test_stray_files_of_a_crash_are_removed(engine: Engine, tmp_path: Path) -> None:
    contents = FolderContents(engine, tmp_path / "store")
    TeamFiles(engine, "ledgers", contents).write("x", OLD)
    (tmp_path / "store" / "stray").touch()
    assert contents.drop_strays(datetime.now(UTC) - timedelta(hours=1), dry_run=False) == 0
    assert contents.drop_strays(datetime.now(UTC) + timedelta(hours=1), dry_run=False) == 1
    assert len(list((tmp_path / "store").iterdir())) == 2  # the marker and the file
