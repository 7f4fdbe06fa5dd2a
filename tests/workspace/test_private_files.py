from __future__ import annotations

import stat
from pathlib import Path

import pyarrow as pa
import pytest

from ci_magics.errors import WorkspaceError
from ci_magics.workspace.files import PrivateFiles
from ci_magics.workspace.private_paths import private_folder

OLD, NEW = pa.table({"key": ["a"]}), pa.table({"key": ["b", "c"]})


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def files(tmp_path: Path) -> PrivateFiles:
    return PrivateFiles(tmp_path / "ledgers")


def test_only_the_owner_can_read_files(files: PrivateFiles) -> None:
    files.write("x", OLD)
    files.write("x", NEW)
    assert mode(files.root) == 0o700
    assert mode(files.root / "x.parquet") == 0o600


def test_interrupted_write_keeps_the_old_table(files: PrivateFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_descriptor: int) -> None:
        raise KeyboardInterrupt

    files.write("x", OLD)
    monkeypatch.setattr("ci_magics.workspace.files.os.fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        files.write("x", NEW)
    assert files.read("x") == OLD
    assert files.names() == ["x.parquet"]


@pytest.mark.parametrize("content", [None, b"", b"PAR1 but no more"])
def test_missing_or_damaged_file_is_reported(files: PrivateFiles, content: bytes | None) -> None:
    if content is not None:
        (files.root / "x.parquet").write_bytes(content)
    with pytest.raises(WorkspaceError, match="missing or damaged") as refused:
        files.read("x")
    assert refused.value.next_step
    assert str(files.root) not in str(refused.value)


def test_missing_folder_is_reported(files: PrivateFiles) -> None:
    files.root.rmdir()
    with pytest.raises(WorkspaceError, match="cannot be written") as refused:
        files.write("x", OLD)
    assert "CI_MAGICS_WORKSPACE" in refused.value.next_step


def test_file_in_place_of_the_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(WorkspaceError, match="folder cannot be created") as refused:
            private_folder(folder)
        assert "CI_MAGICS_WORKSPACE" in refused.value.next_step
