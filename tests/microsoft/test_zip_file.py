"""Our archives, read with the standard library."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_magics.microsoft.zip_file import SingleMemberZip


def write(path: Path, *blocks: bytes) -> None:
    with SingleMemberZip(path, "upload.csv") as archive:
        for block in blocks:
            archive.write(block)


@given(st.lists(st.binary(max_size=2_000)))
@settings(deadline=None)
def test_blocks_are_read_back_as_one_member(blocks: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.zip"
        write(path, *blocks)
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            (member,) = archive.infolist()
            assert (member.filename, member.file_size) == ("upload.csv", sum(map(len, blocks)))
            assert archive.read("upload.csv") == b"".join(blocks)


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 3_000_000])
@pytest.mark.parametrize("random", [True, False])
def test_large_members_are_read_back(tmp_path: Path, size: int, random: bool) -> None:
    data = np.random.default_rng(2).bytes(size) if random else bytes(size)
    write(tmp_path / "x.zip", data[: size // 2], data[size // 2 :])
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        assert archive.testzip() is None
        assert archive.read("upload.csv") == data
        assert (archive.infolist()[0].compress_size < size) is not random


def test_failed_write_leaves_no_valid_archive(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with pytest.raises(TypeError):
        write(path, b"half", None)  # type: ignore[arg-type]  # the second block cannot be written
    assert not zipfile.is_zipfile(path)
