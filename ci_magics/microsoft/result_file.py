"""Parse the result file of a bulk upload."""

from __future__ import annotations

import csv
import io
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Literal

from ci_magics.errors import OutcomeUnknownError
from ci_magics.microsoft.faults import symbol, whole
from ci_magics.microsoft.upload_file import item_position

MAX_RESULT_BYTES = 512 * 1024 * 1024
MAX_EXPANDED_BYTES = 4 * 1024 * 1024 * 1024


@dataclass(frozen=True)
class RowError:
    """A rejected record.

    Parameters
    ----------
    about
        ``list`` for the Customer List record, ``item`` for one of its items.
    position
        Position of the item among the uploaded hashes; None if the row does not say.
    code
        Microsoft's number; None if the row has none.
    error_code
        Microsoft's symbolic name.
    """

    about: Literal["list", "item"]
    position: int | None
    code: int | None
    error_code: str


def read_result(archive: BinaryIO) -> Iterator[RowError]:
    """Yield the errors of a result file, zipped or plain, with columns in any order.

    Parameters
    ----------
    archive
        The file, open for reading bytes.

    Raises
    ------
    OutcomeUnknownError
        The file is damaged or expands beyond the size limit.
    """
    try:
        with _open_member(archive) as member:
            yield from _row_errors(member)
    except (zipfile.BadZipFile, zlib.error, UnicodeDecodeError, csv.Error, EOFError, RuntimeError, ValueError, OSError):
        raise _unreadable() from None


def _open_member(archive: BinaryIO) -> BinaryIO:
    if not zipfile.is_zipfile(archive):
        archive.seek(0)
        return archive
    archive.seek(0)
    bundle = zipfile.ZipFile(archive)
    members = [info for info in bundle.infolist() if not info.is_dir()]
    if not members or members[0].file_size > MAX_EXPANDED_BYTES:
        raise _unreadable()
    return bundle.open(members[0])  # type: ignore[return-value]  # ZipExtFile is a binary reader


def _row_errors(member: BinaryIO) -> Iterator[RowError]:
    text = io.TextIOWrapper(member, encoding="utf-8-sig", newline="")
    rows = csv.DictReader(text)
    if "Type" not in (rows.fieldnames or []):
        raise _unreadable()
    for row in rows:
        kind = row.get("Type") or ""
        if kind.endswith(" Error"):
            yield RowError(
                about="item" if kind.startswith("Customer List Item") else "list",
                position=item_position(row.get("Client Id") or ""),
                code=whole(row.get("Error Number")),
                error_code=symbol(row.get("Error")),
            )


def _unreadable() -> OutcomeUnknownError:
    return OutcomeUnknownError(
        "The result file of the upload cannot be read, so it is not known which rows were accepted.",
        "Run the export again: sending the same rows twice does no harm.",
        code="result_unreadable",
    )
