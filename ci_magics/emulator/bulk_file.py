"""The bulk file format: what an upload file says, and what the result file answers.

Pages "Bulk file schema", "Format Version Record", "Customer List Record" and "Customer List Item Record".
"""

from __future__ import annotations

import csv
import io
import zipfile
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from ci_magics.emulator.codes import error_code

MAX_ROWS = 4_000_000
MAX_FILE_BYTES = 100_000_000
MAX_EXPANDED_BYTES = 2_000_000_000
FORMAT_VERSION = "6.0"
_BOM = b"\xef\xbb\xbf"
_RESULT_COLUMNS = ("Type", "Status", "Id", "Parent Id", "Client Id", "Name", "Audience", "Error", "Error Number")


class FileError(Exception):
    """The whole file is refused: with a code, and the status that the upload ends in."""

    def __init__(self, code: int, status: str = "Failed") -> None:
        super().__init__(code)
        self.code = code
        self.status = status


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


@dataclass
class Answer:
    """The rows of a result file."""

    rows: list[dict[str, str]] = field(default_factory=list)
    failed: int = 0

    def error(self, record: str, code: int, **columns: str) -> None:
        """Add an error row: its Type is the record's with " Error"."""
        self.failed += 1
        self.rows.append({"Type": f"{record} Error", "Error": error_code(code), "Error Number": str(code), **columns})

    def success(self, record: str, **columns: str) -> None:
        """Add the row of something that worked."""
        self.rows.append({"Type": record, **columns})


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
            return archive.read(member), "\t" if member.filename.lower().endswith(".tsv") else ","
    except (zipfile.BadZipFile, OSError, EOFError):
        raise FileError(3223, "UploadFileFormatNotSupported") from None


def parse(text: bytes, separator: str) -> Records:
    """Read the records, in the file's order."""
    if not text.startswith(_BOM):
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


def write_result(answer: Answer, *, reverse_columns: bool = False) -> bytes:
    """Return the zipped result file."""
    columns = [*_RESULT_COLUMNS]
    if reverse_columns:
        columns.reverse()
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="", extrasaction="ignore")
    writer.writeheader()
    writer.writerow({"Type": "Format Version", "Name": FORMAT_VERSION})
    writer.writerows(answer.rows)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as bundle:
        bundle.writestr("result.csv", _BOM + text.getvalue().encode())
    return archive.getvalue()


def is_hash(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Tell which values are lower-case hexadecimal SHA-256."""
    return pc.match_substring_regex(values, "^[0-9a-f]{64}$")


def raw_hashes(values: pa.ChunkedArray) -> list[bytes]:
    """Return hexadecimal values as raw bytes."""
    packed = bytes.fromhex("".join(values.to_pylist()))
    return [packed[start : start + 32] for start in range(0, len(packed), 32)]


def _text_columns(text: bytes, separator: str) -> dict[str, pa.DataType]:
    heading = text[len(_BOM) : text.index(b"\n") if b"\n" in text else None].decode("utf-8")
    return {name: pa.string() for name in next(csv.reader([heading.rstrip("\r")], delimiter=separator))}
