"""Values of text files are exact: keys as written, and numbers only if the whole column is numeric."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ci_magics as ci
from ci_magics.errors import SegmentError
from ci_magics.segmentation.segment import build_segment, build_segment_from_sql
from ci_magics.segmentation.sources.exact import ColumnSurvey, converted
from ci_magics.segmentation.sources.queries import read_columns

HEADER = ("Id", "EMail", "Spend", "Zip", "Code", "Opted", "Since", "Large")
ROWS = (
    ("0012345", "a@contoso.com", "100", "1011", "10E3", "true", "2026-01-31", "9007199254740993"),
    ("12345", "b@contoso.com", "499.6", "1012", "1E4", "FALSE", "2025-01-31", "9007199254740992"),
    ("200000.7", "c@contoso.com", "500.4", "1013", "x", "true", "2026-02-01", "5"),
    ("200000.70", "d@contoso.com", None, None, None, None, None, None),
)
Writer = Callable[[Path, Sequence[Sequence[str | None]]], Path]


def as_csv(folder: Path, rows: Sequence[Sequence[str | None]]) -> Path:
    path = folder / "customers.csv"
    path.write_text("\n".join(",".join(cell or "" for cell in row) for row in (HEADER, *rows)) + "\n")
    return path


def as_tabs(folder: Path, rows: Sequence[Sequence[str | None]]) -> Path:
    path = folder / "customers.txt"
    path.write_bytes("\r\n".join("\t".join(cell or "" for cell in row) for row in (HEADER, *rows)).encode("utf-16"))
    return path


def as_lines(folder: Path, rows: Sequence[Sequence[str | None]]) -> Path:
    path = folder / "customers.jsonl"
    objects = [{name: cell for name, cell in zip(HEADER, row, strict=True) if cell is not None} for row in rows]
    path.write_text("".join(json.dumps(each) + "\n" for each in objects))
    return path


def as_sheet(folder: Path, rows: Sequence[Sequence[str | None]]) -> Path:
    book = openpyxl.Workbook()
    for row in (HEADER, *rows):
        book.worksheets[0].append(list(row))
    book.save(folder / "customers.xlsx")
    return folder / "customers.xlsx"


@pytest.fixture(params=[as_csv, as_tabs, as_lines, as_sheet])
def write(request: pytest.FixtureRequest) -> Writer:
    writer: Writer = request.param
    return writer


def keys(path: Path, where: str | None) -> list[Any]:
    return list(build_segment("S", path, where=where).rows.table()["key"].to_pylist())


def keys_of_sql(sql: str, **given: Any) -> list[Any]:
    return list(build_segment_from_sql("S", sql, frames={}, **given).rows.table()["key"].to_pylist())


FOUND = {
    None: ["0012345", "12345", "200000.7", "200000.70"],
    "Spend > 500": ["200000.7"],
    "Spend = 499.6": ["12345"],
    "Spend = 500": [],
    "Spend > '500'": ["200000.7"],
    "Spend * 2 > 999": ["12345", "200000.7"],
    "Spend IS NULL": ["200000.70"],
    "Id = '0012345'": ["0012345"],
    "Id = '12345'": ["12345"],
    "Id IN ('12345', '200000.70')": ["12345", "200000.70"],
    "Zip = 1011": ["0012345"],
    "Zip = '1011'": ["0012345"],
    "Zip = '01011'": [],
    "Zip LIKE '101%' AND Zip <> '1012'": ["0012345", "200000.7"],
    "Zip BETWEEN 1012 AND 1013": ["12345", "200000.7"],
    "Code = '1E4'": ["12345"],
    "TRY_CAST(Code AS DOUBLE) > 5": ["0012345", "12345"],
    "Opted": ["0012345", "200000.7"],
    "Opted = 'true'": ["0012345", "200000.7"],
    "NOT Opted": ["12345"],
    "Since > DATE '2026-01-01'": ["0012345", "200000.7"],
    "Since >= '2026-01-31'": ["0012345", "200000.7"],
    "Large = 9007199254740993": ["0012345"],
    "Spend > (SELECT avg(Spend) FROM profiles)": ["12345", "200000.7"],
    "COLUMNS('Spen.*') > 499": ["12345", "200000.7"],
}


@pytest.mark.matrix
@pytest.mark.parametrize("where", FOUND)
def test_condition_sees_each_value_exactly(tmp_path: Path, write: Writer, where: str | None) -> None:
    assert keys(write(tmp_path, ROWS), where) == FOUND[where]


@pytest.mark.matrix
@pytest.mark.parametrize("where", [each for each in FOUND if each and "profiles" not in each])
def test_query_sees_the_same_values_as_a_condition(tmp_path: Path, write: Writer, where: str) -> None:
    assert keys_of_sql(f"SELECT * FROM '{write(tmp_path, ROWS)}' WHERE {where}") == FOUND[where]


MISFITS = {
    "Code > 5": "Row 1,502",
    "Code = 5": "Row 1,502",
    "Code IN (4, 5)": "Row 1,502",
    "Code <> 5": "Row 1,502",
    "Code + 1 > 5": "Row 1,502",
    "abs(Code) > 5": "Row 1,502",
    "CAST(Code AS DOUBLE) > 5": "Row 1,502",
    "Code BETWEEN 1 AND 5": "Row 1,502",
}


@pytest.mark.matrix
@pytest.mark.parametrize("where", MISFITS)
def test_numeric_condition_names_the_late_row_that_is_not_a_number(tmp_path: Path, write: Writer, where: str) -> None:
    rows = [(f"c{number}", f"p{number}@contoso.com", "1", "1", "7", "true", None, "1") for number in range(1500)]
    late = ("c1500", "late@contoso.com", "1", "1", "someone@contoso.com", "true", None, "1")
    path = write(tmp_path, [*rows, late, *rows[:1]])
    with pytest.raises(SegmentError, match=r"Row 1,50[12] of .*customers\.\w+.*: Code is not a number") as refused:
        build_segment("S", path, where=where).rows.table()
    assert "@" not in str(refused.value)
    with pytest.raises(SegmentError, match=r"Row 1,50[12] of .*Code is not a number"):
        build_segment_from_sql("S", f"SELECT * FROM '{path}' WHERE {where}", frames={}).rows.table()


@pytest.mark.matrix
@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize(
    ("rule", "count"),
    [
        ("Spend > 500", 1),
        ("Spend equals 499.6", 1),
        ("Id equals 12345", 1),
        ('Id equals "0012345"', 1),
        ("Large equals 9007199254740993", 1),
        ("Opted equals true", 2),
        ("Since > 2026-01-31", 1),
        ("Zip contains 101", 0),
    ],
)
def test_rule_sees_each_value_exactly(tmp_path: Path, write: Writer, rule: str, count: int) -> None:
    path = write(tmp_path, ROWS)
    if not count:
        with pytest.raises(SegmentError, match="is a number"):
            ci.segment("R", path, rule=rule)
        return
    assert ci.segment("R", path, rule=rule).rows == count
    assert ci.inspect_rules(path, rule).counts[0].profiles == count


@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize(
    ("rule", "need"),
    [("Code > 5", "number"), ("EMail within the last 30 days", "date"), ("Code equals true", "true or false")],
)
def test_rule_names_the_row_that_does_not_fit(tmp_path: Path, write: Writer, rule: str, need: str) -> None:
    path = write(tmp_path, ROWS)
    for attempt in (lambda: ci.segment("R", path, rule=rule), lambda: ci.inspect_rules(path, rule)):
        with pytest.raises(SegmentError, match=rf"Row \d.* is not .*{need}") as refused:
            attempt()
        assert "@" not in str(refused.value)


def test_quick_segments_count_exact_values(tmp_path: Path, write: Writer) -> None:
    path = write(tmp_path, ROWS)
    assert [each.text for each in ci.quick_segments(path, "Spend", percentiles=[50])] == [
        "Spend < 499.6",
        "Spend >= 499.6",
    ]
    assert {each.text for each in ci.quick_segments(path, "Id")} >= {'Id equals "0012345"', 'Id equals "12345"'}


def test_column_has_one_type_in_all_files_of_a_pattern(tmp_path: Path) -> None:
    (tmp_path / "a-1.csv").write_text("Id,EMail,Spend\n1,a@contoso.com,7\n")
    (tmp_path / "a-2.csv").write_text("Spend,Id,EMail\n7,01,b@contoso.com\nn/a,2,c@contoso.com\n")
    assert keys(tmp_path / "a-*.csv", "Spend = '7'") == ["1", "01"]
    with pytest.raises(SegmentError, match=r"Row 2 of a-2\.csv \(line 3\): Spend is not a number"):
        build_segment("S", tmp_path / "a-*.csv", where="Spend > 5")


def test_files_with_different_columns_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a-1.csv").write_text("Id,EMail\n1,a@contoso.com\n")
    (tmp_path / "a-2.csv").write_text("Id,Mail\n1,a@contoso.com\n")
    with pytest.raises(SegmentError, match=r"a-1\.csv has a column 'EMail', and a-2\.csv has none"):
        build_segment("S", tmp_path / "a-*.csv")


def test_files_are_joined_by_keys_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    as_csv(tmp_path, ROWS)
    (tmp_path / "other.csv").write_text("Id,Customer\n12345,12345\n77,77\n")
    both = "SELECT a.Id, a.EMail FROM 'customers.csv' a JOIN 'other.csv' b"
    assert keys_of_sql(f"{both} USING (Id)") == ["12345"]
    assert keys_of_sql(f"{both} ON a.Id = b.Customer") == ["12345"]
    assert keys_of_sql(f"{both} ON a.Id = CAST(b.Customer AS VARCHAR)") == ["12345"]
    frame = pl.DataFrame({"Number": [12345, 77]})
    with pytest.raises(SegmentError, match=r"Row 1 of customers\.csv"):
        build_segment_from_sql(
            "S", "SELECT a.Id, EMail FROM 'customers.csv' a, f WHERE a.Id = f.Number", frames={"f": frame}
        )


def test_renamed_key_is_as_written(tmp_path: Path) -> None:
    path = as_csv(tmp_path, [(*row[:2], row[0], *row[3:]) for row in ROWS[2:]])
    assert keys_of_sql(f"SELECT Spend AS CustomerId, EMail FROM '{path}'") == ["200000.7", "200000.70"]
    assert keys_of_sql(f"SELECT Spend, EMail FROM '{path}' WHERE Spend <> '5'", key="Spend") == [
        "200000.7",
        "200000.70",
    ]
    with pytest.raises(SegmentError, match=r"Spend of customers\.csv is text"):
        keys_of_sql(f"SELECT Spend, EMail FROM '{path}' WHERE Spend > 5", key="Spend")


def test_bound_value_is_compared_like_a_literal(tmp_path: Path) -> None:
    sql = f"SELECT * FROM '{as_csv(tmp_path, ROWS)}' WHERE Spend > $least"
    assert keys_of_sql(sql, parameters={"least": 499.7}) == ["200000.7"]
    with pytest.raises(SegmentError, match=r"Row 1 of customers\.csv"):
        keys_of_sql(sql.replace("Spend", "Id").replace(">", "="), parameters={"least": 5})


def test_parquet_columns_keep_their_types(tmp_path: Path) -> None:
    pl.DataFrame({"Id": [7, 8], "EMail": ["a@contoso.com"] * 2, "Spend": [0.1, 0.2]}).write_parquet(
        tmp_path / "a.parquet"
    )
    assert build_segment("S", tmp_path / "a.parquet", where="Spend > 0.15").rows.table()["key"].to_pylist() == [8]
    assert read_columns(tmp_path / "a.parquet", ["Spend"], None).schema.field("Spend").type == pa.float64()


KINDS = {
    ("1", "-2", None): "int64",
    ("9223372036854775808", "1"): "decimal128(38, 0)",
    ("1", "2.50"): "decimal128(3, 2)",
    ("1.5e-07", "2"): "decimal128(9, 8)",
    ("1e+300", "2"): "double",
    ("1" * 39,): "large_string",
    ("007", "8"): "large_string",
    ("10E3",): "large_string",
    ("+31",): "large_string",
    ("1,5",): "large_string",
    ("1.234,50",): "large_string",
    ("\u20ac 5",): "large_string",
    (" 5",): "large_string",
    ("5.",): "large_string",
    ("NA", "1"): "large_string",
    ("inf", "1"): "large_string",
    ("\u0665",): "large_string",
    ("true", "False"): "bool",
    ("yes",): "large_string",
    ("2026-02-28",): "date32[day]",
    ("2026-02-30",): "large_string",
    ("31.01.2026",): "large_string",
    ("2026-01-31", "2026-01-31T10:30"): "timestamp[us]",
    ("2026-01-31 10:30:00.123456789",): "timestamp[ns]",
    ("2026-01-31 10:30:00Z", "2026-01-31T12:30:00+02:00"): "timestamp[us, tz=UTC]",
    ("2026-01-31 10:30:00Z", "2026-01-31 10:30:00"): "large_string",
    (None, None): "null",
}  # fmt: skip


@pytest.mark.parametrize("values", KINDS)
def test_column_type_fits_all_its_values(values: tuple[str | None, ...]) -> None:
    column = pa.array(values, pa.large_string())
    for parts in ([column], [column.slice(place, 1) for place in range(len(column))]):
        survey = ColumnSurvey()
        for part in parts:
            survey.add(part)
        assert str(survey.type()) == KINDS[values]
    assert converted(column, survey.type()).null_count == column.null_count


@settings(deadline=None)
@given(
    st.lists(
        st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**15), max_value=10**15), min_size=1
    )
)
def test_numbers_keep_their_exact_values(numbers: list[Decimal]) -> None:
    column = pa.array([f"{each:f}" for each in numbers], pa.large_string())
    survey = ColumnSurvey()
    survey.add(column)
    assert [Decimal(each) for each in converted(column, survey.type()).to_pylist()] == numbers


@settings(deadline=None)
@given(st.lists(st.text(max_size=6), min_size=1))
def test_distinct_texts_stay_distinct_keys(texts: list[str]) -> None:
    column = pa.array(texts, pa.large_string())
    survey = ColumnSurvey()
    survey.add(column)
    if pa.types.is_int64(survey.type()):
        assert list(map(str, converted(column, survey.type()).to_pylist())) == texts
