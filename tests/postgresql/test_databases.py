from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sqlalchemy import URL, Engine, NullPool, create_engine, text

import ci_magics as ci
from ci_magics.errors import SegmentError
from ci_magics.segmentation.segment import build_segment_from_sql
from ci_magics.segmentation.sources.databases import query_database

if TYPE_CHECKING:
    from ci_magics.workspace.store import Workspace

READS = [
    'SELECT "Id" FROM people WHERE "Id" < 3 ORDER BY 1;  -- DELETE FROM people',
    'TABLE people ORDER BY "Id" LIMIT 2',
    "VALUES (1), (2)",
    """SELECT "Id", 'DELETE; DROP' AS x, $$it's;$$ AS y, E'a\\'; DROP' AS z FROM people WHERE "Id" < 3 ORDER BY 1""",
    'SELECT "Id" /* a /* nested */ ; DELETE FROM people */ FROM people WHERE "Id" < 3 ORDER BY 1',
    'WITH p AS (SELECT * FROM people) SELECT "Id", row_number() OVER () FROM p WHERE "Id" < 3 ORDER BY 1',
    'SELECT q."Id" FROM people p, LATERAL (SELECT p."Id") q WHERE p."Id" < 3 ORDER BY 1',
    'SELECT "Id", "delete" FROM (SELECT "Id", 1 AS "delete" FROM people) p WHERE "Id" < 3 ORDER BY 1',
    'SELECT "Id" FROM people WHERE "EMail" LIKE \'%contoso.com\' AND "Id" < 3 ORDER BY 1',
]
WRITES = [
    "DELETE FROM people",
    "WITH x AS (DELETE FROM people RETURNING *) SELECT * FROM x",
    "WITH x AS (INSERT INTO log VALUES (1) RETURNING *) SELECT * FROM x",
    "WITH x AS (UPDATE people SET spend = 0 RETURNING *) SELECT * FROM x",
    "WITH x AS (SELECT 1) INSERT INTO log SELECT 1",
    "SELECT * INTO more FROM people",
    "CREATE TABLE more AS SELECT * FROM people",
    "TRUNCATE people",
    "DROP TABLE people",
    "SELECT logs()",
    "SELECT nextval('numbers')",
    "SELECT setval('numbers', 5)",
    "SELECT * FROM people FOR UPDATE",
    "SELECT * FROM people FOR NO KEY UPDATE",
    "SELECT pg_terminate_backend(1)",
    'SELECT pg_catalog."pg_terminate_backend"(1)',
    'SELECT U&"\\0070g_sleep"(1)',
    "SELECT lo_import('/etc/hostname')",
    "SELECT lo_export(1, 'FOLDER/x')",
    "SELECT lo_create(7)",
    "SELECT lo_unlink(1)",
    "SELECT lo_from_bytea(7, 'x')",
    "SELECT pg_read_binary_file('/etc/hostname')",
    "SELECT pg_catalog . pg_read_file /* ( */ ('/etc/hostname')",
    "SELECT pg_stat_file('/etc/hostname')",
    "SELECT pg_advisory_lock(1)",
    "SELECT pg_notify('x', 'y')",
    "SELECT pg_reload_conf()",
    "SELECT pg_switch_wal()",
    "SELECT pg_logical_emit_message(false, 'a', 'b')",
    "SELECT pg_create_physical_replication_slot('x')",
    "SELECT pg_stat_reset()",
    "SELECT pg_log_standby_snapshot()",
    "SELECT gin_clean_pending_list('people_pkey')",
    "SELECT heap_force_kill('people', ARRAY['(0,1)'::tid])",
    "SELECT run_command_on_workers('DELETE FROM people')",
    "SELECT dblink_connect('x', 'dbname=postgres')",
    "SELECT * INTO TEMP more FROM people",
    "SELECT * FROM people FOR SHARE",
    "SELECT * FROM people FOR KEY SHARE",
    "SELECT 1 -- x\n; DELETE FROM people",
    "MERGE INTO people USING log ON false WHEN NOT MATCHED THEN DO NOTHING",
    "COPY people FROM PROGRAM 'touch FOLDER/x'",
    "PREPARE TRANSACTION 'x'",
    "REINDEX TABLE people",
    "ALTER SYSTEM SET work_mem = 100",
    "LISTEN x",
    "DISCARD ALL",
    "SELECT pg_read_file('/etc/hostname')",
    "SELECT * FROM pg_ls_dir('/')",
    "SELECT dblink_exec('dbname=postgres', 'DELETE FROM people')",
    "SELECT * FROM dblink('dbname=postgres', 'DELETE FROM people RETURNING 1') AS t (a int)",
    "SELECT query_to_xml('DELETE FROM people', true, true, '')",
    "SELECT query_to_xml('SELECT pg_' || 'sleep(1)', true, true, '')",
    "SELECT set_config('transaction_read_only', 'off', true)",
    "SELECT 1; DELETE FROM people",
    "SELECT 1; COMMIT; DELETE FROM people",
    "SELECT 1) AS q; COMMIT; DELETE FROM people; --",
    "SELECT 1 AS a) AS q (c0); COMMIT; DELETE FROM people; SELECT * FROM (SELECT 1",
    "SELECT 1) TO PROGRAM 'touch FOLDER/x' --",
    "COPY people TO PROGRAM 'touch FOLDER/x'",
    "COPY (SELECT 1) TO 'FOLDER/x'",
    "EXPLAIN ANALYZE DELETE FROM people",
    "DO $$ BEGIN DELETE FROM people; END $$",
    "CALL logs()",
    "EXECUTE x",
    "LOCK TABLE people",
    "NOTIFY x",
    "SET ROLE postgres",
    "VACUUM",
]


@pytest.fixture(params=["adbc", "sqlalchemy"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Read through ADBC, or as if its driver were not installed."""
    if request.param == "sqlalchemy":
        monkeypatch.setitem(sys.modules, "adbc_driver_postgresql.dbapi", None)
    return str(request.param)


pytestmark = pytest.mark.usefixtures("way")


def keys(people: Engine, sql: str, **parameters: Any) -> list[int]:
    return list(query_database(people, sql, parameters).table()["Id"].to_pylist())


def test_query_is_read_in_order(people: Engine) -> None:
    rows = query_database(people, 'SELECT "Id", "EMail" FROM people ORDER BY "Id"', {})
    assert rows.table().to_pylist()[0] == {"Id": 1, "EMail": "p1@contoso.com"}
    assert rows.table()["EMail"].to_pylist()[-1] is None
    assert rows.table() == rows.table()


def test_parameters_are_bound(people: Engine) -> None:
    sql = 'SELECT "Id" FROM people WHERE spend > $least AND "EMail" <> $mail ORDER BY "Id"'
    assert keys(people, sql, least=250, mail="p4@contoso.com") == [3, 5]
    assert keys(people, sql, least=np.int64(250), mail="x' OR '1'='1") == [3, 4, 5]


@pytest.mark.parametrize(
    "sql",
    [
        """SELECT "Id" FROM people WHERE '$least' = '$least' AND "Id" = 1""",
        'SELECT "Id" FROM people WHERE "Id" = 1 -- $least',
        'SELECT "Id" FROM people WHERE "Id" = 1 /* $least */',
        """SELECT "Id" FROM people WHERE $$it's $least$$ = $$it's $least$$ AND "Id" = 1""",
        """SELECT "Id"::int AS "Id" FROM people WHERE to_char(at, 'HH24:MI') = '00:00' AND "Id" = 1""",
    ],
)
def test_text_that_looks_like_a_parameter_is_not_one(people: Engine, sql: str) -> None:
    assert keys(people, sql) == [1]


def test_query_cannot_change_data(people: Engine) -> None:
    with pytest.raises(SegmentError):
        query_database(people, 'DELETE FROM people RETURNING "Id"', {})
    with people.connect() as database:
        assert database.execute(text("SELECT count(*) FROM people")).scalar() == 6


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("SELECT * FROM nobody", "42P01"),
        ('SELECT "Emial" FROM people', "42703"),
        ("SELEC 1", "42601"),
        ("""SELECT 'jan@contoso.com'::int AS "Id" """, "22P02"),
    ],
)
def test_error_has_the_code_of_the_database_and_no_data(people: Engine, sql: str, code: str) -> None:
    with pytest.raises(SegmentError) as refused:
        query_database(people, sql, {})
    assert "@" not in str(refused.value)
    assert refused.value.code == code


def test_empty_result_has_its_columns(people: Engine) -> None:
    rows = query_database(people, 'SELECT "Id", "EMail" FROM people WHERE false', {})
    assert rows.table().num_rows == 0
    assert rows.schema.names == ["Id", "EMail"]


HARMFUL = """
CREATE EXTENSION IF NOT EXISTS citext;
CREATE EXTENSION IF NOT EXISTS dblink;
CREATE TABLE log (x int);
CREATE SEQUENCE numbers;
CREATE FUNCTION logs() RETURNS int LANGUAGE sql AS 'INSERT INTO log VALUES (1) RETURNING x'
"""


@pytest.fixture(params=["address", "engine", "committing engine", "psycopg2", "committing psycopg2"])
def source(request: pytest.FixtureRequest, people: Engine) -> Iterator[URL | Engine]:
    """Every kind of database argument, with objects that a query could change; fails if anything changes."""
    with people.begin() as database:
        for statement in HARMFUL.split(";\n"):
            database.exec_driver_sql(statement)
    if request.param == "address":
        yield people.url
    else:
        url = people.url.set(drivername="postgresql+psycopg2") if "psycopg2" in request.param else people.url
        options = {"isolation_level": "AUTOCOMMIT"} if "committing" in request.param else {}
        yield create_engine(url, poolclass=NullPool, **options)
    with people.begin() as database:
        counts = "SELECT (SELECT count(*) FROM people), (SELECT count(*) FROM log), (SELECT is_called FROM numbers)"
        assert database.execute(text(counts)).one() == (6, 0, False)
        assert database.execute(text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")).scalar() == 2
        database.execute(text("DROP FUNCTION logs(); DROP TABLE log; DROP SEQUENCE numbers"))


def test_query_that_does_more_than_select_is_not_run(source: URL | Engine, tmp_path: Path) -> None:
    for sql in WRITES:
        with pytest.raises(SegmentError):
            query_database(source, sql.replace("FOLDER", str(tmp_path)), {}).table()
    assert list(tmp_path.iterdir()) == []


def test_a_select_is_read(source: URL | Engine) -> None:
    for sql in READS:
        assert query_database(source, sql, {}).table().column(0).to_pylist() == [1, 2], sql


def test_every_driver_reads_the_same_values(source: URL | Engine) -> None:
    sql = """SELECT 1001::numeric(10,2) AS id, 'jan@contoso.com'::citext AS email, 10.50::numeric AS n,
        '123e4567-e89b-12d3-a456-426655440000'::uuid AS u, '{"a": 1}'::jsonb AS j, ARRAY[1,2] AS a,
        '10.0.0.1'::inet AS i, 12.5::money AS m, interval '1 day' AS iv, 'infinity'::date AS d, 'x'::bytea AS b,
        0.1::real AS r, int4range(1, 2) AS g, 1e60::numeric AS big, 'ab'::char(5) AS c"""
    made = build_segment_from_sql("S", sql, frames={}, database=source)
    assert made.rows.table().select(["key", "email"]).to_pylist() == [{"key": "1001", "email": "jan@contoso.com"}]
    assert query_database(source, sql, {}).table().to_pylist() == [
        {
            "id": "1001",
            "email": "jan@contoso.com",
            "n": "10.5",
            "u": "123e4567-e89b-12d3-a456-426655440000",
            "j": '{"a": 1}',
            "a": "{1,2}",
            "i": "10.0.0.1/32",
            "m": "$12.50",
            "iv": "1 day",
            "d": None,
            "b": "x",
            "r": "0.1",
            "g": "[1,2)",
            "big": "1" + "0" * 60,
            "c": "ab",
        }
    ]


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT * FROM peple", "no table 'peple'. Did you mean 'people'"),
        ('SELECT "EMial" FROM people', "no column 'EMial'. Did you mean 'EMail'"),
        ("SELECT * FROM elsewhere.people", "no schema 'elsewhere'"),
        ("SELECT no_such(1)", "no function 'no_such'"),
        ("SELECT 1 FORM people x", "position 15"),
    ],
)
def test_error_names_the_mistake(people: Engine, sql: str, words: str) -> None:
    for source in (people, people.url):
        with pytest.raises(SegmentError) as refused:
            query_database(source, sql, {})
        assert words in refused.value.sentence


def test_error_names_the_database_and_the_user(people: Engine) -> None:
    with pytest.raises(SegmentError, match="has no database 'nowhere'"):
        query_database(people.url.set(database="nowhere"), "SELECT 1", {})
    with pytest.raises(SegmentError, match="refused the user or the password"):
        query_database(people.url.set(username="nobody"), "SELECT 1", {})


KEYED = """
CREATE EXTENSION IF NOT EXISTS citext;
CREATE EXTENSION IF NOT EXISTS hstore;
CREATE TYPE grade AS ENUM ('b', 'a');
CREATE DOMAIN code AS varchar(20) CHECK (value <> '');
CREATE DOMAIN mail AS citext;
CREATE TABLE keyed (i int8, n numeric(12, 4), u uuid, d code, c citext, g grade, t text, ch char(6), v numeric,
    mail mail, address citext, fixed char(30), marketing_opt_in bool, tags hstore, grades grade[], pair keyed_pair);
INSERT INTO keyed VALUES
    (1001, 1001.0000, '123e4567-e89b-12d3-a456-426655440000', 'x1', 'K1', 'a', '1001', '1001', 1001,
     'p1@contoso.com', 'p1@contoso.com', 'p1@contoso.com', true, 'a=>1', '{a,b}', ROW(1, 'x')),
    (1002, 1002.5000, '123e4567-e89b-12d3-a456-426655440001', 'x2', 'K2', 'b', '1002', '1002', 1002.50,
     'p2@contoso.com', 'p2@contoso.com', 'p2@contoso.com', false, NULL, NULL, NULL),
    (1003, 1003.0000, '123e4567-e89b-12d3-a456-426655440002', 'x3', 'K3', NULL, '1003', '1003', 1e3,
     'p3@contoso.com', 'p3@contoso.com', 'p3@contoso.com', NULL, '', '{}', ROW(NULL, NULL))
"""
DROPPED = "DROP TABLE keyed; DROP DOMAIN mail; DROP DOMAIN code; DROP TYPE grade; DROP TYPE keyed_pair"
KEYS = {
    "i": ["1001", "1002", "1003"],
    "n": ["1001", "1002.5", "1003"],
    "u": [f"123e4567-e89b-12d3-a456-42665544000{number}" for number in range(3)],
    "d": ["x1", "x2", "x3"],
    "c": ["K1", "K2", "K3"],
    "t": ["1001", "1002", "1003"],
    "ch": ["1001", "1002", "1003"],
    "v": ["1001", "1002.5", "1000"],
}


@pytest.fixture(scope="module")
def keyed(postgresql: Engine) -> Iterator[Engine]:
    """Return a server with a table of keys and addresses of every usual type."""
    with postgresql.begin() as database:
        database.exec_driver_sql("CREATE TYPE keyed_pair AS (a int, b text)")
        for statement in KEYED.split(";\n"):
            database.exec_driver_sql(statement)
    yield postgresql
    with postgresql.begin() as database:
        for statement in DROPPED.split("; "):
            database.exec_driver_sql(statement)


@pytest.mark.parametrize("driver", ["address", "psycopg", "psycopg2"])
def test_keys_and_addresses_of_every_type_are_read_by_every_driver(
    keyed: Engine, driver: str, workspace: Workspace
) -> None:
    url = keyed.url.set(drivername=f"postgresql+{driver}") if driver != "address" else keyed.url
    source = url if driver == "address" else create_engine(url, poolclass=NullPool)
    for number, (key, values) in enumerate(KEYS.items()):
        email = ("mail", "address", "fixed")[number % 3]
        made = build_segment_from_sql(
            "S", "SELECT * FROM keyed ORDER BY i", frames={}, database=source, key=key, email=email
        )
        rows = made.rows.table()
        assert [str(each) for each in rows["key"].to_pylist()] == values, key
        assert rows["email"].to_pylist() == [f"p{each}@contoso.com" for each in (1, 2, 3)], email
    with pytest.raises(SegmentError, match="1 empty"):
        build_segment_from_sql("S", "SELECT * FROM keyed", frames={}, database=source, key="g", email="mail")
    for key in ("i", "n", "u", "c", "ch", "v"):
        sql = f"SELECT {key} AS {key}, address FROM keyed WHERE i < $most"
        found = ci.segment(
            "S", sql, database=source, key=key, email="address", parameters={"most": 1009}, workspace=workspace
        ).consent
        assert (found.consented, found.refused, found.unknown) == (1, 1, 1), key
