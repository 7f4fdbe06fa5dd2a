"""The result file of the Bulk service."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ci_magics.emulation.codes import error_code

MAX_FILE_BYTES = 100_000_000
FORMAT_VERSION = "6.0"
BOM = b"\xef\xbb\xbf"
_COLUMNS = ("Type", "Status", "Id", "Parent Id", "Client Id", "Name", "Audience", "Error", "Error Number")
_BLOCK = 20_000


class FileError(Exception):
    """The whole file is rejected, with an error code and the final status of the upload."""

    def __init__(self, code: int | None, status: str = "Failed") -> None:
        super().__init__(code)
        self.code = code
        self.status = status


@dataclass
class Answer:
    """The rows of a result file; many rows with the same error stay an Arrow table until they are written."""

    rows: list[dict[str, str]] = field(default_factory=list)
    tables: list[tuple[str, int | str, Any]] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether any row was rejected."""
        return bool(self.tables) or any(row["Type"].endswith(" Error") for row in self.rows)

    def error(self, record: str, code: int | str, **columns: str) -> None:
        """Add an error row: its Type is the record's plus " Error".

        Parameters
        ----------
        record
            The record's Type.
        code
            The error code.
        **columns
            The row's other columns.
        """
        self.rows.append(_error(record, code) | columns)

    def errors(self, record: str, code: int | str, table: Any) -> None:
        """Add the same error for many rows.

        Parameters
        ----------
        record
            The records' Type.
        code
            The error code.
        table
            The columns to repeat for each row.
        """
        if table.num_rows:
            self.tables.append((record, code, table))

    def success(self, record: str, **columns: str) -> None:
        """Add the row of a success.

        Parameters
        ----------
        record
            The record's Type.
        **columns
            The row's other columns.
        """
        self.rows.append({"Type": record, **columns})

    def every_row(self) -> Iterator[dict[str, str]]:
        """Yield all rows, lists before their items."""
        yield from self.rows
        for record, code, table in self.tables:
            error = _error(record, code)
            for batch in table.to_batches(max_chunksize=_BLOCK):
                yield from (row | error for row in batch.to_pylist())


def write_result(answer: Answer, *, errors_only: bool, reordered: bool = False) -> bytes:
    """Return the zipped result file.

    Parameters
    ----------
    answer
        The rows.
    errors_only
        Whether to leave out successes.
    reordered
        Whether to reverse the columns.
    """
    columns = [*_COLUMNS]
    if reordered:
        columns.reverse()
    archive = io.BytesIO()
    with (
        zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as bundle,
        bundle.open("result.csv", "w") as member,
        io.TextIOWrapper(member, encoding="utf-8-sig", newline="") as text,
    ):
        writer = csv.DictWriter(text, columns, restval="", extrasaction="ignore")
        writer.writeheader()
        writer.writerow({"Type": "Format Version", "Name": FORMAT_VERSION})
        writer.writerows(row for row in answer.every_row() if not errors_only or row["Type"].endswith(" Error"))
    return archive.getvalue()


def _error(record: str, code: int | str) -> dict[str, str]:
    return {"Type": f"{record} Error", "Error": error_code(code), "Error Number": str(code)}
