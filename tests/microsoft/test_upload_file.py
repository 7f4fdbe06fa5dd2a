"""What is written for Microsoft, read back with the standard library."""

from __future__ import annotations

import csv
import io
import stat
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ci_magics.microsoft.upload_file import (
    UploadFile,
    item_position,
    rows_per_file,
    write_upload_file,
    write_upload_files,
)

HASHES = hnp.arrays(np.uint8, st.tuples(st.integers(0, 40), st.just(32)))
ACTIONS = st.sampled_from(["Add", "Remove", "Replace"])


def read(path: Path) -> list[dict[str, str]]:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        (name,) = archive.namelist()
        text = archive.read(name)
    assert text.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(text.decode("utf-8-sig"), newline="")))


def items(path: Path) -> list[tuple[int, str]]:
    rows = [row for row in read(path) if row["Type"] == "Customer List Item"]
    assert all((row["Sub Type"], row["Parent Id"]) == ("Email", "800000000001") for row in rows)
    return [(int(row["Client Id"]), row["Text"]) for row in rows]


def write(hashes: Any, directory: Path, **options: Any) -> list[UploadFile]:
    given = {"audience_id": "800000000001", "action": "Add", "accept_terms": True, **options}
    return list(write_upload_files(hashes, directory=directory, **given))


@given(HASHES, ACTIONS, st.booleans(), st.integers(3, 50))
@settings(deadline=None)
def test_what_is_written_can_be_read_back(hashes: Any, action: Any, accept: bool, max_rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        files = write(hashes, Path(folder), action=action, accept_terms=accept, max_rows=max_rows)
        found = [item for file in files for item in items(file.path)]
        assert found == [(position, row.tobytes().hex()) for position, row in enumerate(hashes)]
        for number, file in enumerate(files):
            version, head, *rest = read(file.path)
            assert (version["Type"], version["Name"]) == ("Format Version", "6.0")
            assert (head["Type"], head["Id"]) == ("Customer List", "800000000001")
            assert head["Accept Customer Match Term"] == ("True" if accept else "")
            expected = "Add" if action == "Replace" and number else action
            assert head["Action Type"] == expected == file.action
            assert len(rest) == file.stop - file.start <= max_rows - 2


def test_nothing_makes_no_file_but_to_replace_with(tmp_path: Path) -> None:
    nothing = np.empty((0, 32), dtype=np.uint8)
    assert write(nothing, tmp_path) == []
    assert write(nothing, tmp_path, action="Remove") == []
    (file,) = write(nothing, tmp_path, action="Replace")
    assert (file.start, file.stop, items(file.path)) == (0, 0, [])


@pytest.mark.parametrize("max_bytes", [200_000, 1_000_000, 5_000_000])
def test_no_file_is_larger_than_told(tmp_path: Path, max_bytes: int) -> None:
    hashes = np.random.default_rng(1).integers(0, 256, (120_000, 32), dtype=np.uint8)
    files = write(hashes, tmp_path, max_bytes=max_bytes)
    sizes = [file.path.stat().st_size for file in files]
    assert max(sizes) <= max_bytes
    assert len(files) <= 5_000_000 // max_bytes * 3
    assert [position for file in files for position, _ in items(file.path)] == list(range(120_000))


@pytest.mark.parametrize("limits", [{"max_rows": 2}, {"max_rows": 0}, {"max_bytes": 1_000}])
def test_limits_without_room_are_refused(tmp_path: Path, limits: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="no room"):
        write(np.zeros((1, 32), dtype=np.uint8), tmp_path, **limits)


def test_the_same_hashes_give_the_same_file(tmp_path: Path) -> None:
    hashes = np.random.default_rng(1).integers(0, 256, (1_000, 32), dtype=np.uint8)
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
        write(hashes, folder)
    assert (one / "upload-0000.zip").read_bytes() == (other / "upload-0000.zip").read_bytes()


def test_a_file_is_its_owners_only(tmp_path: Path) -> None:
    (file,) = write(np.zeros((1, 32), dtype=np.uint8), tmp_path)
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600


def test_one_file_holds_what_fits(tmp_path: Path) -> None:
    hashes = np.random.default_rng(1).integers(0, 256, (70_000, 32), dtype=np.uint8)
    path = tmp_path / "one.zip"
    write_upload_file(path, hashes, audience_id="800000000001", action="Replace", accept_terms=True)
    assert items(path) == [(position, row.tobytes().hex()) for position, row in enumerate(hashes)]


def test_the_sandbox_takes_twenty_thousand_rows() -> None:
    assert rows_per_file("sandbox") + 2 == 20_000
    assert rows_per_file("emulator") == rows_per_file("production") > 1_000_000


@pytest.mark.parametrize(
    ("client_id", "position"),
    [("000000012", 12), ("0", 0), ("list", None), ("", None), ("-1", None), ("\u00b2", None), ("9" * 5000, None)],
)
def test_a_client_id_is_a_position_or_nothing(client_id: str, position: int | None) -> None:
    assert item_position(client_id) == position
