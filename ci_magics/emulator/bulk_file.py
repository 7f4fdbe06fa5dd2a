"""The bulk file format: what an upload file says.

Pages "Bulk file schema", "Format Version Record", "Customer List Record" and "Customer List Item Record".
"""

from __future__ import annotations

import binascii
import csv
import io
import struct
import zipfile
import zlib
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
from isal import igzip_lib, isal_zlib

from ci_magics.emulator.result_file import BOM, FORMAT_VERSION, MAX_FILE_BYTES, FileError

MAX_ROWS = 4_000_000
MAX_EXPANDED_BYTES = 2_000_000_000


@dataclass
class Records:
    """The records of a file as Arrow columns; columns that the file does not have are empty text."""

    table: pa.Table

    def column(self, name: str) -> pa.ChunkedArray:
        """Return a column."""
        if name in self.table.column_names:
            return self.table[name]
        return pa.chunked_array([pa.repeat("", self.table.num_rows)])

    def rows(self, mask: pa.ChunkedArray) -> list[dict[str, str]]:
        """Return the rows that a mask picks, each as column name to text."""
        return [{name: value or "" for name, value in row.items()} for row in self.table.filter(mask).to_pylist()]


def extract(name: str, content: bytes) -> tuple[bytes, str]:
    """Return the text of an uploaded file and what separates its columns."""
    if len(content) > MAX_FILE_BYTES:
        raise FileError(3225, "UploadFileRowCountExceeded")
    if not name.lower().endswith(".zip"):
        return content, "\t" if name.lower().endswith(".tsv") else ","
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            if len(members) != 1 or members[0].file_size > MAX_EXPANDED_BYTES:
                raise FileError(3222, "UploadFileFormatNotSupported")
            member = members[0]
            return _inflate(archive, member, content), "\t" if member.filename.lower().endswith(".tsv") else ","
    except (zipfile.BadZipFile, struct.error, isal_zlib.IsalError):  # type: ignore[misc]  # the stub does not say that it is one
        raise FileError(3223, "UploadFileFormatNotSupported") from None


def _inflate(archive: zipfile.ZipFile, member: zipfile.ZipInfo, content: bytes) -> bytes:
    """Return a member's text; ISA-L takes a quarter of zlib's time for it."""
    if member.compress_type != zipfile.ZIP_DEFLATED:
        return archive.read(member)
    name_length, extra_length = struct.unpack_from("<2H", content, member.header_offset + 26)
    start = member.header_offset + 30 + name_length + extra_length
    deflated = memoryview(content)[start : start + member.compress_size]
    text = igzip_lib.decompress(deflated, flag=igzip_lib.DECOMP_DEFLATE, bufsize=max(member.file_size, 1))
    if len(text) != member.file_size or zlib.crc32(text) != member.CRC:
        raise zipfile.BadZipFile
    return text


def parse(text: bytes, separator: str) -> Records:
    """Read the records, in the file's order."""
    if not text.startswith(BOM):
        raise FileError(3217, "UploadFileFormatNotSupported")  # "UTF-8 files must include the byte order mark"
    try:
        table = pacsv.read_csv(
            io.BytesIO(text),
            parse_options=pacsv.ParseOptions(delimiter=separator, newlines_in_values=True),
            convert_options=pacsv.ConvertOptions(
                column_types=_text_columns(text, separator), strings_can_be_null=False
            ),
        )
    except (pa.ArrowInvalid, UnicodeDecodeError, StopIteration):
        raise FileError(3217, "UploadFileFormatNotSupported") from None
    if not table.column_names or table.column_names[0] != "Type":
        raise FileError(3217, "UploadFileFormatNotSupported")
    if table.num_rows > MAX_ROWS:
        raise FileError(3225, "UploadFileRowCountExceeded")
    return Records(table)


def check_version(records: Records) -> None:
    """Require the Format Version record first, with the version in its Name column."""
    kinds, names = records.column("Type"), records.column("Name")
    if records.table.num_rows == 0 or kinds[0].as_py() != "Format Version":
        raise FileError(3219)
    if names[0].as_py() != FORMAT_VERSION:
        raise FileError(3217)


def is_hash(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Tell which values are lower-case hexadecimal SHA-256."""
    return pc.match_substring_regex(values, "^[0-9a-f]{64}$")


def raw_hashes(values: pa.ChunkedArray) -> list[bytes]:
    """Return hexadecimal values, each 64 digits long, as raw bytes."""
    packed = b"".join(_unhexed(chunk) for chunk in values.chunks)
    return [packed[start : start + 32] for start in range(0, len(packed), 32)]


def _unhexed(texts: pa.StringArray) -> bytes:
    """Decode all texts at once: in Arrow they lie one after the other."""
    _, offsets, data = texts.buffers()
    if data is None or not len(texts):
        return b""
    bounds = memoryview(offsets).cast("i")
    return binascii.unhexlify(memoryview(data)[bounds[texts.offset] : bounds[texts.offset + len(texts)]])


def _text_columns(text: bytes, separator: str) -> dict[str, pa.DataType]:
    heading = text[len(BOM) : text.index(b"\n") if b"\n" in text else None].decode("utf-8")
    return {name: pa.string() for name in next(csv.reader([heading.rstrip("\r")], delimiter=separator))}
