"""A sheet of a workbook as text columns, with each cell exactly as in the file.

No type is inferred from the first cells of a column: every cell becomes text, as in CSV. calamine reads sheets fast. If
a sheet holds something that calamine does not report (an error such as #N/A, more digits than a float has, a format
that shows leading zeros), openpyxl reads it.
"""

from __future__ import annotations

import datetime as dt
import html
import posixpath
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pyarrow as pa

from ci_magics.display.numbers import pluralize
from ci_magics.errors import SegmentError, names_somebody, nearest_name, quoted_list
from ci_magics.segmentation.sources.files import refuse

#: What calamine does not report: errors, and whole numbers beyond float precision.
_ERROR = b' t="e"'
_LONG_NUMBER = re.compile(rb"<v>-?[1-9][0-9]{15,}</v>")
_FORMULA = re.compile(rb"<c\b([^>]*)>\s*<f\b[^>]*?(?:/>|>[^<]*</f>)\s*(?:<v\s*/>|<v>\s*</v>)?\s*</c>")
_REFERENCE = re.compile(rb'\br="([A-Z]+[0-9]+)"')
#: A number format for an identifier: at least two zeros, so that the width is fixed, with literal characters before and
#: between the digits. Formats with a unit after the digits or a currency belong to numbers, which stay numbers.
_SIGN = r'(?:"[^"0#;$€£¥]*"|\\[^0#]|[-() ])'
_IDENTIFIER = re.compile(rf"{_SIGN}*#*0(?:0|{_SIGN})*0")
_LITERAL = re.compile(r'"([^"]*)"|\\(.)|([^"\\])')
_FORMAT_CODE = re.compile(rb'formatCode="([^"]*)"')
#: Digits, a separator and digits again, as in telephone numbers.
_PARTED = re.compile(r'[0#]{2,}(?:"[- ]"|\\?[- ])[0#]{2,}')
_PIECE = 1 << 20
_OVERLAP = 1 << 14


@dataclass(frozen=True)
class Sheet:
    """A sheet in memory.

    Parameters
    ----------
    title
        Its name.
    table
        Its columns, all text, without empty rows.
    numbers
        The sheet row of each table row, counted from 1 as in Excel.
    doubts
        Sentences about numbers that Excel shows as identifiers in a format that is not applied here.
    """

    title: str
    table: pa.Table = field(repr=False)
    numbers: pa.Array = field(repr=False)
    doubts: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The columns."""
        return tuple(self.table.schema.names)

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield some columns as text; an empty cell is null."""
        yield from self.table.select(list(columns)).to_batches()


def open_sheet(path: str, sheet: str | None = None) -> Sheet:
    """Read a sheet.

    Parameters
    ----------
    path
        The workbook.
    sheet
        The sheet's name; by default the first visible sheet.

    Raises
    ------
    SegmentError
        The sheet does not exist, the workbook cannot be read, or it has no row of column names.
    """
    calamine = _calamine()
    try:
        book = calamine.load_workbook(path)
        sheets = {each.name: each for each in book.sheets_metadata if each.typ == calamine.SheetTypeEnum.WorkSheet}
        title = _title(path, sheet, sheets, calamine.SheetVisibleEnum.Visible)
        found = book.get_sheet_by_name(title)
        members = _members(path)
        unapplied: dict[int, tuple[str, str]] = {}
        if title in members and _needs_care(path, title, members[title]):
            rows = _by_openpyxl(path, title, unapplied)
        else:
            rows = [list(map(_text, row)) for row in found.to_python(skip_empty_area=False)]
        merged = found.merged_cell_ranges or ()
    except (calamine.CalamineError, zipfile.BadZipFile) as error:
        raise refuse(
            path,
            f"cannot be read as a workbook ({type(error).__name__})",
            "If it has a password, save it without one; if it is damaged, save it again in Excel.",
        ) from None
    return _with_names(path, title, rows, merged, unapplied)


def _calamine() -> Any:
    try:
        import python_calamine
    except ImportError:
        raise SegmentError(
            "Reading Excel needs python-calamine.", "Install it: pip install 'ci-magics[excel]'.", code="no_calamine"
        ) from None
    return python_calamine


def _title(path: str, wanted: str | None, sheets: Mapping[str, Any], visible: Any) -> str:
    """Return the name of the sheet to read: the given one, else the first visible one."""
    if wanted is None:
        return next((name for name, each in sheets.items() if each.visible == visible), next(iter(sheets), ""))
    if wanted in sheets:
        return wanted
    nearest = nearest_name(wanted, list(sheets))
    hint = f" Did you mean '{nearest}'?" if nearest else ""
    raise SegmentError(
        f"The file {Path(path).name} has no sheet '{wanted}'.{hint}",
        f"Its sheets are {quoted_list(sheets)}.",
        code="no_sheet",
    )


def _by_openpyxl(path: str, title: str, unapplied: dict[int, tuple[str, str]]) -> list[list[str | None]]:
    """Return the cells of a sheet as text; add each column's first number with an unapplied format to ``unapplied``."""
    try:
        import openpyxl
    except ImportError:
        raise SegmentError(
            f"Reading the sheet '{title}' exactly needs openpyxl: it holds errors, very long numbers or leading zeros.",
            "Install it: pip install 'ci-magics[excel]'.",
            code="no_openpyxl",
        ) from None
    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    try:
        rows = []
        for row in book[title].iter_rows(min_row=1, min_col=1):
            cells = []
            for place, cell in enumerate(row):
                value = cell.value
                style = cell.number_format if isinstance(value, int | float) else ""
                cells.append(text := _text(value, style))
                if style and text is not None and place not in unapplied and _is_unapplied(value, style):
                    unapplied[place] = (text, style)
            rows.append(cells)
        return rows
    finally:
        book.close()


def _text(value: Any, shown_as: str = "") -> str | None:
    """Convert a cell's value to text as in CSV.

    Parameters
    ----------
    value
        A number, a text, a date, a time, or a Boolean.
    shown_as
        Excel's format for a number.
    """
    if isinstance(value, str) or value is None:
        return value or None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.datetime):
        return value.date().isoformat() if value.time() == dt.time() else value.isoformat(" ")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and value >= 0:
        return _shown(value, shown_as) or str(value)
    return str(value)


def _shown(value: int, style: str) -> str | None:
    """Return a number as Excel shows it in an identifier format; None for any other format.

    Digits without a placeholder precede the first placeholder. A ``#`` is a placeholder for an optional digit. It is
    supported before the zeros only, because elsewhere Excel omits the digit and keeps the characters around it.
    """
    if not _IDENTIFIER.fullmatch(style):
        return None
    signs = [found for found in _LITERAL.findall(style) if found[2] != "#"]
    zeros = sum(sign == "0" for _quoted, _escaped, sign in signs)
    digits = str(value).zfill(zeros)
    more, rest = digits[: len(digits) - zeros], iter(digits[len(digits) - zeros :])
    shown = ""
    for quoted, escaped, sign in signs:
        if sign == "0":
            shown, more = f"{shown}{more}{next(rest)}", ""
        else:
            shown += quoted or escaped or sign
    return shown


def _is_unapplied(value: Any, style: str) -> bool:
    """Return whether Excel shows a number as an identifier in an unsupported format: several groups of digits."""
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()) or value < 0:
        return False
    return _shown(int(value), style) is None and _PARTED.search(style) is not None


_Place = tuple[int, int]


def _with_names(
    path: str,
    title: str,
    rows: Sequence[Sequence[str | None]],
    merged: Sequence[tuple[_Place, _Place]],
    unapplied: Mapping[int, tuple[str, str]],
) -> Sheet:
    """Use the first row that is not empty as column names, and drop empty rows and columns."""
    numbered = [(number, row) for number, row in enumerate(rows, start=1) if any(row)]
    if not numbered:
        raise refuse(path, f"has an empty sheet '{title}'", "Name another sheet: FILE#SHEET.", "empty_file")
    width = max(len(row) for _number, row in numbered)
    cells, *body = [[*row, *[None] * (width - len(row))] for _number, row in numbered]
    names = [(cell or "").strip() for cell in cells]
    if any(map(names_somebody, names)):
        raise refuse(
            path,
            "has an e-mail address where the column names belong",
            "Put a row of column names above the first one, for example EMail.",
            "no_header",
        )
    kept = [place for place, name in enumerate(names) if name or any(row[place] for row in body)]
    header = numbered[0][0] - 1
    for (top, left), (bottom, right) in merged:
        if top <= header <= bottom and any(left < place <= right for place in kept):
            raise refuse(
                path,
                f"has merged cells in row {header + 1} of the sheet '{title}', where the column names belong",
                "Unmerge them in Excel, and name each column in its own cell; delete the rows above the names.",
                "no_header",
            )
    unnamed = [place for place in kept if not names[place]]
    if len(unnamed) > 1:
        raise refuse(
            path,
            f"has {pluralize(len(unnamed), 'column')} with values and without a name in the sheet '{title}'",
            "Are the column names in the first row, each in a cell of one column? Delete the rows above them.",
            "no_header",
        )
    arrays = [pa.array([row[place] for row in body], pa.large_string()) for place in kept]
    table = pa.Table.from_arrays(arrays, names=[names[place] or f"Column {place + 1}" for place in kept])
    doubts = tuple(
        f"{names[place] or f'Column {place + 1}'} of {Path(path).name} has numbers that Excel shows with the format "
        f"{unapplied[place][1]}; they are read without it, such as {unapplied[place][0]}. To read them as shown, "
        "change the cells to text in Excel."
        for place in kept
        if place in unapplied
    )
    return Sheet(title, table, pa.array([number for number, _row in numbered[1:]], pa.int64()), doubts)


def _members(path: str) -> dict[str, str]:
    """Return the archive member of each sheet in an .xlsx or .xlsm workbook; empty for other formats."""
    try:
        with zipfile.ZipFile(path) as archive:
            if "xl/workbook.xml" not in archive.namelist():
                return {}
            book, related = (
                ET.fromstring(archive.read(name))  # noqa: S314 - a workbook of the user's own
                for name in ("xl/workbook.xml", "xl/_rels/workbook.xml.rels")
            )
            targets = {each.get("Id"): each.get("Target", "") for each in related}
            names = set(archive.namelist())
    except (zipfile.BadZipFile, KeyError, ET.ParseError):
        return {}
    found: dict[str, str] = {}
    for each in book.iter():
        if each.tag.endswith("}sheet"):
            target = next((targets.get(value, "") for key, value in each.items() if key.endswith("}id")), "")
            member = target.lstrip("/") if target.startswith("/") else posixpath.normpath(f"xl/{target}")
            found |= {each.get("name", ""): member} if member in names else {}
    return found


def _needs_care(path: str, title: str, member: str) -> bool:
    """Return whether a sheet must be read cell by cell.

    Raises
    ------
    SegmentError
        It holds a formula that was never calculated, so its value is unknown.
    """
    with zipfile.ZipFile(path) as archive:
        styles = archive.read("xl/styles.xml") if "xl/styles.xml" in archive.namelist() else b""
        codes = [html.unescape(each.decode("utf-8", "replace")) for each in _FORMAT_CODE.findall(styles)]
        careful = any(_IDENTIFIER.fullmatch(each) or _PARTED.search(each) for each in codes)
        with archive.open(member) as sheet:
            before = b""
            while piece := sheet.read(_PIECE):
                around = before + piece
                careful = careful or _ERROR in around or _LONG_NUMBER.search(around) is not None
                if b"<f" in around:
                    _require_calculated(path, title, around)
                before = around[-_OVERLAP:]
    return careful


def _require_calculated(path: str, title: str, cells: bytes) -> None:
    for found in _FORMULA.finditer(cells):
        if b't="str"' not in found.group(1):  # an empty text is a value
            reference = _REFERENCE.search(found.group(1))
            cell = reference.group(1).decode() if reference else "a cell"
            raise refuse(
                path,
                f"has a formula that was never calculated in {cell} of the sheet '{title}'",
                "Open it in Excel and save it again.",
                "no_value",
            )
