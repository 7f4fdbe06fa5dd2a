"""No query, condition, rule or column can write, wait, or read another file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl
import pyarrow.dataset as ds
import pytest

import ci_magics as ci
from ci_magics.activation.refreshes.refresh import refresh
from ci_magics.cli import main
from ci_magics.errors import CiError
from ci_magics.segmentation.segment import build_segment, build_segment_from_sql

if TYPE_CHECKING:
    from ci_magics.workspace.store import Workspace

PEOPLE = pl.DataFrame({"Id": [1, 2, 3], "EMail": [f"p{number}@contoso.com" for number in range(3)], "Spend": [1, 2, 3]})
TABLES = "CREATE TABLE people AS SELECT 1 AS Id, 'a@contoso.com' AS EMail; CREATE TABLE log (x INTEGER)"
#: Queries over frames, files, and SQLite and DuckDB files.
QUERIES = (
    "DELETE FROM people",
    "DELETE FROM people RETURNING *",
    "INSERT INTO log VALUES (1)",
    "UPDATE people SET Id = 2",
    "DROP TABLE people",
    "TRUNCATE people",
    "ALTER TABLE people ADD x INTEGER",
    "CREATE TABLE more AS SELECT * FROM people",
    "CREATE VIEW more AS SELECT * FROM people",
    "COPY people TO 'more.csv'",
    "COPY people FROM 'people.csv'",
    "EXPORT DATABASE 'more'",
    "ATTACH 'more.db' AS more",
    "INSTALL httpfs",
    "LOAD httpfs",
    "PRAGMA writable_schema = 1",
    "SET VARIABLE x = 1",
    "CALL force_checkpoint()",
    "VACUUM INTO 'more.db'",
    "EXPLAIN ANALYZE DELETE FROM people",
    "BEGIN; DELETE FROM people; COMMIT",
    "SELECT * FROM people; DELETE FROM people",
    "SELECT * FROM people --\n; DELETE FROM people",
    "SELECT * FROM people /* */; /* */ DROP TABLE people /* */",
    "WITH x AS (DELETE FROM people RETURNING *) SELECT * FROM x",
    "WITH x AS (INSERT INTO log VALUES (1) RETURNING *) SELECT * FROM people",
    "WITH x AS (COPY (SELECT 1 AS a) TO 'more.csv') SELECT * FROM people",
    "WITH x AS (COPY (SELECT 1 AS a) TO 'people.csv') SELECT Id, EMail FROM 'people.csv'",
    "WITH x AS (COPY (SELECT 1 AS a) TO 'people.parquet') SELECT Id, EMail FROM 'people.parquet'",
    "WITH x AS (SELECT 1) DELETE FROM people",
    "SELECT * INTO more FROM people",
    "SELECT * FROM people FOR UPDATE",
    "SELECT 1 AS Id, content AS EMail FROM read_text('/etc/hostname')",
    "SELECT Id, EMail FROM people, read_csv('secret.csv')",
    "SELECT Id, EMail FROM query_table('secret.csv')",
    "SELECT Id, (SELECT content FROM read_text('secret.csv')) AS EMail FROM people",
    "SELECT Id, readfile('secret.csv') AS EMail FROM people",
    "SELECT Id, writefile('more.csv', 'x') AS EMail FROM people",
    "SELECT Id, load_extension('more') AS EMail FROM people",
    "SELECT Id, getenv('HOME') AS EMail FROM people",
    "SELECT Id, sleep(9) AS EMail FROM people",
    "SELECT Id, EMail FROM 'https://example.com/people.csv'",
)
#: Conditions with parts of queries that could close the surrounding parentheses, or read something else.
CONDITIONS = (
    "1 = 1; DELETE FROM people",
    "1 = 1); DROP TABLE people; --",
    "1 = 1) UNION ALL SELECT * FROM read_csv('secret.csv') --",
    "Id IN (DELETE FROM people RETURNING Id)",
    "Id IN (SELECT Id FROM read_csv('secret.csv'))",
    "Id IN (SELECT Id FROM 'secret.csv')",
    "Id IN (WITH x AS (COPY (SELECT 1) TO 'more.csv') SELECT 1 FROM x)",
    "Id IN (WITH x AS (COPY (SELECT 1) TO 'people.parquet') SELECT 1 FROM x)",
    "(SELECT count(*) FROM glob('*')) > 0",
    "(SELECT content FROM read_text('/etc/hostname')) <> ''",
    "getenv('HOME') <> ''",
    "COPY people TO 'more.csv'",
    "SELECT 1",
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a folder of sources; fails if a file changes or appears."""
    folder = tmp_path / "sources"
    folder.mkdir()
    monkeypatch.chdir(folder)
    PEOPLE.write_csv(folder / "people.csv")
    PEOPLE.write_parquet(folder / "people.parquet")
    (folder / "secret.csv").write_text("Id,EMail\n1,secret@contoso.com\n")
    with duckdb.connect(str(folder / "shop.duckdb")) as database:
        database.execute(TABLES)
    with sqlite3.connect(folder / "shop.sqlite") as shop:
        shop.executescript(TABLES)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    yield folder
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def refused(attempt: Callable[[], Any]) -> None:
    with pytest.raises(CiError) as caught:
        attempt()
    assert caught.value.next_step
    assert "secret@" not in str(caught.value)


@pytest.mark.parametrize("database", [None, "duckdb:///shop.duckdb", "sqlite:///shop.sqlite"])
def test_query_only_reads(database: str | None) -> None:
    frames = {} if database else {"people": PEOPLE, "log": PEOPLE}
    for sql in QUERIES:
        refused(lambda: build_segment_from_sql("S", sql, frames=frames, database=database).rows.table())  # noqa: B023


def test_query_of_a_connection_only_reads() -> None:
    with duckdb.connect("shop.duckdb") as own:
        for sql in QUERIES:
            refused(lambda: build_segment_from_sql("S", sql, frames={}, database=own).rows.table())  # noqa: B023
        assert own.sql("SELECT count(*) FROM people").fetchall() == [(1,)]
        assert own.sql("SELECT count(*) FROM log").fetchall() == [(0,)]


SOURCES: dict[str, Callable[[], Any]] = {
    "csv": lambda: "people.csv",
    "parquet": lambda: "people.parquet",
    "frame": lambda: PEOPLE,
    "pandas": PEOPLE.to_pandas,
    "lazy": lambda: pl.scan_csv("people.csv"),
    "dataset": lambda: ds.dataset("people.parquet"),
    "relation": lambda: duckdb.sql("FROM 'people.parquet'"),
}


@pytest.mark.parametrize("source", SOURCES)
def test_condition_only_reads(source: str) -> None:
    for where in CONDITIONS:
        refused(lambda: build_segment("S", SOURCES[source](), where=where).rows.table())  # noqa: B023


@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize("source", ["csv", "frame"])
def test_rules_and_columns_are_never_run_as_sql(source: str) -> None:
    frame = SOURCES[source]()
    for text in (*CONDITIONS, *QUERIES[:9]):
        refused(lambda: ci.segment("S", frame, rule=text))  # noqa: B023
        refused(lambda: ci.inspect_rules(frame, text))  # noqa: B023
        refused(lambda: ci.quick_segments(frame, text))  # noqa: B023
        refused(lambda: build_segment("S", frame, email=text))  # noqa: B023
        refused(lambda: build_segment("S", frame, key=text))  # noqa: B023
    made = ci.segment("S", frame, rule="""Id > 0 and EMail does not equal "x'; DROP TABLE people; --\"""")
    assert made.rows == 3


@pytest.mark.usefixtures("workspace")
def test_changed_definition_is_not_run(workspace: Workspace) -> None:
    """A user with write access to the workspace must not make a scheduler write to a database."""
    ci.segment("Of files", "SELECT * FROM 'people.csv'")
    ci.segment("Of a database", "SELECT * FROM people", database="duckdb:///shop.duckdb")
    ci.segment("Filtered", "people.parquet", where="Id > 0")
    changes = {"Of files": "source", "Of a database": "source", "Filtered": "where"}
    chosen = {"source": (QUERIES[0], QUERIES[22], QUERIES[26], QUERIES[28]), "where": CONDITIONS[1:5]}
    for number in range(4):
        for name, field in changes.items():
            record = workspace.segments[name]
            source = {**record.definition["source"], field: chosen[field][number]}
            definition = {**record.definition, "source": source}
            workspace.segments.put(replace(record, definition=definition))
        report = refresh(show=lambda _sentence: None)
        assert {each["status"] for each in report.segments} == {"Failed"}
        assert len(report.segments) == 3
    assert main(["refresh"]) == 1
