from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ci_magics.errors import WorkspaceError
from ci_magics.workspace.files import Files, PrivateFiles

OLD, NEW = pa.table({"key": ["a"]}), pa.table({"key": ["b", "c"]})


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return PrivateFiles(tmp_path / "ledgers")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Files:
    return PrivateFiles(tmp_path / "spool")


def test_written_table_is_read_back(files: Files) -> None:
    assert not files.exists("x")
    files.write("x", OLD)
    assert files.exists("x")
    assert files.read("x") == OLD
    files.write("x", NEW)
    assert files.read("x") == NEW
    assert files.names() == ["x.parquet"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # the same file is replaced each time
@given(st.lists(st.one_of(st.none(), st.binary(min_size=32, max_size=32))))
def test_hashes_are_read_back_exactly(files: Files, hashes: list[bytes | None]) -> None:
    table = pa.table({"hash": pa.array(hashes, pa.binary(32))})
    files.write("x", table)
    assert files.read("x") == table


def test_failed_write_keeps_the_old_table_and_leaves_no_draft(files: Files) -> None:
    files.write("x", OLD)
    with pytest.raises(pa.ArrowNotImplementedError):
        files.write("x", pa.table({"key": pa.RunEndEncodedArray.from_arrays([2], ["a"])}))
    assert files.read("x") == OLD
    assert files.names() == ["x.parquet"]


def test_remove_is_idempotent(files: Files) -> None:
    files.write("x", OLD)
    files.remove("x")
    files.remove("x")
    assert files.names() == []


def test_parts_are_read_one_by_one(files: Files) -> None:
    parts = [
        pa.table({"number": range(start, start + 40_000), "word": ["w"] * 40_000}) for start in (0, 40_000, 80_000)
    ]
    files.write_parts("x", parts[0].schema, iter(parts))
    assert files.rows("x") == 120_000
    assert files.columns("x") == ["number", "word"]
    batches = list(files.batches("x", ["number"]))
    assert len(batches) == 3
    assert [batch.column(0)[0].as_py() for batch in batches] == [0, 40_000, 80_000]
    with files.opened("x") as file:
        assert file.read_row_group(2, ["number"])["number"].to_pylist() == list(range(80_000, 120_000))


@pytest.mark.parametrize(
    ("start", "count"), [(0, 10), (250_000, 600_000), (999_990, 10), (999_990, 50), (2_000_000, 5)]
)
def test_bytes_are_read_from_any_position(files: Files, start: int, count: int) -> None:
    written = np.random.default_rng(1).integers(0, 256, 1_000_000, np.uint8)
    files.write_bytes("x.bin", (part.data for part in np.split(written, [0, 7, 300_000])))
    assert files.names() == ["x.bin"]
    assert files.read_bytes("x.bin", start, count).tobytes() == written[start : start + count].tobytes()


def test_open_file_is_unaffected_by_later_writes(files: Files) -> None:
    rows = 100_000
    files.write("x", pa.table({"number": range(rows)}))
    with files.opened("x") as file:
        files.write("x", OLD)
        files.remove("x")
        assert file.read()["number"].to_pylist() == list(range(rows))
    assert files.names() == []


def test_link_keeps_its_content_like_a_copy(files: Files, elsewhere: Files) -> None:
    files.write("x", OLD)
    elsewhere.write("y", NEW)
    elsewhere.link("y", files, "x")
    files.write("x", NEW)
    assert elsewhere.read("y") == OLD
    files.remove("x")
    assert elsewhere.read("y") == OLD
    with pytest.raises(WorkspaceError, match="missing"):
        elsewhere.link("z", files, "x")


def test_missing_file_is_reported(files: Files) -> None:
    for look in (files.read, files.rows, files.schema):
        with pytest.raises(WorkspaceError, match="missing or damaged"):
            look("x")
    with pytest.raises(WorkspaceError, match="missing or damaged"):
        files.read_bytes("x.bin", 0, 1)


def test_files_are_listed_and_removed_by_prefix(files: Files) -> None:
    for name in ("a_1", "a_2", "b_1", "a%"):
        files.write(name, OLD)
    assert files.names("a_") == ["a_1.parquet", "a_2.parquet"]
    now = datetime.now(UTC)
    assert files.names("a_", before=now - timedelta(hours=1)) == []
    assert files.names("a_", before=now + timedelta(hours=1)) == ["a_1.parquet", "a_2.parquet"]
    files.remove_all("a_")
    assert files.names() == ["a%.parquet", "b_1.parquet"]
