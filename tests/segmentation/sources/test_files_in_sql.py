from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from sqlalchemy import create_engine, text

import ci_magics as ci
from ci_magics.errors import SegmentError
from ci_magics.segmentation.segment import build_segment, build_segment_from_sql

PEOPLE = pl.DataFrame(
    {"Id": [1, 2, 3], "EMail": ["a@contoso.com", "b@contoso.com", "c@contoso.com"], "Spend": [10.0, 20.0, 30.0]}
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    PEOPLE[:2].write_parquet(tmp_path / "it's-0.parquet")
    PEOPLE[2:].write_parquet(tmp_path / "it's-1.parquet")
    PEOPLE.write_csv(tmp_path / "people.csv")
    PEOPLE.to_pandas().to_excel(tmp_path / "people.xlsx", sheet_name="Two", index=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def keys(sql: str) -> list[int]:
    return [
        int(key) for key in build_segment_from_sql("S", sql, frames={"people": PEOPLE}).rows.table()["key"].to_pylist()
    ]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("file", ["it''s-*.parquet", "people.csv", "people.xlsx", "people.xlsx#Two"])
def test_query_reads_the_files_it_names(file: str) -> None:
    assert keys(f"SELECT * FROM '{file}' WHERE Spend > 15 ORDER BY Id") == [2, 3]
    assert keys(f"SELECT people.* FROM people JOIN '{file}' AS other USING (Id) WHERE other.Spend < 15") == [1]


def test_query_cannot_read_a_file_through_a_function(folder: Path) -> None:
    for call in ("read_csv('people.csv')", f"read_text('{folder}/people.csv')", "glob('*')"):
        with pytest.raises(SegmentError):
            keys(f"SELECT 1 AS Id, 'x' AS EMail FROM people, {call}")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("where", [None, "Spend > 15"])
def test_excel_sheet_is_a_source(where: str | None) -> None:
    assert build_segment("S", "people.xlsx", where=where).rows.table().num_rows == (3 if where is None else 2)


@pytest.mark.usefixtures("folder")
def test_missing_sheet_or_file_is_named() -> None:
    with pytest.raises(SegmentError, match=r"no sheet 'Three'.*Two"):
        build_segment("S", "people.xlsx#Three")
    with pytest.raises(SegmentError, match=r"no file 'nobody\.xlsx'"):
        build_segment("S", "nobody.xlsx")
    Path("bad.xlsx").write_bytes(b"a@contoso.com")
    with pytest.raises(SegmentError, match=r"bad\.xlsx cannot be read") as refused:
        build_segment("S", "bad.xlsx")
    assert "@" not in str(refused.value)


@pytest.mark.usefixtures("workspace")
def test_earlier_segment_is_a_table_of_its_keys() -> None:
    ci.segment("Big spenders", PEOPLE, where="Spend > 15")
    sql = 'SELECT p.* FROM people p WHERE Id NOT IN (SELECT Id FROM "Big spenders")'
    assert ci.segment("Others", sql, frames={"people": PEOPLE}).rows == 1


@pytest.mark.usefixtures("workspace")
def test_sqlite_database_is_a_source(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'shop.sqlite'}")
    with engine.begin() as database:
        database.execute(text("CREATE TABLE people (Id INTEGER, EMail TEXT)"))
        database.execute(text("INSERT INTO people VALUES (1, 'a@contoso.com'), (2, 'b@contoso.com'), (3, NULL)"))
    made = ci.segment("All", "SELECT * FROM people WHERE Id > $least", database=engine, parameters={"least": 1})
    assert (made.rows, made.key) == (2, "Id")
    with pytest.raises(SegmentError):
        ci.segment("All", "DROP TABLE people", database=engine)
    with pytest.raises(SegmentError, match="address of the database"):
        ci.segment("All", "SELECT 1", database="nosuch://host/name")
