"""Every stored file is checked whenever it is read, after any damage and under concurrent writes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from run_settings import examples
from sqlalchemy import create_engine, delete, event

from ci_magics.errors import WorkspaceError
from ci_magics.workspace import checksums as module
from ci_magics.workspace import chunks
from ci_magics.workspace.checksums import Checksums
from ci_magics.workspace.files import PrivateFiles
from ci_magics.workspace.schema import bring_up_to_date
from ci_magics.workspace.scratch_folders import ScratchFolders
from ci_magics.workspace.tables import file_checksums

CONTENT = bytes(range(256)) * 5 + b"the end"


@pytest.fixture(params=[64, 1280 + 7, 2**18])
def files(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PrivateFiles:
    """Files in many chunks, in one of exactly their size, and in one that is larger."""
    monkeypatch.setattr(chunks, "CHUNK", request.param)
    monkeypatch.setattr(module, "CHUNK", request.param)
    monkeypatch.setattr("ci_magics.workspace.files.os.fsync", lambda _descriptor: None)  # hundreds of files are written
    return new_files(tmp_path)


def new_files(folder: Path) -> PrivateFiles:
    engine = create_engine(f"sqlite:///{folder}/workspace.sqlite", connect_args={"timeout": 30})
    event.listen(engine, "connect", lambda connection, _record: connection.execute("PRAGMA synchronous=OFF"))
    bring_up_to_date(engine, then=lambda _database: None)
    return PrivateFiles(folder / "ledgers", Checksums(engine, "ledgers"), ScratchFolders(folder / "scratch"))


def read(files: PrivateFiles, name: str) -> bytes:
    with files.reading(name) as file:
        return file.read()


def is_refused(files: PrivateFiles, name: str) -> bool:
    try:
        read(files, name)
    except WorkspaceError:
        return True
    return False


#: Kinds of damage: a function of the bytes of a file and a position, which returns the damaged bytes.
DAMAGES: dict[str, Callable[[bytes, int], bytes]] = {
    "one bit": lambda data, at: data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :],
    "one byte": lambda data, at: data[:at] + bytes([data[at] ^ 255]) + data[at + 1 :],
    "zeros": lambda data, at: data[:at] + bytes([data[at] ^ 1]) + bytes(len(data) - at - 1),
    "cut off": lambda data, at: data[:at],
    "longer": lambda data, at: data + data[: at + 1],
    "two bytes exchanged": lambda data, at: data[:at] + data[at:][:2][::-1] + data[at + 2 :],
    "another beginning": lambda data, at: b"x" + data[: len(data) - 1] if at else b"x" + data[1:],
}


@pytest.mark.parametrize("damage", DAMAGES)
@settings(max_examples=examples(15), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, len(CONTENT) - 1))
def test_damage_is_always_detected(files: PrivateFiles, damage: str, at: int) -> None:
    files.write_bytes("x.parquet", [memoryview(CONTENT[:100]), memoryview(CONTENT[100:])])
    assert read(files, "x.parquet") == CONTENT
    assert files.is_intact("x")
    damaged = DAMAGES[damage](CONTENT, at)
    (files.root / "x.parquet").write_bytes(damaged)
    assert is_refused(files, "x.parquet") is (damaged != CONTENT)
    assert files.is_intact("x") is (damaged == CONTENT)
    files.write_bytes("x.parquet", [memoryview(CONTENT)])
    assert read(files, "x.parquet") == CONTENT


@given(st.integers(0, len(CONTENT) - 1), st.integers(0, len(CONTENT)), st.integers(0, 200))
@settings(max_examples=examples(30), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_range_is_read_as_written_or_refused(files: PrivateFiles, flipped: int, start: int, count: int) -> None:
    files.write_bytes("x.parquet", [memoryview(CONTENT)])
    assert files.read_bytes("x.parquet", start, count).tobytes() == CONTENT[start : start + count]
    (files.root / "x.parquet").write_bytes(DAMAGES["one byte"](CONTENT, flipped))
    try:
        assert files.read_bytes("x.parquet", start, count).tobytes() == CONTENT[start : start + count]
    except WorkspaceError:
        return
    assert not start <= flipped < start + count


def test_open_reader_keeps_reading_the_replaced_file(files: PrivateFiles) -> None:
    files.write_bytes("x.parquet", [memoryview(CONTENT)])
    with files.reading("x.parquet") as file:
        files.write_bytes("x.parquet", [memoryview(b"another")])
        assert file.read() == CONTENT
    assert read(files, "x.parquet") == b"another"


def test_damaged_chunk_affects_only_reads_that_need_it(tmp_path: Path) -> None:
    files = new_files(tmp_path)
    files.write_bytes("x.parquet", [memoryview(bytes(5 * chunks.CHUNK))])
    with (files.root / "x.parquet").open("r+b") as file:
        file.seek(2 * chunks.CHUNK + 5)
        file.write(b"x")
    assert files.read_bytes("x.parquet", 0, chunks.CHUNK).tobytes() == bytes(chunks.CHUNK)
    with pytest.raises(WorkspaceError, match="missing or damaged"):
        files.read_bytes("x.parquet", 2 * chunks.CHUNK, 10)
    assert not files.is_intact("x")


def test_file_of_an_earlier_version_gets_a_checksum_when_it_is_first_read(files: PrivateFiles) -> None:
    files.write_bytes("x.parquet", [memoryview(CONTENT)])
    engine = files.checksums._engine  # type: ignore[union-attr]  # noqa: SLF001
    with engine.begin() as database:
        database.execute(delete(file_checksums))
    assert read(files, "x.parquet") == CONTENT
    (files.root / "x.parquet").write_bytes(DAMAGES["one bit"](CONTENT, 77))
    assert is_refused(files, "x.parquet")


@pytest.mark.parametrize("killed", ["before it was written down", "before it was put there", "before it was settled"])
def test_file_matches_its_checksum_whenever_its_writer_is_killed(
    files: PrivateFiles, monkeypatch: pytest.MonkeyPatch, killed: str
) -> None:
    files.write_bytes("x.parquet", [memoryview(CONTENT)])
    place = {
        "before it was written down": (Checksums, "expect"),
        "before it was put there": (Path, "replace"),
        "before it was settled": (Checksums, "commit"),
    }[killed]

    def ends(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        if killed == "before it was settled":
            patched.setattr(Checksums, "commit", lambda _self, _name, _sum, put, _lives: (put(), ends()))
        else:
            patched.setattr(*place, ends)
        with pytest.raises(KeyboardInterrupt):
            files.write_bytes("x.parquet", [memoryview(b"later")])
    assert read(files, "x.parquet") == (b"later" if killed == "before it was settled" else CONTENT)
    files.write_bytes("x.parquet", [memoryview(b"last")])
    assert read(files, "x.parquet") == b"last"


def test_concurrent_writes_and_reads_of_one_file_are_consistent(tmp_path: Path) -> None:
    files = new_files(tmp_path)
    contents = [bytes([number]) * 50_000 for number in range(4)]
    files.write_bytes("x.parquet", [memoryview(contents[0])])
    wrong: list[object] = []

    def write(content: bytes) -> None:
        for _ in range(15):
            files.write_bytes("x.parquet", [memoryview(content)])

    def look() -> None:
        for _ in range(60):
            try:
                if read(files, "x.parquet") not in contents:
                    wrong.append("mixed")
            except WorkspaceError as error:
                wrong.append(error)

    threads = [threading.Thread(target=write, args=(each,)) for each in contents]
    threads += [threading.Thread(target=look) for _ in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert wrong == []


def test_linked_file_keeps_its_checksum_when_the_original_is_replaced(tmp_path: Path) -> None:
    files = new_files(tmp_path)
    checksums = Checksums(files.checksums._engine, "spool")  # type: ignore[union-attr]  # noqa: SLF001
    other = PrivateFiles(tmp_path / "spool", checksums, ScratchFolders(tmp_path / "scratch"))
    files.write("x", pa.table({"key": ["a"]}))
    other.link("y", files, "x")
    files.write("x", pa.table({"key": ["b"]}))
    assert other.read("y").to_pydict() == {"key": ["a"]}
    path = other.root / "y.parquet"
    path.write_bytes(DAMAGES["one byte"](path.read_bytes(), 9))
    with pytest.raises(WorkspaceError, match="missing or damaged"):
        other.read("y")
