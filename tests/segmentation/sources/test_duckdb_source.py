from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
from sqlalchemy import create_engine

import ci_magics as ci
from ci_magics.activation.segments.make_segment import segment
from ci_magics.errors import SegmentError
from ci_magics.segmentation.segment import build_segment, build_segment_from_sql
from ci_magics.segmentation.sources.databases import query_database
from ci_magics.workspace.store import open_workspace

TABLES = """
CREATE TYPE kind AS ENUM ('a', 'b');
CREATE TABLE people (id INTEGER, email VARCHAR, "delete" INTEGER, big HUGEINT, key_ UUID, kind kind, many INTEGER[]);
INSERT INTO people SELECT range + 1, 'p' || (range + 1) || '@contoso.com', range, 2::HUGEINT ** 100, uuid(), 'a', [1]
FROM range(3);
CREATE SEQUENCE numbers;
CREATE VIEW known AS SELECT id, email FROM people;
CREATE MACRO older(least) AS TABLE SELECT * FROM people WHERE id >= least
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A DuckDB file; fails if its tables or its folder change."""
    folder = tmp_path / "shop"
    folder.mkdir()
    monkeypatch.chdir(folder)
    path = folder / "shop.duckdb"
    with duckdb.connect(str(path)) as database:
        database.execute(TABLES)
    (folder / "secret.csv").write_text("id,email\n9,secret@contoso.com\n")
    yield path
    with duckdb.connect(str(path)) as database:
        assert database.sql("SELECT count(*), sum(id) FROM people").fetchall() == [(3, 6)]
        assert len(database.sql("SHOW TABLES").fetchall()) == 2
        assert database.sql("SELECT last_value FROM duckdb_sequences()").fetchall() == [(None,)]
    assert sorted(each.name for each in folder.iterdir()) == ["secret.csv", "shop.duckdb"]


@pytest.fixture(params=["address", "connection", "open file"])
def database(request: pytest.FixtureRequest, file: Path) -> Iterator[Any]:
    """A file by its address, the user's own connection to it, or the address while the user has it open."""
    if request.param == "address":
        yield f"duckdb:///{file}"
        return
    with duckdb.connect(str(file)) as connection:
        yield connection if request.param == "connection" else f"duckdb:///{file}"


@pytest.mark.matrix
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM people",
        "FROM people SELECT id",
        "FROM people",
        "TABLE people",
        "VALUES (1), (2), (3)",
        "SELECT id FROM people; -- DELETE FROM people",
        "SELECT id, 'DELETE FROM people; COPY' AS email, \"delete\" FROM people",
        "WITH p AS (SELECT * FROM people) SELECT id, row_number() OVER (ORDER BY id) r FROM p",
        "SELECT id FROM people WHERE id < 3 UNION ALL SELECT 3",
        "FROM known",
        "FROM older(1)",
        "SELECT range + 1 AS id FROM range(3)",
        "SELECT p.id FROM people p, LATERAL (SELECT p.id) q",
        "SELECT unnest([1, 2, 3]) AS id",
        "SELECT id FROM (PIVOT people ON kind IN ('a', 'b') USING count(*)) ORDER BY id",
        "SELECT id FROM main.people",
        "SELECT id FROM people WHERE id >= $least",
    ],
)
def test_a_select_is_read(database: Any, sql: str) -> None:
    assert query_database(database, sql, {"least": 1}).table().column(0).to_pylist() == [1, 2, 3]


@pytest.mark.matrix
@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM people",
        "DELETE FROM people RETURNING id",
        "WITH gone AS (DELETE FROM people RETURNING *) SELECT * FROM gone",
        "WITH new AS (INSERT INTO people (id) VALUES (4) RETURNING *) SELECT * FROM new",
        "WITH new AS MATERIALIZED (UPDATE people SET id = 1 RETURNING id) SELECT * FROM people",
        "WITH out AS (COPY people TO 'more.csv') SELECT * FROM people",
        "WITH out AS (COPY (SELECT * FROM people) TO 'secret.csv') SELECT * FROM out",
        "WITH out AS (COPY people TO 'more.csv'), p AS (FROM (PIVOT people ON kind USING count(*))) FROM p",
        "SELECT id FROM people WHERE id IN (WITH out AS (COPY people TO 'more.csv') SELECT 1 FROM out)",
        "INSERT INTO people (id) VALUES (4)",
        "UPDATE people SET email = NULL",
        "MERGE INTO people USING known ON people.id = known.id WHEN MATCHED THEN DELETE",
        "TRUNCATE people",
        "DROP TABLE people",
        "CREATE TABLE more (id INTEGER)",
        "CREATE TABLE more AS SELECT * FROM people",
        "COPY people TO 'more.csv'",
        "COPY (SELECT * FROM people) TO 'more.parquet' (FORMAT parquet)",
        "COPY FROM DATABASE shop TO shop",
        "EXPORT DATABASE 'more'",
        "IMPORT DATABASE 'more'",
        "ATTACH 'more.duckdb'",
        "DETACH shop",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET threads = 1",
        "SET VARIABLE x = 1",
        "PRAGMA database_list",
        "CALL pragma_version()",
        "CHECKPOINT",
        "VACUUM",
        "BEGIN",
        "EXECUTE x",
        "EXPLAIN ANALYZE DELETE FROM people",
        "SELECT 1; DELETE FROM people",
        "SELECT nextval('numbers') AS id",
        "SELECT * FROM read_text('secret.csv')",
        "SELECT * FROM read_csv('secret.csv')",
        "SELECT * FROM read_blob('/etc/hostname')",
        "FROM 'secret.csv'",
        'SELECT * FROM "secret.csv"',
        "SELECT * FROM glob('*')",
        "FROM query_table('secret.csv')",
        "FROM query_table(['secret.csv'])",
        "FROM (SUMMARIZE 'secret.csv')",
        "FROM (DESCRIBE FROM 'secret.csv')",
        "FROM people POSITIONAL JOIN 'secret.csv'",
        "FROM 'file:secret.csv'",
        "SELECT list_transform([1], x -> (SELECT count(*) FROM read_text('secret.csv'))) AS id",
        "SELECT setval('numbers', 7) AS id",
        "SELECT * FROM sniff_csv('secret.csv')",
        "SELECT * FROM parquet_metadata('secret.csv')",
        "SELECT id FROM people WHERE (SELECT count(*) FROM read_text('/etc/hostname')) > 0",
        "SELECT * FROM query('SELECT * FROM read_text(''secret.csv'')')",
        "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT * FROM read_text(''secret.csv'')'))",
        "SELECT * FROM enable_profiling(save_location = 'more.json')",
        "SELECT * FROM enable_logging(storage = 'file', storage_path = 'more')",
        "SELECT * FROM 'https://example.com/people.csv'",
        "SELECT getenv('HOME') AS email",
        "",
        "-- nothing",
    ],
)
def test_query_that_does_more_than_select_is_not_run(database: Any, sql: str) -> None:
    with pytest.raises(SegmentError) as refused:
        query_database(database, sql, {}).table()
    assert refused.value.next_step
    assert "@" not in str(refused.value)


def test_duckdb_engine_reads_and_refuses_like_an_address(file: Path) -> None:
    engine = create_engine(f"duckdb:///{file}")
    for sql in ("SELECT id FROM people", "SELECT id FROM people WHERE id < $most", "FROM older(1) SELECT id"):
        assert query_database(engine, sql, {"most": 4}).table()["id"].to_pylist() == [1, 2, 3]
    for sql in (
        "DELETE FROM people",
        "WITH out AS (COPY people TO 'more.csv') SELECT * FROM people",
        "SELECT * FROM read_text('secret.csv')",
        "SELECT nextval('numbers') AS id",
        "SELECT 1; DROP TABLE people",
    ):
        with pytest.raises(SegmentError):
            query_database(engine, sql, {}).table()
    made = build_segment_from_sql("S", "FROM people", frames={}, database=engine, key="key_")
    assert len(set(made.rows.table()["key"].to_pylist())) == 3
    engine.dispose()
    for address in (f"duckdb+duckdb_engine:///{file}", f"duckdb:///{file}?access_mode=read_only"):
        assert query_database(address, "SELECT id FROM people", {}).table().num_rows == 3


def test_pivot_over_all_values_is_a_select(file: Path) -> None:
    names = query_database(f"duckdb:///{file}", "PIVOT people ON kind USING count(*)", {}).schema.names
    assert names[-1] == "a"
    with duckdb.connect(str(file)) as own, pytest.raises(SegmentError, match="cannot tell all"):
        query_database(own, "PIVOT people ON kind USING count(*)", {})


def test_connection_sees_its_temporary_tables_and_frames(file: Path) -> None:
    with duckdb.connect(str(file)) as own:
        own.execute("CREATE TEMP TABLE mine AS SELECT 7 AS id")
        own.register("hers", pd.DataFrame({"id": [8]}))
        for table, number in (("mine", 7), ("hers", 8)):
            assert query_database(own, f"FROM {table}", {}).table()["id"].to_pylist() == [number]
        own.execute("BEGIN")
        own.execute("UPDATE mine SET id = 9")
        assert query_database(own, "FROM mine", {}).table()["id"].to_pylist() == [9]
        own.execute("ROLLBACK")
        assert own.sql("FROM mine").fetchall() == [(7,)]
        assert own.sql("SELECT current_setting('enable_external_access')").fetchall() == [(True,)]


def test_mistyped_path_creates_no_file(file: Path) -> None:
    with pytest.raises(SegmentError, match=r"no database file 'shop\.duckd'\. Did you mean 'shop\.duckdb'"):
        query_database(f"duckdb:///{file.parent / 'shop.duckd'}", "FROM people", {})
    with pytest.raises(SegmentError, match=r"'secret\.csv' cannot be opened as a DuckDB database"):
        query_database(f"duckdb:///{file.parent / 'secret.csv'}", "FROM people", {})


def test_file_locked_by_another_program_is_named(file: Path) -> None:
    code = f"import duckdb, sys; c = duckdb.connect({str(file)!r}); print('open', flush=True); sys.stdin.read()"
    writer = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"open\n"
        with pytest.raises(SegmentError, match="Another program has the DuckDB file") as refused:
            query_database(f"duckdb:///{file}", "FROM people", {})
        assert refused.value.code == "database_locked"
    finally:
        writer.communicate(b"")


@pytest.mark.parametrize("name", ["main.duckdb", "it's.duckdb", 'a "b" c.db', "temp.db", "select.db", "people.db"])
def test_database_file_can_have_any_name(tmp_path: Path, name: str) -> None:
    with duckdb.connect(str(tmp_path / name)) as database:
        database.execute("CREATE TABLE people AS SELECT 1 AS id, 'a@contoso.com' AS email")
    assert query_database(f"duckdb:///{tmp_path / name}", "FROM people", {}).table()["id"].to_pylist() == [1]


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT * FROM nobody", "there is no table 'nobody'"),
        ("SELECT * FROM peple", "there is no table 'peple'. Did you mean 'people'"),
        ("SELECT emial FROM people", "no column 'emial'. Did you mean 'email'"),
        ("SELECT no_such(id) FROM people", "there is no function 'no_such'"),
        ("SELECT email::INT FROM people", "a value of the column email is not of type INT32"),
        ("SELECT id FORM people GROUP", "syntax error"),
    ],
)
def test_error_names_the_mistake(database: Any, sql: str, words: str) -> None:
    with pytest.raises(SegmentError) as refused:
        query_database(database, sql, {}).table()
    assert words in refused.value.sentence
    assert "@" not in str(refused.value)


def test_segment_of_a_file_is_dynamic_and_segment_of_a_connection_is_not(file: Path) -> None:
    made = build_segment_from_sql("S", "SELECT * FROM people", frames={}, database=f"duckdb:///{file}", key="key_")
    assert len(set(made.rows.table()["key"].to_pylist())) == 3
    workspace = open_workspace()
    segment("From a file", "SELECT id, email FROM people", database=f"duckdb:///{file}", workspace=workspace)
    assert ci.segments.refresh("From a file").rows == 3
    with duckdb.connect(str(file)) as own:
        segment("From hers", "SELECT id, email FROM people", database=own, workspace=workspace)
    with pytest.raises(SegmentError, match="it reads a connection of a notebook"):
        ci.segments.refresh("From hers")


def test_condition_on_a_relation_cannot_change_data(file: Path) -> None:
    with duckdb.connect(str(file)) as own:
        relation = own.table("people")
        for where in (
            "id > 0); DELETE FROM people; --",
            "id IN (DELETE FROM people RETURNING id)",
            "1 = 1; DROP TABLE t",
        ):
            with pytest.raises(SegmentError):
                build_segment("S", relation, where=where).rows.table()
        assert build_segment("S", relation, where="id > 1").rows.table().num_rows == 2
