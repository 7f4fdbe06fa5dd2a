"""Parse an upload file in the bulk file format.

Pages "Bulk file schema", "Format Version Record", "Customer List Record" and "Customer List Item Record".
"""

from __future__ import annotations

import binascii
import csv
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from ci_magics.emulation import hashes
from ci_magics.emulation.advertising.result_file import BOM, FORMAT_VERSION, FileError
from ci_magics.emulation.hashes import Hashes

MAX_ROWS = 4_000_000

Mask = npt.NDArray[np.bool_]

#: The columns that are read; a file can have others, which are ignored ("unknown columns may be omitted").
_USED = (
    "Type",
    "Status",
    "Id",
    "Parent Id",
    "Client Id",
    "Name",
    "Description",
    "Scope",
    "Audience",
    "Action Type",
    "Accept Customer Match Term",
    "Membership Duration",
    "Sub Type",
    "Text",
)


@dataclass
class Records:
    """The records of a file as Arrow columns; missing columns read as empty text."""

    table: pa.Table

    def column(self, name: str) -> pa.ChunkedArray:
        """Return a column."""
        if name in self.table.column_names:
            return self.table[name]
        return pa.chunked_array([pa.repeat("", self.table.num_rows)])

    def equal(self, name: str, text: str) -> Mask:
        """Return for each row whether a column equals a text.

        Parameters
        ----------
        name
            The column.
        text
            The text.
        """
        equal: Mask = pc.equal(self.column(name), text).to_numpy().astype(np.bool_)
        return equal

    def part(self, positions: npt.NDArray[np.intp]) -> Records:
        """Return some of the rows; contiguous rows are not copied."""
        first, count = (int(positions[0]), len(positions)) if len(positions) else (0, 0)
        if not count or int(positions[-1]) - first + 1 == count:
            return Records(self.table.slice(first, count))
        return Records(self.table.take(positions))

    def rows(self, positions: npt.NDArray[np.intp]) -> list[dict[str, str]]:
        """Return some of the rows, each as column name to text."""
        return self.part(positions).table.to_pylist()  # type: ignore[no-any-return]  # pyarrow has no types

    def columns(self, *names: str) -> pa.Table:
        """Return the columns with these names that the file has."""
        return self.table.select([name for name in names if name in self.table.column_names])


def parse(text: bytes, separator: str) -> Records:
    """Parse the records, in the file's order.

    Parameters
    ----------
    text
        The file, with a byte order mark.
    separator
        The column separator.

    Raises
    ------
    FileError
        The format is not supported, or the file has too many rows.
    """
    if not text.startswith(BOM):
        raise FileError(3217, "UploadFileFormatNotSupported")  # "UTF-8 files must include the byte order mark"
    try:
        heading = _heading(text, separator)
        table = pacsv.read_csv(
            pa.BufferReader(text),
            parse_options=pacsv.ParseOptions(delimiter=separator, newlines_in_values=True),
            convert_options=pacsv.ConvertOptions(
                column_types={name: pa.string() for name in heading},
                include_columns=[name for name in _USED if name in heading],
                strings_can_be_null=False,
            ),
        )
    except (pa.ArrowInvalid, UnicodeDecodeError, StopIteration, csv.Error):
        raise FileError(3217, "UploadFileFormatNotSupported") from None
    if table.num_rows > MAX_ROWS:
        raise FileError(3225, "UploadFileRowCountExceeded")
    return Records(table)


def check_version(records: Records) -> None:
    """Require a Format Version record first, with the version in its Name column."""
    kinds, names = records.column("Type"), records.column("Name")
    if records.table.num_rows == 0 or kinds[0].as_py() != "Format Version":
        raise FileError(3219)
    if names[0].as_py() != FORMAT_VERSION:
        raise FileError(3217)


def is_hash(values: pa.ChunkedArray) -> Mask:
    """Return for each value whether it is a SHA-256 in lower-case hexadecimal."""
    matches: Mask = pc.match_substring_regex(values, r"\A[0-9a-f]{64}\z").to_numpy().astype(np.bool_)
    return matches


def unhexed(values: pa.ChunkedArray) -> Hashes:
    """Decode hexadecimal values of 64 digits each to bytes."""
    return hashes.of_bytes(b"".join(_unhexed(chunk) for chunk in values.chunks))


def _unhexed(texts: pa.StringArray) -> bytes:
    """Decode all texts at once: Arrow stores them contiguously."""
    _, offsets, data = texts.buffers()
    if data is None or not len(texts):
        return b""
    bounds = memoryview(offsets).cast("i")
    return binascii.unhexlify(memoryview(data)[bounds[texts.offset] : bounds[texts.offset + len(texts)]])


def _heading(text: bytes, separator: str) -> list[str]:
    """Return the column names: Type first, no duplicates."""
    line = text[len(BOM) : text.index(b"\n") if b"\n" in text else None].decode("utf-8")
    heading = next(csv.reader([line.rstrip("\r")], delimiter=separator))
    if heading[:1] != ["Type"] or len(set(heading)) != len(heading):
        raise FileError(3217, "UploadFileFormatNotSupported")
    return heading
