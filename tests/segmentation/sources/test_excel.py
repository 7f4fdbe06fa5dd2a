"""Values of sheets: merged cells, formulas, dates, percentages, errors, hidden rows, other sheets."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from ci_magics.errors import SegmentError
from ci_magics.segmentation.segment import build_segment
from ci_magics.segmentation.sources.excel import open_sheet
from ci_magics.segmentation.sources.streams import text_of

NAMES = ("Id", "EMail", "V")
MAIL = "a@contoso.com"
Change = Callable[[Any, Any], object]


def write_workbook(folder: Path, rows: Sequence[Sequence[Any]], change: Change | None = None) -> str:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.title = "People"
    for row in rows:
        sheet.append(list(row))
    if change:
        change(book, sheet)
    path = folder / "people.xlsx"
    book.save(path)
    return str(path)


def body(*values: Any, key: Any = "1") -> list[tuple[Any, ...]]:
    return [NAMES, *((key, MAIL, value) for value in values)]


def cell_format(cell: str, style: str) -> Change:
    return lambda _book, sheet: setattr(sheet[cell], "number_format", style)


def column_format(style: str) -> Change:
    def change(_book: Any, sheet: Any) -> None:
        for row in range(2, sheet.max_row + 1):
            sheet[f"C{row}"].number_format = style

    return change


def with_errors(_book: Any, sheet: Any) -> None:
    for number, value in enumerate(("#N/A", "#DIV/0!", "#REF!", "#NAME?"), start=2):
        sheet.append(("1", MAIL, None))
        sheet[f"C{number}"].value, sheet[f"C{number}"].data_type = value, "e"


def hide_rows_and_columns(_book: Any, sheet: Any) -> None:
    sheet.row_dimensions[3].hidden = True
    sheet.column_dimensions["C"].hidden = True
    sheet.auto_filter.ref = "A1:C4"


VALUES: dict[str, tuple[list[tuple[Any, ...]], Change | None, list[str | None]]] = {
    "dates": (
        body(dt.date(2026, 1, 31), dt.datetime(2026, 1, 31, 14, 30), dt.time(14, 30)),  # noqa: DTZ001 - Excel has no zones
        None,
        ["2026-01-31", "2026-01-31 14:30:00", "14:30:00"],
    ),
    "dates as text": (body("31.01.2026", "2026-01-31"), None, ["31.01.2026", "2026-01-31"]),
    "percentages": (body(0.5, 0.125), cell_format("C2", "0%"), ["0.5", "0.125"]),
    "amounts": (body(12.5), cell_format("C2", "#,##0.00 €"), ["12.5"]),
    "whole numbers": (body(1001.0, 1001, 10**15, -5), None, ["1001", "1001", "1000000000000000", "-5"]),
    "numbers shown with zeros": (body(7, 8), cell_format("C2", "00000"), ["00007", "8"]),
    "numbers shown in parts": (body(123456, 42, 1234567), column_format("000-000"), ["123-456", "000-042", "1234-567"]),
    "numbers shown in escaped parts": (body(123456), column_format("000\\-000"), ["123-456"]),
    "numbers shown after letters": (body(7), column_format('"NL "0000'), ["NL 0007"]),
    "telephone numbers": (body(2025550123), column_format("(000) 000-0000"), ["(202) 555-0123"]),
    "numbers of optional digits": (body(12345, 1234567), column_format("##00-000"), ["12-345", "1234-567"]),
    "negative numbers, parts of numbers, units and amounts": (
        body(-123456, 1.5, 5, 5, 5, 5),
        lambda _book, sheet: [
            setattr(sheet[f"C{row}"], "number_format", style)
            for row, style in enumerate(("000-000", "000-000", '0 "kg"', '00" kg"', "$00", '"€ "00'), start=2)
        ],
        ["-123456", "1.5", "5", "5", "5", "5"],
    ),
    "numbers as text": (body("0012", "1E4", "12.0", "007"), None, ["0012", "1E4", "12.0", "007"]),
    "truths": (body(True, False), None, ["true", "false"]),
    "errors": ([NAMES], with_errors, ["#N/A", "#DIV/0!", "#REF!", "#NAME?"]),
    "an apostrophe and a line end": (body("'x", "x\ny"), None, ["'x", "x\ny"]),
    "hidden rows and columns": (body("x", "y", "z"), hide_rows_and_columns, ["x", "y", "z"]),
    "merged cells below the header": (
        body("x", None),
        lambda _book, sheet: sheet.merge_cells("C2:C3"),
        ["x", None],
    ),
    "rows and columns without anything": (
        [(), (None, *NAMES), (), (None, "1", MAIL, "x"), (None,), (None, "2", MAIL, "y")],
        None,
        ["x", "y"],
    ),
    "a merged name over a column without anything": (
        body("x"),
        lambda _book, sheet: sheet.merge_cells("C1:D1"),
        ["x"],
    ),
    "a header alone": ([NAMES], None, []),
}


@pytest.mark.parametrize("kind", VALUES)
def test_cell_is_read_as_it_would_be_in_csv(tmp_path: Path, kind: str) -> None:
    rows, change, values = VALUES[kind]
    sheet = open_sheet(write_workbook(tmp_path, rows, change))
    assert sheet.names == NAMES
    assert sheet.table["V"].to_pylist() == values


def merge(place: str) -> Change:
    return lambda _book, sheet: sheet.merge_cells(place)


REFUSED: dict[str, tuple[list[tuple[Any, ...]], Change | None, str]] = {
    "a merged title": (
        [("Customers", None, None), *body("x")],
        merge("A1:C1"),
        "has merged cells in row 1 of the sheet 'People', where the column names belong",
    ),
    "a merged name": ([("Id", "Contact", None), ("1", MAIL, "x")], merge("B1:C1"), "has merged cells in row 1"),
    "merged names in two rows": (
        [("Contact", None, "V"), ("Id", "EMail", None), ("1", MAIL, 1)],
        merge("A1:B1"),
        "has merged cells in row 1",
    ),
    "a title": ([("Customers",), *body("x")], None, "has 2 columns with values and without a name"),
    "no header": ([("1", MAIL), ("2", MAIL)], None, "an e-mail address where the column names belong"),
    "a formula that was never calculated": (body("x", "=1+1"), None, "a formula that was never calculated in C3"),
    "a text formula likewise": (body('=IF(1,"a","b")'), None, "a formula that was never calculated in C2"),
    "an empty sheet": ([], None, "has an empty sheet 'People'"),
    "two names alike": ([("Id", "EMail", "EMail "), ("1", MAIL, MAIL)], None, "Two columns of the file are named"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_ambiguous_sheet_is_refused_with_the_reason(tmp_path: Path, kind: str) -> None:
    rows, change, reason = REFUSED[kind]
    with pytest.raises(SegmentError) as refused:
        build_segment("S", write_workbook(tmp_path, rows, change))
    assert reason in refused.value.sentence
    assert refused.value.next_step
    assert "@" not in str(refused.value)


def test_first_visible_sheet_is_read_and_others_by_name(tmp_path: Path) -> None:
    def more(book: Any, _sheet: Any) -> None:
        book.create_sheet("Hidden", 0).append(["Bad"])
        book.worksheets[0].sheet_state = "hidden"
        book.create_sheet("Very hidden", 0).sheet_state = "veryHidden"
        book.create_chartsheet("Chart", 0)
        for row in body("o", key="9"):
            book["Orders" if "Orders" in book.sheetnames else book.create_sheet("Orders").title].append(row)

    path = write_workbook(tmp_path, body("x"), more)
    assert open_sheet(path).title == "People"
    assert open_sheet(path, "Orders").table["Id"].to_pylist() == ["9"]
    assert open_sheet(path, "Hidden").names == ("Bad",)
    for name, hint in (("orders", "Did you mean 'Orders'?"), ("Chart", "has no sheet 'Chart'")):
        with pytest.raises(SegmentError, match=r"has no sheet") as refused:
            build_segment("S", f"{path}#{name}")
        assert hint in refused.value.sentence


@pytest.mark.parametrize("style", ["[<=9999999]000-0000;(000) 000-0000", "000-000;-000-000", "##-##", "00##-000"])
def test_unsupported_number_format_is_reported(tmp_path: Path, style: str) -> None:
    path = write_workbook(tmp_path, body(5, 1234567), column_format(style))
    sheet = open_sheet(path)
    assert sheet.table["V"].to_pylist() == ["5", "1234567"]
    (doubt,) = sheet.doubts
    assert doubt.startswith(f"V of people.xlsx has numbers that Excel shows with the format {style}; they are read")
    text = text_of(path)
    assert text is not None
    assert text.notices == [doubt]


def test_row_numbers_match_excel(tmp_path: Path) -> None:
    path = write_workbook(tmp_path, [NAMES, (), ("1", MAIL, 1), ("2", MAIL, "n/a")])
    with pytest.raises(SegmentError, match=r"Row 4 of the sheet People in people\.xlsx: V is not a number"):
        build_segment("S", path, where="V > 0")
