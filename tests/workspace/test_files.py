from __future__ import annotations

import stat
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ci_magics.errors import WorkspaceError
from ci_magics.workspace.files import PrivateFiles, private_folder

OLD, NEW = pa.table({"key": ["a"]}), pa.table({"key": ["b", "c"]})


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def files(tmp_path: Path) -> PrivateFiles:
    return PrivateFiles(tmp_path / "ledgers")


def test_only_the_owner_can_read(files: PrivateFiles) -> None:
    files.write("x", OLD)
    files.write("x", NEW)
    assert mode(files.root) == 0o700
    assert mode(files.root / "x.parquet") == 0o600


def test_what_is_written_is_read(files: PrivateFiles) -> None:
    assert not files.exists("x")
    files.write("x", OLD)
    assert files.exists("x")
    assert files.read("x") == OLD
    files.write("x", NEW)
    assert files.read("x") == NEW
    assert names(files.root) == ["x.parquet"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # the same file is replaced each time
@given(st.lists(st.one_of(st.none(), st.binary(min_size=32, max_size=32))))
def test_hashes_come_back_bit_for_bit(files: PrivateFiles, hashes: list[bytes | None]) -> None:
    table = pa.table({"hash": pa.array(hashes, pa.binary(32))})
    files.write("x", table)
    assert files.read("x") == table


def test_a_failed_write_leaves_the_old_table_and_no_draft(files: PrivateFiles) -> None:
    files.write("x", OLD)
    with pytest.raises(pa.ArrowNotImplementedError):
        files.write("x", pa.table({"key": pa.RunEndEncodedArray.from_arrays([2], ["a"])}))
    assert files.read("x") == OLD
    assert names(files.root) == ["x.parquet"]


def test_an_interrupted_write_leaves_the_old_table(files: PrivateFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_descriptor: int) -> None:
        raise KeyboardInterrupt

    files.write("x", OLD)
    monkeypatch.setattr("ci_magics.workspace.files.os.fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        files.write("x", NEW)
    assert files.read("x") == OLD
    assert names(files.root) == ["x.parquet"]


def test_removing_twice_is_once(files: PrivateFiles) -> None:
    files.write("x", OLD)
    files.remove("x")
    files.remove("x")
    assert names(files.root) == []


@pytest.mark.parametrize("content", [None, b"", b"PAR1 but no more"])
def test_a_missing_or_damaged_file_is_one_sentence(files: PrivateFiles, content: bytes | None) -> None:
    if content is not None:
        (files.root / "x.parquet").write_bytes(content)
    with pytest.raises(WorkspaceError, match="missing or damaged") as refused:
        files.read("x")
    assert refused.value.next_step
    assert str(files.root) not in str(refused.value)


def test_a_folder_that_went_away_is_one_sentence(files: PrivateFiles) -> None:
    files.root.rmdir()
    with pytest.raises(WorkspaceError, match="cannot be written") as refused:
        files.write("x", OLD)
    assert "CI_MAGICS_WORKSPACE" in refused.value.next_step


def test_a_file_in_the_place_of_the_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(WorkspaceError, match="folder cannot be made") as refused:
            private_folder(folder)
        assert "CI_MAGICS_WORKSPACE" in refused.value.next_step
