"""What the Bulk service answers about an uploaded file."""

from __future__ import annotations

import csv
import io
import zipfile
from dataclasses import dataclass, field

from ci_magics.emulator.codes import error_code

MAX_FILE_BYTES = 100_000_000
FORMAT_VERSION = "6.0"
BOM = b"\xef\xbb\xbf"
_COLUMNS = ("Type", "Status", "Id", "Parent Id", "Client Id", "Name", "Audience", "Error", "Error Number")


class FileError(Exception):
    """The whole file is refused: with a code, and the status that the upload ends in."""

    def __init__(self, code: int, status: str = "Failed") -> None:
        super().__init__(code)
        self.code = code
        self.status = status


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


def write_result(answer: Answer, *, reverse_columns: bool = False) -> bytes:
    """Return the zipped result file."""
    columns = [*_COLUMNS]
    if reverse_columns:
        columns.reverse()
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="", extrasaction="ignore")
    writer.writeheader()
    writer.writerow({"Type": "Format Version", "Name": FORMAT_VERSION})
    writer.writerows(answer.rows)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as bundle:
        bundle.writestr("result.csv", BOM + text.getvalue().encode())
    return archive.getvalue()
