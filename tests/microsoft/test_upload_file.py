"""Upload files, read back with the standard library."""

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

from ci_magics.microsoft.upload_file import MAX_FILE_BYTES, item_position, rows_per_file, write_upload_file

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


def write(hashes: Any, path: Path, **options: Any) -> Path:
    given = {"audience_id": "800000000001", "action": "Add", "accept_terms": True, **options}
    write_upload_file(path, hashes, **given)
    return path


def random_hashes(count: int) -> Any:
    return np.random.default_rng(1).integers(0, 256, (count, 32), dtype=np.uint8)


@given(HASHES, ACTIONS, st.booleans())
@settings(deadline=None)
def test_upload_file_is_read_back(hashes: Any, action: Any, accept: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write(hashes, Path(folder) / "f.zip", action=action, accept_terms=accept)
        version, head, *rest = read(path)
        assert (version["Type"], version["Name"]) == ("Format Version", "6.0")
        assert (head["Type"], head["Id"], head["Action Type"]) == ("Customer List", "800000000001", action)
        assert head["Accept Customer Match Term"] == ("True" if accept else "")
        assert len(rest) == len(hashes)
        assert items(path) == [(position, row.tobytes().hex()) for position, row in enumerate(hashes)]


def test_several_blocks_are_written_in_order(tmp_path: Path) -> None:
    hashes = random_hashes(120_000)
    assert items(write(hashes, tmp_path / "f.zip")) == [
        (position, row.tobytes().hex()) for position, row in enumerate(hashes)
    ]


def test_full_file_is_smaller_than_the_limit(tmp_path: Path) -> None:
    rows = 200_000
    size = write(random_hashes(rows), tmp_path / "f.zip").stat().st_size
    assert size / rows * rows_per_file("production") < MAX_FILE_BYTES * 0.9


def test_too_many_rows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot fit"):
        write(random_hashes(3), tmp_path / "f.zip", max_rows=2)


def test_same_hashes_give_the_same_file(tmp_path: Path) -> None:
    one, other = (write(random_hashes(1_000), tmp_path / name) for name in ("one.zip", "other.zip"))
    assert one.read_bytes() == other.read_bytes()


def test_only_the_owner_can_read_the_file(tmp_path: Path) -> None:
    assert stat.S_IMODE(write(random_hashes(1), tmp_path / "f.zip").stat().st_mode) == 0o600


def test_sandbox_accepts_twenty_thousand_rows() -> None:
    assert rows_per_file("sandbox") + 2 == 20_000
    assert rows_per_file("emulator") == rows_per_file("production") > 1_000_000


@pytest.mark.parametrize(
    ("client_id", "position"),
    [("000000012", 12), ("0", 0), ("list", None), ("", None), ("-1", None), ("\u00b2", None), ("9" * 5000, None)],
)
def test_client_id_is_a_position_or_none(client_id: str, position: int | None) -> None:
    assert item_position(client_id) == position


def test_file_above_microsofts_limit_is_not_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ci_magics.microsoft.upload_file.MAX_FILE_BYTES", 100)
    with pytest.raises(ValueError, match="40 hashes make a file above 100 bytes"):
        write(random_hashes(40), tmp_path / "f.zip")
