"""Excel files as frames."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from ci_magics.errors import SegmentError


def is_excel(name: str) -> bool:
    """Tell whether a path names an Excel file, perhaps with a sheet behind a #."""
    return Path(name.partition("#")[0]).suffix.lower() in (".xlsx", ".xls", ".xlsm", ".ods")


def read_excel(name: str) -> pa.Table:
    """Return a sheet of an Excel file: the one named behind a #, else the first.

    Raises
    ------
    SegmentError
        There is no such file or sheet, or it cannot be read.
    """
    path, _, sheet = name.partition("#")
    if not Path(path).is_file():
        raise SegmentError(f"There is no file '{Path(path).name}'.", "Check the path.", code="no_file")
    try:
        import fastexcel
    except ImportError:
        raise SegmentError(
            "Reading Excel needs fastexcel.", "Install it: pip install 'ci-magics[excel]'.", code="no_fastexcel"
        ) from None
    try:
        book = fastexcel.read_excel(path)
    except fastexcel.FastExcelError as error:
        raise SegmentError(
            f"The file {Path(path).name} cannot be read ({type(error).__name__}).",
            "Is it an Excel file, and without a password?",
            code="unreadable_file",
        ) from None
    if sheet and sheet not in book.sheet_names:
        raise SegmentError(
            f"The file {Path(path).name} has no sheet '{sheet}'.",
            f"Its sheets are {', '.join(book.sheet_names)}.",
            code="no_sheet",
        )
    return pa.table(book.load_sheet(sheet or 0).to_arrow())
