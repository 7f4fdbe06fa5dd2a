"""Limits that would take too long over the wire are asked of the file reader itself."""

from __future__ import annotations

import io
import zipfile

import pytest

from ci_magics.emulator import bulk_file
from ci_magics.emulator.result_file import MAX_FILE_BYTES, FileError


def test_a_file_of_more_than_a_hundred_megabytes_is_refused() -> None:
    with pytest.raises(FileError) as refused:
        bulk_file.extract("x.csv", bytes(MAX_FILE_BYTES + 1))
    assert (refused.value.code, refused.value.status) == (3225, "UploadFileRowCountExceeded")


def test_more_than_four_million_rows_are_refused() -> None:
    text = b"\xef\xbb\xbfType,Name\nFormat Version,6.0\n" + b"x,\n" * bulk_file.MAX_ROWS
    with pytest.raises(FileError) as refused:
        bulk_file.parse(text, ",")
    assert (refused.value.code, refused.value.status) == (3225, "UploadFileRowCountExceeded")


def test_four_million_rows_are_taken() -> None:
    text = b"\xef\xbb\xbfType,Name\nFormat Version,6.0\n" + b"x,\n" * (bulk_file.MAX_ROWS - 1)
    assert bulk_file.parse(text, ",").table.num_rows == bulk_file.MAX_ROWS


@pytest.mark.parametrize("content", [b"not a zip", b"PK\x03\x04 broken"])
def test_what_is_no_zip_is_refused(content: bytes) -> None:
    with pytest.raises(FileError) as refused:
        bulk_file.extract("x.zip", content)
    assert refused.value.status == "UploadFileFormatNotSupported"


def test_a_zip_with_two_members_is_refused() -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as bundle:
        bundle.writestr("a.csv", "x")
        bundle.writestr("b.csv", "x")
    with pytest.raises(FileError) as refused:
        bulk_file.extract("x.zip", archive.getvalue())
    assert refused.value.code == 3222


def test_a_damaged_member_is_refused() -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr("a.csv", "some text " * 100)
    content = bytearray(archive.getvalue())
    content[40] ^= 0xFF
    with pytest.raises(FileError):
        bulk_file.extract("x.zip", bytes(content))
