"""Two columns with one name are refused from every source; one is never taken for the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from ci_magics.errors import SegmentError
from ci_magics.segmentation.segment import build_segment, build_segment_from_sql

MAILS = ("first@contoso.com", "second@contoso.com")
PAIRS = (("EMail", "EMail"), ("EMail", "email"), ("EMail", " EMail"), ("E-Mail", "EMAIL"))


def arrow(names: Sequence[str]) -> pa.Table:
    return pa.table([["1"], [MAILS[0]], [MAILS[1]]], names=["Id", *names])


def query_of(names: Sequence[str]) -> str:
    columns = ", ".join(f"'{mail}' AS \"{name}\"" for mail, name in zip(MAILS, names, strict=True))
    return f"SELECT '1' AS Id, {columns}"


def as_csv(names: Sequence[str], folder: Path) -> Path:
    (folder / "people.csv").write_text(f"Id,{','.join(names)}\n1,{','.join(MAILS)}\n")
    return folder / "people.csv"


def as_lines(names: Sequence[str], folder: Path) -> Path:
    cells = ", ".join(f'"{name}": "{mail}"' for name, mail in zip(names, MAILS, strict=True))
    (folder / "people.jsonl").write_text(f'{{"Id": "1", {cells}}}\n')
    return folder / "people.jsonl"


def as_sheet(names: Sequence[str], folder: Path) -> Path:
    book = openpyxl.Workbook()
    book.worksheets[0].append(["Id", *names])
    book.worksheets[0].append(["1", *MAILS])
    book.save(folder / "people.xlsx")
    return folder / "people.xlsx"


def as_parquet(names: Sequence[str], folder: Path) -> Path:
    pq.write_table(arrow(names), folder / "people.parquet")
    return folder / "people.parquet"


SOURCES: dict[str, Callable[[Sequence[str], Path], Any]] = {
    "pandas": lambda names, _: pd.DataFrame([["1", *MAILS]], columns=["Id", *names]),
    "polars": lambda names, _: pl.DataFrame(dict(zip(["Id", *names], ["1", *MAILS], strict=True))),
    "lazy": lambda names, _: pl.LazyFrame(dict(zip(["Id", *names], ["1", *MAILS], strict=True))),
    "arrow": lambda names, _: arrow(names),
    "batch": lambda names, _: arrow(names).to_batches()[0],
    "dataset": lambda names, _: ds.dataset(arrow(names)),
    "relation": lambda names, _: duckdb.sql(query_of(names)),
    "csv": as_csv,
    "ndjson": as_lines,
    "excel": as_sheet,
    "parquet": as_parquet,
}
DATABASES = {"query over frames": None, "SQLite": "sqlite://", "DuckDB": "duckdb:///"}


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("names", PAIRS, ids=str)
def test_duplicate_column_names_are_refused(names: tuple[str, str], kind: str, tmp_path: Path) -> None:
    if kind in ("polars", "lazy") and names[0] == names[1]:
        return  # impossible in Polars
    for where in (None, "Id = '1'"):
        with pytest.raises(SegmentError) as refused:
            build_segment("S", SOURCES[kind](names, tmp_path), where=where)
        assert refused.value.code in ("repeated_column", "several_email_columns", "irregular_row")
        assert refused.value.next_step
        assert "@" not in str(refused.value)


@pytest.mark.parametrize("kind", DATABASES)
@pytest.mark.parametrize("names", PAIRS, ids=str)
def test_query_with_duplicate_column_names_is_refused(names: tuple[str, str], kind: str) -> None:
    with pytest.raises(SegmentError) as refused:
        build_segment_from_sql("S", query_of(names), frames={}, database=DATABASES[kind])
    assert refused.value.code in ("repeated_column", "several_email_columns")
    assert "@" not in str(refused.value)


@pytest.mark.matrix
@pytest.mark.parametrize("kind", [*SOURCES, *DATABASES])
@pytest.mark.parametrize("names", PAIRS[1:], ids=str)
@pytest.mark.parametrize("wanted", [0, 1])
def test_named_column_is_read_or_refused_and_never_confused(
    names: tuple[str, str], wanted: int, kind: str, tmp_path: Path
) -> None:
    for where in (None, "Id = '1'"):
        try:
            if kind in SOURCES:
                made = build_segment("S", SOURCES[kind](names, tmp_path), email=names[wanted], where=where)
            else:
                sql = query_of(names)
                made = build_segment_from_sql("S", sql, frames={}, database=DATABASES[kind], email=names[wanted])
        except SegmentError as error:
            assert error.code in ("repeated_column", "no_column")  # noqa: PT017 - a refusal is one of two answers
        else:
            assert made.rows.table()["email"].to_pylist() == [MAILS[wanted]]
