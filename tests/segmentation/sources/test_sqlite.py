from __future__ import annotations

import datetime as dt
import os
import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, StaticPool, create_engine, event, text

from ci_magics.errors import SegmentError
from ci_magics.segmentation.segment import build_segment_from_sql
from ci_magics.segmentation.sources.database_values import ColumnTypeSurvey, as_text_value, to_array
from ci_magics.segmentation.sources.databases import query_database

PEOPLE = [(1, "p1@contoso.com", 1), (2, "p2@contoso.com", 2), (3, None, 3)]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A SQLite file; fails if its tables or its folder change."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "shop.sqlite"
    database = sqlite3.connect(file)
    database.execute('CREATE TABLE people (id, email, "delete")')
    database.executemany("INSERT INTO people VALUES (?, ?, ?)", PEOPLE)
    database.execute("CREATE TABLE log (x)")
    database.execute("CREATE VIEW known AS SELECT * FROM people")
    database.commit()
    before = file.read_bytes()
    yield file
    database.close()
    assert file.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["shop.sqlite"]


@pytest.fixture(params=["address", "engine"])
def database(request: pytest.FixtureRequest, shop: Path) -> str | Engine:
    address = f"sqlite:///{shop}"
    return address if request.param == "address" else create_engine(address)


def ids(database: str | Engine, sql: str, **values: Any) -> list[Any]:
    return list(query_database(database, sql, values).table()["id"].to_pylist())


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM people",
        "SELECT id FROM people;; -- DELETE FROM people;",
        "SELECT id /* ; DELETE FROM people */ FROM people",
        "SELECT id, 'DELETE FROM people; DROP' AS email, [delete], `delete` AS x, \"delete\" AS y FROM people",
        "WITH p AS (SELECT * FROM people) SELECT id, row_number() OVER (ORDER BY id) AS r FROM p",
        "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < 3) SELECT id FROM n",
        "SELECT * FROM known",
        "SELECT id FROM people WHERE id < 3 UNION ALL SELECT 3",
        "VALUES (1), (2), (3)",
        "SELECT key + 1 AS id FROM json_each('[1, 2, 3]')",
        "SELECT cid + 1 AS id FROM pragma_table_info('people')",
        "SELECT id FROM people WHERE email LIKE '%contoso.com' OR email IS NULL",
    ],
)
def test_a_select_is_read(database: str | Engine, sql: str) -> None:
    assert query_database(database, sql, {}).table().column(0).to_pylist() == [1, 2, 3]


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM people",
        "DELETE FROM people RETURNING id",
        "WITH p AS (SELECT 1) DELETE FROM people",
        "WITH p AS (SELECT 1) INSERT INTO log SELECT 1",
        "WITH p AS (SELECT 1) UPDATE people SET id = 1",
        "WITH p AS (SELECT 1) REPLACE INTO log VALUES (1)",
        "INSERT INTO log VALUES (1)",
        "REPLACE INTO log VALUES (1)",
        "UPDATE people SET email = NULL",
        "DROP TABLE people",
        "CREATE TABLE more (id)",
        "CREATE TEMP TABLE more (id)",
        "CREATE TABLE more AS SELECT * FROM people",
        "ALTER TABLE people ADD x",
        "ATTACH 'more.sqlite' AS more",
        "VACUUM",
        "VACUUM INTO 'more.sqlite'",
        "PRAGMA writable_schema = 1",
        "PRAGMA query_only = 0",
        "PRAGMA journal_mode = wal",
        "SELECT * FROM pragma_query_only(0)",
        "SELECT * FROM pragma_journal_mode('wal')",
        "SELECT * FROM pragma_user_version(7)",
        "SELECT load_extension('more')",
        "SELECT \"load_extension\"('more')",
        "SELECT writefile('more.txt', 'x')",
        "SELECT readfile('/etc/hostname') AS email",
        "SELECT edit('x')",
        "SELECT eval('DELETE FROM people')",
        "SELECT fts3_tokenizer('x', x'00')",
        "SELECT * FROM fsdir('.')",
        "DETACH main",
        "SAVEPOINT x",
        "SELECT id INTO more FROM people",
        "SELECT * FROM people FOR UPDATE",
        "SELECT id FROM people --\n; DROP TABLE people",
        "SELECT id FROM people WHERE id IN (DELETE FROM people RETURNING id)",
        "SELECT 1; DELETE FROM people",
        "SELECT 1; ATTACH 'more.sqlite' AS more",
        "BEGIN",
        "REINDEX",
        "ANALYZE",
        "EXPLAIN DELETE FROM people",
        "/* nothing */",
    ],
)
def test_query_that_does_more_than_select_is_not_run(database: str | Engine, sql: str) -> None:
    with pytest.raises(SegmentError) as refused:
        query_database(database, sql, {}).table()
    assert refused.value.next_step


@pytest.mark.parametrize(
    "address", ["sqlite:///{0}", "sqlite+aiosqlite:///{0}", "sqlite:///file:{0}?mode=rwc&uri=true"]
)
@pytest.mark.parametrize("name", ["shop.sqlit", "nowhere/shop.sqlite", "other.db"])
def test_mistyped_path_creates_no_file(shop: Path, address: str, name: str) -> None:
    path = shop.parent / name
    with pytest.raises(SegmentError, match=f"no database file '{path.name}'") as refused:
        query_database(address.format(path), "SELECT * FROM people", {})
    assert refused.value.code == "no_file"
    with pytest.raises(SegmentError, match="no database file"):
        query_database(create_engine(f"sqlite:///{path}"), "SELECT * FROM people", {})
    assert ("Did you mean 'shop.sqlite'" in str(refused.value)) == (name == "shop.sqlit")


def test_folder_or_file_of_another_kind_is_named(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.raises(SegmentError, match="is a folder"):
        query_database(f"sqlite:///{shop.parent}", "SELECT 1", {})
    other = tmp_path_factory.mktemp("other") / "people.csv"
    other.write_text("id,email\n1,a@contoso.com\n" * 99)
    with pytest.raises(SegmentError, match=r"'people\.csv' is not a complete SQLite database"):
        query_database(f"sqlite:///{other}", "SELECT 1 FROM people", {})


@pytest.mark.parametrize("number", [1, 200_000])
def test_column_of_numbers_and_texts_is_read(tmp_path: Path, number: int) -> None:
    """The first text can be in a late row, and the column can be unused."""
    file = tmp_path / "mixed.sqlite"
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE people (id INTEGER, email TEXT, spend, raw)")
        rows = ((each, f"p{each}@contoso.com", each, b"\xff") for each in range(number))
        database.executemany("INSERT INTO people VALUES (?, ?, ?, ?)", rows)
        database.execute("INSERT INTO people VALUES (-1, 'last@contoso.com', 'a lot', 1.5)")
    made = build_segment_from_sql("S", "SELECT * FROM people", frames={}, database=f"sqlite:///{file}")
    assert made.rows.table().num_rows == number + 1
    assert made.segment.key == "id"
    mixed = build_segment_from_sql("S", "SELECT * FROM people", frames={}, database=f"sqlite:///{file}", key="spend")
    assert mixed.rows.table()["key"].to_pylist()[-1] == "a lot"
    assert mixed.rows.table()["key"].to_pylist()[0] == "0"


def test_text_in_another_encoding_is_read(tmp_path: Path) -> None:
    file = tmp_path / "latin.sqlite"
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE people (id, email, city)")
        database.execute("INSERT INTO people VALUES (1, 'a@contoso.com', CAST(x'5AFC726963' AS TEXT))")
    rows = query_database(f"sqlite:///{file}", "SELECT * FROM people", {}).table().to_pylist()
    assert rows == [{"id": 1, "email": "a@contoso.com", "city": "Z\\xfcric"}]


VALUES = st.one_of(
    st.none(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(),
    st.binary(),
    st.booleans(),
    st.decimals(allow_nan=False, allow_infinity=False, places=2),
    st.dates(),
    st.datetimes(),
)


@given(st.lists(VALUES), st.integers(0, 9))
def test_column_type_holds_all_its_values(values: list[Any], split: int) -> None:
    seen = ColumnTypeSurvey()
    seen.add(values[:split])
    seen.add(values[split:])
    kept = [*to_array(values[:split], seen.kind).to_pylist(), *to_array(values[split:], seen.kind).to_pylist()]
    if pa.types.is_large_string(seen.kind):
        assert kept == [as_text_value(each) for each in values]
    else:
        assert kept == values


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (1, "1"),
        (1.0, "1"),
        (Decimal("1.00"), "1"),
        (Decimal("1E+3"), "1000"),
        (Decimal("10.50"), "10.5"),
        (2**70, str(2**70)),
        (0.5, "0.5"),
        (b"jan", "jan"),
        (b"\xff", "\\xff"),
        ("0012", "0012"),
        ("\ud800", "\\ud800"),
        (dt.date(2026, 1, 2), "2026-01-02"),
        (None, None),
    ],
)
def test_value_is_converted_to_text(value: Any, words: str | None) -> None:
    assert as_text_value(value) == words


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT * FROM nobody", "no table 'nobody'"),
        ("SELECT * FROM peple", "no table 'peple'. Did you mean 'people'"),
        ("SELECT emial FROM people", "no column 'emial'. Did you mean 'email'"),
        ("SELECT p.emial FROM people p", "no column 'p.emial'. Did you mean 'email'"),
        ("SELECT no_such(id) FROM people", "no function 'no_such'"),
        ("SELECT id FORM people p WHERE email = 'jan@contoso.com'", "position 16"),
        ("SELEC 1", "does not understand the query at position 1"),
        ("SELECT id FROM people p JOIN people q ON p.id = q.id", "More than one table"),
        ("SELECT * FROM people WHERE id = $least", "no value for $least"),
        ("SELECT * FROM people WHERE id = :least", "has no value"),
    ],
)
def test_error_names_the_mistake(database: str | Engine, sql: str, words: str) -> None:
    with pytest.raises(SegmentError) as refused:
        query_database(database, sql, {})
    assert words in refused.value.sentence
    assert "@" not in str(refused.value)


def test_parameters_are_bound(database: str | Engine) -> None:
    assert ids(database, "SELECT id FROM people WHERE id > $n AND '$x' = '$x' -- $y", n=1) == [2, 3]
    assert ids(database, "SELECT $day AS id", day=dt.date(2026, 1, 2)) == ["2026-01-02"]
    with pytest.raises(SegmentError, match="one that the database does not accept"):
        ids(database, "SELECT $n AS id", n=[1])


def test_in_memory_engine_is_read_and_left_unchanged() -> None:
    engine = create_engine("sqlite://")
    event.listen(engine, "connect", lambda raw, _: raw.create_function("double", 1, lambda value: 2 * value))
    with engine.begin() as database:
        database.execute(text("CREATE TABLE people (id, email)"))
        database.execute(text("INSERT INTO people VALUES (1, 'a@contoso.com'), (2, 'b@contoso.com')"))
    assert ids(engine, "SELECT double(id) AS id FROM people") == [2, 4]
    for sql in ("DELETE FROM people", "WITH x AS (SELECT 1) DELETE FROM people", "SELECT 1; DROP TABLE people"):
        with pytest.raises(SegmentError):
            query_database(engine, sql, {})
    with engine.connect() as database:
        database.execute(text("INSERT INTO people VALUES (3, NULL)"))
        assert ids(engine, "SELECT id FROM people") == [1, 2, 3]
        database.commit()
    with engine.begin() as database:
        assert database.execute(text("DELETE FROM people")).rowcount == 3


def test_uncommitted_changes_are_not_lost() -> None:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    with engine.connect() as database:
        database.execute(text("CREATE TABLE people (id, email)"))
        database.execute(text("INSERT INTO people VALUES (1, 'a@contoso.com')"))
        assert ids(engine, "SELECT id FROM people") == [1]
        database.commit()
    assert ids(engine, "SELECT id FROM people") == [1]


def test_file_with_an_open_write_transaction_is_read_as_committed(tmp_path: Path) -> None:
    file = tmp_path / "shop.sqlite"
    writer = sqlite3.connect(file, isolation_level=None)
    writer.execute("PRAGMA journal_mode = wal")
    writer.execute("CREATE TABLE people (id, email)")
    writer.execute("INSERT INTO people VALUES (1, 'a@contoso.com')")
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("DELETE FROM people")
    assert ids(f"sqlite:///{file}", "SELECT * FROM people") == [1]
    writer.close()


def test_relative_path_starts_in_the_current_folder(shop: Path) -> None:
    assert Path.cwd() == shop.parent
    assert ids(f"sqlite:///{os.path.relpath(shop)}", "SELECT id FROM people") == [1, 2, 3]
