"""Invalid bulk files and archives."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from typing import Any

import pytest

HASH = "f25ad364d33972379a7a4f4df33db142205f5c40eb19cfdb2fc5aaf117e10101"
FORMAT = "UploadFileFormatNotSupported"


def outcome(status: Any) -> tuple[str, int, int]:
    return status["RequestStatus"], status["Errors"][0]["Code"], status["PercentComplete"]


@pytest.fixture
def good(bulk: Any) -> bytes:
    text: bytes = bulk.text(bulk.list_row(Audience="A list"), bulk.item_row(HASH))
    return text


@pytest.mark.parametrize(
    ("name", "member"), [("upload.tsv", None), ("UPLOAD.ZIP", "folder/upload.tsv"), ("upload.zip", "a.TSV")]
)
def test_columns_can_be_separated_by_tabs(bulk: Any, name: str, member: str | None) -> None:
    text = bulk.text(bulk.list_row(Audience="One, with a comma"), bulk.item_row(HASH), separator="\t")
    content = bulk.zipped(text, member) if member else text
    assert bulk.send(content, name)["RequestStatus"] == "Completed"
    assert bulk.emulator.members("One, with a comma") == {HASH}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_archive_member_can_be_stored_or_deflated(bulk: Any, good: bytes, method: int) -> None:
    assert bulk.send(bulk.zipped(good, method=method), "x.zip")["RequestStatus"] == "Completed"


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compression_methods_are_refused(bulk: Any, good: bytes, method: int) -> None:
    assert outcome(bulk.send(bulk.zipped(good, method=method), "x.zip")) == (FORMAT, 3223, 0)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_wrong_checksum_refuses_the_file(bulk: Any, good: bytes, method: int) -> None:
    archive = bytearray(bulk.zipped(good, method=method))
    wrong = struct.pack("<L", zlib.crc32(good) ^ 1)
    archive[14:18] = wrong
    directory = archive.index(b"PK\1\2")
    archive[directory + 16 : directory + 20] = wrong
    assert outcome(bulk.send(bytes(archive), "x.zip")) == (FORMAT, 3223, 0)
    assert bulk.emulator.audiences() == {}


def test_archive_that_declares_an_impossible_size_is_refused(bulk: Any, good: bytes) -> None:
    assert outcome(bulk.send(declaring(bulk.zipped(good), 1_900_000_000), "x.zip"))[:2] == (
        "UploadFileRowCountExceeded",
        3225,
    )


def test_archive_that_expands_beyond_its_declared_size_is_refused(bulk: Any) -> None:
    bomb = bulk.zipped(bytes(200_000_000))
    assert len(bomb) < 1_000_000
    assert outcome(bulk.send(declaring(bomb, 1_000), "x.zip")) == (FORMAT, 3223, 0)


def declaring(archive: bytes, size: int) -> bytes:
    changed = bytearray(archive)
    directory = changed.rindex(b"PK\1\2")
    changed[22:26] = changed[directory + 24 : directory + 28] = struct.pack("<L", size)
    return bytes(changed)


def test_encrypted_member_is_refused(bulk: Any, good: bytes) -> None:
    archive = bytearray(bulk.zipped(good))
    archive[6] |= 1
    archive[archive.index(b"PK\1\2") + 8] |= 1
    assert outcome(bulk.send(bytes(archive), "x.zip")) == (FORMAT, 3223, 0)


@pytest.mark.parametrize("content", [b"", b"PK\3\4", b"no archive at all"])
def test_file_that_is_not_an_archive_is_refused(bulk: Any, content: bytes) -> None:
    assert outcome(bulk.send(content or b"x", "x.zip")) == (FORMAT, 3223, 0)


def test_archive_must_have_exactly_one_member(bulk: Any, good: bytes) -> None:
    for members in (0, 2):
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as bundle:
            for number in range(members):
                bundle.writestr(f"{number}.csv", good)
        assert outcome(bulk.send(archive.getvalue(), "x.zip")) == (FORMAT, 3222, 0)


@pytest.mark.parametrize(
    "heading",
    ["Id,Name,Text", "Name,Type", "type,Name", "Type,Name,Text,Text", '"Type","Na', ""],
)
def test_first_column_is_type_and_columns_are_unique(bulk: Any, heading: str) -> None:
    content = f"\ufeff{heading}\r\nFormat Version,6.0,,\r\n".encode()
    assert outcome(bulk.send(content)) == (FORMAT, 3217, 0)


@pytest.mark.parametrize("line", [b"Customer List,\xff\xfe,x\r\n", b"too,many,columns,here\r\n", b"few\r\n"])
def test_invalid_csv_row_refuses_the_file(bulk: Any, line: bytes) -> None:
    content = "\ufeffType,Name,Id\r\nFormat Version,6.0,\r\n".encode() + line
    assert outcome(bulk.send(content)) == (FORMAT, 3217, 0)


@pytest.mark.parametrize(
    ("rows", "code"), [(b"", 3219), (b"Customer List,6.0\r\n", 3219), (b"Format Version,\r\n", 3217)]
)
def test_first_record_must_be_the_format_version(bulk: Any, rows: bytes, code: int) -> None:
    assert outcome(bulk.send("\ufeffType,Name\r\n".encode() + rows)) == ("Failed", code, 0)


def test_more_than_four_million_rows_end_the_upload(bulk: Any) -> None:
    text = "\ufeffType,Name\nFormat Version,6.0\n".encode() + b"x,\n" * 4_000_000
    assert outcome(bulk.send(bulk.zipped(text), "x.zip")) == ("UploadFileRowCountExceeded", 3225, 0)


def test_more_than_a_hundred_megabytes_are_refused(bulk: Any) -> None:
    answer = bulk.post(bulk.ticket()["UploadUrl"], bytes(100_000_001))
    assert (answer.status_code, answer.json()["Code"]) == (400, 3225)


def test_plain_address_is_never_returned(bulk: Any) -> None:
    row = bulk.item_row("ada@contoso.com", client="9")
    status = bulk.rows(bulk.list_row(Audience="A list"), row)
    assert "contoso" not in str(bulk.result(status))
    assert bulk.errors(status) == [("Customer List Item Error", "8004", "9")]


def test_token_without_bearer_is_not_an_authorization(bulk: Any, good: bytes) -> None:
    url = bulk.ticket()["UploadUrl"]
    answer = bulk.post(url, good, Authorization=bulk.emulator.access_token)
    assert (answer.status_code, answer.json()["Code"]) == (401, 105)
    assert bulk.post(url, good).status_code == 200
