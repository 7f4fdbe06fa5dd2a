"""Files that a killed process left in a team workspace are removed once it is dead, and never while it lives."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import contoso
import pytest
from sqlalchemy import Engine, create_engine, func, insert, select, text

from ci_magics.activation.erasure.forget import forget
from ci_magics.activation.retention import purge
from ci_magics.workspace import locks as locking
from ci_magics.workspace.shared_folder import MARK
from ci_magics.workspace.store import Workspace, _open, open_workspace
from ci_magics.workspace.tables import file_chunks, file_contents, files, locks

#: A program that writes a file, and is then killed or waits.
BEGIN = """
import os, signal, sys
from ci_magics.workspace.store import open_workspace
workspace = open_workspace()
data = bytes.fromhex(sys.argv[2])
def die(*_):
    if sys.argv[3] == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    print("written", flush=True)
    sys.stdin.read()
if sys.argv[1] == "named":
    workspace.spool.write_bytes("of-a-run-that-never-began-hashes.bin", [memoryview(data)])
    die()
elif sys.argv[1] == "unnamed":
    type(workspace.spool)._name = die
    workspace.spool.write_bytes("x-hashes.bin", [memoryview(data)])
else:
    with workspace.spool.replacing("x-hashes.bin") as file:
        file.write(data)
        file._file.flush()
        die()
"""
KINDS = [
    ("database", "named"),
    ("database", "unnamed"),
    ("folder", "named"),
    ("folder", "unnamed"),
    ("folder", "draft"),
]


@pytest.fixture
def place(
    request: pytest.FixtureRequest, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Return the folder of the files, which stays empty if they are in the database."""
    del workspace
    store = tmp_path / "store"
    if getattr(request, "param", "database") == "folder":
        monkeypatch.setenv("CI_MAGICS_STORE", str(store))
    _open.cache_clear()
    open_workspace()
    return store


@pytest.fixture
def engine(workspace: Workspace) -> Iterator[Engine]:
    engine = create_engine(workspace._engine.url)  # noqa: SLF001 - to look into it with SQL
    yield engine
    engine.dispose()


def start_writer(kind: str, data: bytes, how: str) -> subprocess.Popen[bytes]:
    """Start a process that writes a file; it is then killed, or lives until its input ends."""
    command = [sys.executable, "-c", BEGIN, kind, data.hex(), how]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == (b"written\n" if how == "lives" else b"")
    if how == "killed":
        child.wait()
    return child


def reopen() -> Workspace:
    """Open the workspace like a new process."""
    _open.cache_clear()
    return open_workspace()


def holds(engine: Engine, place: Path, data: bytes) -> bool:
    """Return whether some bytes are in any file of the team."""
    with engine.connect() as database:
        chunks = list(database.execute(select(file_chunks.c.content)).scalars())
    kept = [path.read_bytes() for path in place.iterdir() if path.name != MARK] if place.exists() else []
    return any(data in bytes(each) for each in [*chunks, *kept])


def row_counts(engine: Engine) -> list[int]:
    with engine.connect() as database:
        return [
            database.execute(select(func.count()).select_from(table)).scalar_one() for table in (files, file_contents)
        ]


@pytest.mark.parametrize(("place", "kind"), KINDS, indirect=["place"])
def test_stray_file_is_removed_when_the_workspace_is_opened_after_a_kill(
    place: Path, engine: Engine, kind: str
) -> None:
    start_writer(kind, b"0123456789" * 10, "killed")
    assert holds(engine, place, b"0123456789")
    reopen()
    assert not holds(engine, place, b"0123456789")
    assert row_counts(engine) == [0, 0]
    with engine.connect() as database:
        assert database.execute(select(locks.c.name)).all() == []


@pytest.mark.parametrize(("place", "kind"), KINDS, indirect=["place"])
def test_file_stays_while_its_writer_lives(place: Path, engine: Engine, kind: str) -> None:
    child = start_writer(kind, b"0123456789" * 10, "lives")
    try:
        workspace = reopen()
        purge(workspace=workspace)
        assert holds(engine, place, b"0123456789")
    finally:
        child.kill()
        child.communicate()
    reopen()
    assert not holds(engine, place, b"0123456789")


def write_elsewhere(engine: Engine, seconds: int, data: bytes) -> None:
    """Add a file of a process on another machine, whose last heartbeat is so many seconds old."""
    now = datetime.now(UTC)
    with engine.begin() as database:
        database.execute(
            insert(file_contents).values(id="c", bytes=len(data), checksum="x", made_at=now, owner="another")
        )
        database.execute(insert(file_chunks).values(content_id="c", number=0, checksum=b"x", content=data))
        row = {"folder": "spool", "name": "never-began-hashes.bin", "content_id": "c", "generation": 1}
        database.execute(insert(files).values(row | {"written_at": now, "owner": "another"}))
        holder = {"name": "files:another", "run_id": "another", "holder": "zoe", "host": "another", "process": "1"}
        database.execute(
            insert(locks).values(
                holder | {"taken_at": now, "seen_at": now, "identity": "another", "beat": 1, "place": "there"}
            )
        )
        database.execute(text(f"UPDATE locks SET seen_at = clock_timestamp() - interval '{seconds} seconds'"))


@pytest.mark.parametrize(("seconds", "stays"), [(0, True), (100, True), (130, False)])
def test_heartbeat_decides_whether_a_process_elsewhere_lives(
    place: Path, engine: Engine, seconds: int, stays: bool
) -> None:
    write_elsewhere(engine, seconds, b"0123456789")
    reopen()
    assert holds(engine, place, b"0123456789") is stays
    assert row_counts(engine) == ([1, 1] if stays else [0, 0])


def test_erasure_watches_a_process_elsewhere_that_has_just_died(
    place: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locking, "WATCH", 1.0)
    contoso.segment(300)
    data = bytes.fromhex(contoso.hash_of("p7@contoso.com"))
    write_elsewhere(engine, 5, data)
    with engine.connect() as database:
        assert database.execute(select(files.c.name).where(files.c.owner == "another")).scalar()
    assert forget(key="k7", show=lambda _: None).erased
    assert not holds(engine, place, data)
    assert not holds(engine, place, b"never")


def test_erasure_keeps_what_a_process_elsewhere_is_writing(
    place: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    contoso.segment(300)
    write_elsewhere(engine, 5, b"of somebody else")
    asked: list[int] = []
    pause = locking.threading.Event.wait

    def beating(event: object, timeout: float | None = None) -> bool:
        if timeout == locking._POLL_SECONDS:  # noqa: SLF001 - a look at the heartbeat
            asked.append(1)
            with engine.begin() as database:
                database.execute(text("UPDATE locks SET beat = beat + 1 WHERE identity = 'another'"))
            return False
        return pause(event, timeout)  # type: ignore[arg-type]  # the event itself

    monkeypatch.setattr(locking.threading.Event, "wait", beating)
    assert forget(key="k7", show=lambda _: None).erased
    assert asked
    assert holds(engine, place, b"of somebody else")


@pytest.mark.parametrize("place", ["database", "folder"], indirect=True)
@pytest.mark.parametrize("kind", ["named", "unnamed"])
def test_erasure_removes_hashes_from_strays_of_earlier_versions(place: Path, engine: Engine, kind: str) -> None:
    contoso.segment(300)
    data = bytes.fromhex(contoso.hash_of("p7@contoso.com"))
    start_writer(kind, data, "killed")
    with engine.begin() as database:
        for table in ("files", "file_contents"):
            database.execute(text(f"UPDATE {table} SET owner = ''"))
    reopen()
    assert holds(engine, place, data)
    assert forget(key="k7", show=lambda _: None).erased
    assert not holds(engine, place, data)
