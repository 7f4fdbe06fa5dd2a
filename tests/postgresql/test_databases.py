from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, text

from ci_magics.errors import SegmentError
from ci_magics.segmentation.sources.databases import query_database


@pytest.fixture(params=["adbc", "sqlalchemy"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Read through ADBC, or as where its driver is not installed."""
    if request.param == "sqlalchemy":
        monkeypatch.setitem(sys.modules, "adbc_driver_postgresql.dbapi", None)
    return str(request.param)


pytestmark = pytest.mark.usefixtures("way")


def keys(people: Engine, sql: str, **parameters: Any) -> list[int]:
    return list(query_database(people, sql, parameters).table()["Id"].to_pylist())


def test_a_query_is_read_in_order(people: Engine) -> None:
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
def test_what_only_looks_like_a_parameter_is_none(people: Engine, sql: str) -> None:
    assert keys(people, sql) == [1]


def test_nothing_can_be_changed(people: Engine) -> None:
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
def test_errors_say_the_databases_code_and_no_data(people: Engine, sql: str, code: str) -> None:
    with pytest.raises(SegmentError) as refused:
        query_database(people, sql, {})
    assert "@" not in str(refused.value)
    assert refused.value.code == code


def test_an_empty_answer_has_its_columns(people: Engine) -> None:
    rows = query_database(people, 'SELECT "Id", "EMail" FROM people WHERE false', {})
    assert rows.table().num_rows == 0
    assert rows.schema.names == ["Id", "EMail"]
