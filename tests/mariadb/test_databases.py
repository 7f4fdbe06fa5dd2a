from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, NullPool, create_engine, event

import ci_magics as ci
from ci_magics.errors import SegmentError
from ci_magics.notebook.names import parameters_of
from ci_magics.segmentation.segment import build_segment_from_sql
from ci_magics.segmentation.sources.databases import query_database

#: CLIENT_MULTI_STATEMENTS: lets the driver send several statements at once.
SEVERAL = 65536
TABLES = ("people", "log", "old_log")


@pytest.fixture(params=["address", "engine", "committing engine"])
def database(request: pytest.FixtureRequest, shop: Engine) -> str | Engine:
    """Every kind of database argument; the last one accepts several statements and commits each."""
    if request.param == "address":
        return shop.url.render_as_string(hide_password=False)
    if request.param == "engine":
        return shop
    options = {"isolation_level": "AUTOCOMMIT", "connect_args": {"client_flag": SEVERAL}}
    return create_engine(shop.url, poolclass=NullPool, **options)


def state(shop: Engine) -> list[Any]:
    with shop.connect() as look:
        counts = [look.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar() for table in TABLES]
        tables = [row[0] for row in look.exec_driver_sql("SHOW TABLES")]
        return [*counts, sorted(tables), look.exec_driver_sql("SELECT next_not_cached_value FROM numbers").scalar()]


@pytest.fixture
def unchanged(shop: Engine, tmp_path: Path) -> Iterator[Path]:
    """Return a folder that the server can write to; fails if a file appears in it or a table changes."""
    tmp_path.chmod(0o777)
    before = state(shop)
    yield tmp_path
    assert state(shop) == before
    assert list(tmp_path.iterdir()) == []


def ids(database: str | Engine, sql: str, **values: Any) -> list[Any]:
    return list(query_database(database, sql, values).table()["id"].to_pylist())


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM people",
        "SELECT id FROM people;  ",
        "SELECT id FROM people -- DELETE FROM people",
        "SELECT id FROM people # DROP TABLE people",
        "SELECT id /* ; DELETE FROM people */ FROM people",
        "(SELECT id FROM people WHERE id < 3) UNION ALL SELECT 3",
        "WITH p AS (SELECT * FROM people) SELECT id, row_number() OVER (ORDER BY id) r FROM p",
        "SELECT id, `delete` FROM people WHERE email <> 'INSERT INTO log; DROP' OR email IS NULL",
        'SELECT id, "it\'s" AS email FROM people',
        "SELECT id, 'it\\'s; DELETE FROM people' AS email FROM people",
        "SELECT /*!40000 SQL_NO_CACHE */ id FROM people",
        "SELECT SQL_NO_CACHE id FROM people",
        "SELECT id FROM people WHERE email LIKE '%contoso.com' OR email IS NULL",
        "SELECT one_more(id) - 1 AS id FROM people",
        "SELECT p.id FROM people p JOIN people q USING (id)",
    ],
)
def test_a_select_is_read(database: str | Engine, sql: str) -> None:
    assert ids(database, sql) == [1, 2, 3]


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM people",
        "DELETE FROM people RETURNING id",
        "TRUNCATE people",
        "TRUNCATE TABLE people",
        "DROP TABLE people",
        "INSERT INTO log VALUES (1)",
        "REPLACE INTO people VALUES (1, 'x', 1)",
        "UPDATE people SET email = NULL",
        "CREATE TABLE more (id INT)",
        "CREATE TABLE more AS SELECT * FROM people",
        "ALTER TABLE people ADD x INT",
        "RENAME TABLE log TO more",
        "CALL empties()",
        "DO logs()",
        "EXECUTE IMMEDIATE 'DELETE FROM people'",
        "PREPARE s FROM 'DELETE FROM people'",
        "BEGIN NOT ATOMIC DELETE FROM people; END",
        "EXPLAIN DELETE FROM people",
        "ANALYZE DELETE FROM people",
        "LOAD DATA INFILE '/etc/hostname' INTO TABLE log",
        "LOCK TABLES people WRITE",
        "SET GLOBAL read_only = 1",
        "GRANT ALL ON *.* TO x",
        "COMMIT",
        "SELECT 1 AS id; DELETE FROM people",
        "SELECT 1 AS id; COMMIT; DELETE FROM people",
        "SELECT 1) AS q; DELETE FROM people; -- ",
        "/*! DELETE FROM people */",
        "/*M!100000 DELETE FROM people */",
        "SELECT 1 AS id /*! INTO OUTFILE 'FOLDER/x' */",
        "SELECT 1 AS id /*!; DELETE FROM people */",
        "WITH p AS (SELECT 1) DELETE FROM people",
        "SELECT logs() AS id",
        "SELECT logs_old() AS id",
        "SELECT id FROM people WHERE logs() = 1",
        "SELECT nextval(numbers) AS id",
        "SELECT NEXT VALUE FOR numbers AS id",
        "SELECT setval(numbers, 7) AS id",
        "SELECT * FROM people FOR UPDATE",
        "SELECT * FROM people LOCK IN SHARE MODE",
        "SELECT * INTO OUTFILE 'FOLDER/x' FROM people",
        "SELECT * FROM people INTO OUTFILE 'FOLDER/x'",
        "SELECT 1 AS INTO OUTFILE 'FOLDER/x'",
        "SELECT email INTO DUMPFILE 'FOLDER/x' FROM people LIMIT 1",
        "SELECT 'a' UNION SELECT 'b' INTO OUTFILE 'FOLDER/x'",
        "SELECT id INTO @x FROM people LIMIT 1",
        "SELECT load_file('/etc/hostname') AS email",
        "SELECT LOAD_FILE ('/etc/hostname') AS email",
        "SELECT 1 --1, load_file('/etc/hostname')",
        "SELECT sleep(5) AS id",
        "SELECT benchmark(1000000000, sha2('x', 512)) AS id",
        "SELECT get_lock('x', 1) AS id",
        "SELECT `sleep`(5) AS id",
        "SELECT sleep/**/(5) AS id",
        "SELECT release_all_locks() AS id",
        "SELECT sys_exec('touch FOLDER/x') AS id",
        "SELECT sys_eval('touch FOLDER/x') AS id",
        "SELECT * FROM people FOR SHARE",
        "SELECT * FROM (SELECT 1 AS id) AS x INTO OUTFILE 'FOLDER/x'",
        "VALUES (1) INTO OUTFILE 'FOLDER/x'",
        "TABLE people INTO OUTFILE 'FOLDER/x'",
        "SELECT id FROM people PROCEDURE analyse() INTO OUTFILE 'FOLDER/x'",
        "WITH p AS (SELECT 1 AS id) SELECT id FROM p INTO DUMPFILE 'FOLDER/x'",
        "SELECT id FROM people WHERE id IN (SELECT load_file('/etc/hostname'))",
        "SELECT id FROM people -- \n; DROP TABLE people",
        "SELECT id FROM people -- \nINTO OUTFILE 'FOLDER/x'",
        "HANDLER people OPEN",
        "FLUSH TABLES",
        "KILL 1",
        "INSTALL SONAME 'x'",
        "USE mysql",
        "SHOW TABLES",
        "-- nothing",
    ],
)
def test_query_that_does_more_than_select_is_not_run(database: str | Engine, sql: str, unchanged: Path) -> None:
    with pytest.raises(SegmentError) as refused:
        query_database(database, sql.replace("FOLDER", str(unchanged)), {}).table()
    assert refused.value.next_step


def test_texts_are_parsed_like_in_the_server(shop: Engine) -> None:
    unescaped = create_engine(shop.url, poolclass=NullPool)
    event.listen(unescaped, "connect", lambda raw, _: raw.cursor().execute("SET sql_mode = 'NO_BACKSLASH_ESCAPES'"))
    assert ids(unescaped, "SELECT 'a\\' AS id") == ["a\\"]
    with pytest.raises(SegmentError, match="function load_file"):
        query_database(unescaped, "SELECT '\\', load_file('/etc/hostname'), '' AS id", {})
    quoting = create_engine(shop.url, poolclass=NullPool)
    event.listen(quoting, "connect", lambda raw, _: raw.cursor().execute("SET sql_mode = 'ANSI_QUOTES'"))
    assert ids(quoting, 'SELECT "id" FROM people') == [1, 2, 3]


def test_connections_of_an_engine_are_left_unchanged(shop: Engine) -> None:
    pooled = create_engine(shop.url, pool_size=1, max_overflow=0)
    assert ids(pooled, "SELECT id FROM people WHERE id > $n", n=1) == [2, 3]
    with pooled.begin() as database:
        database.exec_driver_sql("INSERT INTO log VALUES (1)")
        assert database.exec_driver_sql("SELECT @ci_magics_query").scalar() is None
        database.exec_driver_sql("DELETE FROM log")
    pooled.dispose()


def test_parameters_are_bound(database: str | Engine) -> None:
    sql = "SELECT id FROM people WHERE id > $least AND (email <> $mail OR email IS NULL) AND '$x' LIKE '%x' ORDER BY id"
    assert ids(database, sql, least=1, mail="x' OR '1'='1") == [2, 3]
    assert ids(database, "SELECT id FROM people ORDER BY id LIMIT $n", n=2) == [1, 2]


def test_every_type_is_read_by_its_value(shop: Engine) -> None:
    columns = {
        "big": "BIGINT UNSIGNED",
        "amount": "DECIMAL(10,2)",
        "kind": "ENUM('a','b')",
        "kinds": "SET('x','y')",
        "flag": "BIT(1)",
        "bits": "BIT(8)",
        "yr": "YEAR",
        "doc": "JSON",
        "tiny": "TINYINT(1)",
        "day": "DATE",
        "at": "DATETIME",
        "clock": "TIME",
        "raw": "VARBINARY(30)",
        "key_": "UUID",
        "shape": "GEOMETRY",
    }
    uuid = "123e4567-e89b-12d3-a456-426655440000"
    with shop.begin() as database:
        database.exec_driver_sql("SET sql_mode = ''")
        database.exec_driver_sql(
            f"CREATE OR REPLACE TABLE kinds ({', '.join(f'{name} {kind}' for name, kind in columns.items())})"
        )
        database.exec_driver_sql(
            "INSERT INTO kinds VALUES (18446744073709551615, 10.00, 'a', 'x,y', 1, 5, 2020, '{}', 1, '0000-00-00',"
            f" '2026-01-02 03:04:05', '10:00', 'jan@contoso.com', '{uuid}', POINT(1, 1)),"
            " (2, 10.50, 'b', '', 0, 1, 2021, NULL, 0, '2026-01-02', '0000-00-00', NULL, NULL, NULL, NULL)"
        )
    try:
        first, second = query_database(shop, "SELECT * FROM kinds ORDER BY big DESC", {}).table().to_pylist()
        profiles = build_segment_from_sql(
            "S",
            "SELECT amount AS id, raw AS email, kinds.* FROM kinds",
            frames={},
            database=shop,
            email="raw",
            key="id",
        )
        kept = profiles.rows.table().to_pylist()
    finally:
        with shop.begin() as database:
            database.exec_driver_sql("DROP TABLE kinds")
    shape = first.pop("shape")
    assert isinstance(shape, str)
    assert first == {
        "big": 18446744073709551615,
        "amount": "10",
        "kind": "a",
        "kinds": "x,y",
        "flag": True,
        "bits": 5,
        "yr": 2020,
        "doc": "{}",
        "tiny": 1,
        "day": None,
        "at": dt.datetime(2026, 1, 2, 3, 4, 5),  # noqa: DTZ001 - MySQL's has no zone
        "clock": "10:00:00",
        "raw": "jan@contoso.com",
        "key_": uuid,
    }
    assert (second["amount"], second["at"], second["day"]) == ("10.5", None, dt.date(2026, 1, 2))
    assert sorted(str(row["key"]) for row in kept) == ["10", "10.5"]


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT * FROM nobody", "no table 'nobody'"),
        ("SELECT * FROM peoples", "no table 'peoples'. Did you mean 'people'"),
        ("SELECT emial FROM people", "no column 'emial'. Did you mean 'email'"),
        ("SELECT p.emial FROM people p", "no column 'p.emial'. Did you mean 'email'"),
        ("SELECT * FROM elsewhere.people", "no schema 'elsewhere'"),
        ("SELECT no_such(id) FROM people", "no function 'no_such'"),
        ("SELECT id FORM people p WHERE email = 'jan@contoso.com'", "position 16"),
        (
            "SELECT id FROM people p JOIN people q ON p.id = q.id",
            "More than one table of the query has the column",
        ),
        ("SELECT logs() AS id", "only reads"),
    ],
)
def test_error_names_the_mistake(shop: Engine, sql: str, words: str) -> None:
    with pytest.raises(SegmentError) as refused:
        query_database(shop, sql, {}).table()
    assert words in refused.value.sentence
    assert "@" not in str(refused.value)


def test_error_names_the_user_and_the_database(shop: Engine) -> None:
    with pytest.raises(SegmentError, match="refused the user or the password") as refused:
        query_database(shop.url.set(username="nobody", password="hidden"), "SELECT 1", {})
    assert "hidden" not in str(refused.value)
    with pytest.raises(SegmentError, match="has no database 'nowhere'"):
        query_database(shop.url.set(database="nowhere"), "SELECT 1", {})
    with pytest.raises(SegmentError, match=r"No database answers at 127\.0\.0\.1, port 1"):
        query_database("mysql+pymysql://root@127.0.0.1:1/shop", "SELECT 1", {})


@pytest.mark.usefixtures("workspace")
def test_keys_of_every_type_are_read_and_used_to_look_up_consent(database: str | Engine, shop: Engine) -> None:
    keys = {
        "d": ("DECIMAL(12,4)", ["1001.0000", "1002.5000", "1003"], ["1001", "1002.5", "1003"]),
        "b": ("BINARY(16)", ["0123456789abcdef", "abc", "x"], None),
        "h": ("BINARY(16)", [bytes(range(16)), b"\xff" * 16, b"\x00" * 16], None),
        "e": ("ENUM('one','two','three')", ["one", "two", "three"], ["one", "two", "three"]),
        "v": ("VARCHAR(10)", ["001", "1E3", "1003"], ["001", "1E3", "1003"]),
        "u": ("BIGINT UNSIGNED", [18446744073709551615, 2, 3], ["18446744073709551615", "2", "3"]),
    }
    with shop.begin() as server:
        columns = ", ".join(f"{name} {kind}" for name, (kind, *_rest) in keys.items())
        server.exec_driver_sql(f"CREATE OR REPLACE TABLE keyed (n INT, {columns}, email VARCHAR(50), opt_in CHAR(1))")
        for number, answer in enumerate(["Y", "N", None]):
            row = (number, *(values[number] for _kind, values, _ in keys.values()), f"p{number}@contoso.com", answer)
            server.exec_driver_sql(f"INSERT INTO keyed VALUES ({', '.join(['%s'] * len(row))})", row)
    try:
        for name, (_kind, _values, shown) in keys.items():
            made = build_segment_from_sql(
                "S", "SELECT * FROM keyed ORDER BY n", frames={}, database=database, key=name, email="email"
            )
            found = [str(each) for each in made.rows.table()["key"].to_pylist()]
            assert found == (shown or found)
            assert len(set(found)) == 3
            sql = f"SELECT {name}, email FROM `keyed` WHERE n < $most AND email <> 'it\\'s $x'"
            consent = ci.segment(
                "S", sql, database=database, key=name, parameters={"most": 9}, show=lambda _sentence: None
            ).consent
            assert (consent.consented, consent.refused, consent.unknown) == (1, 1, 1), name
    finally:
        with shop.begin() as server:
            server.exec_driver_sql("DROP TABLE keyed")


def test_query_of_a_cell_is_parsed_like_in_the_database(shop: Engine) -> None:
    cell = "SELECT id, `$a` FROM (SELECT id, 1 AS `$a`, 'it\\'s $b' AS t FROM people) p WHERE id < $n # $c"
    assert set(parameters_of(cell, {"n": 3}, database=shop)) == {"n"}
    assert ids(shop, cell, n=3) == [1, 2]
