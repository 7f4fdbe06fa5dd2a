"""If a query leaves the consent column out, consent is looked up by key, for any source and type of key."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
from sqlalchemy import create_engine

import ci_magics as ci
from ci_magics.segmentation.consent.joining import table_names

pytestmark = pytest.mark.usefixtures("workspace")

PEOPLE = pd.DataFrame(
    {
        "Id": [1001, 1002, 1003, 1004],
        "EMail": [f"p{number}@contoso.com" for number in range(4)],
        "marketing_opt_in": ["Y", "N", None, "y"],
    }
)
COUNTS = (2, 1, 1)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def quietly(_sentence: str) -> None:
    """Show nothing."""


def counts(query: str, **given: Any) -> tuple[int, int, int]:
    consent = ci.segment("S", query, show=quietly, **given).consent
    return consent.consented or 0, consent.refused or 0, consent.unknown or 0


FILES: dict[str, Callable[[str], object]] = {
    "people.csv": lambda name: PEOPLE.to_csv(name, index=False),
    "people.csv.gz": lambda name: PEOPLE.to_csv(name, index=False),
    "people.tsv": lambda name: PEOPLE.to_csv(name, index=False, sep="\t"),
    "people.ndjson": lambda name: PEOPLE.to_json(name, orient="records", lines=True),
    "people.parquet": PEOPLE.to_parquet,
    "people.xlsx": lambda name: PEOPLE.to_excel(name, index=False),
}
#: Expressions that return the key with the same or another type.
KEYS = ("Id", "CAST(Id AS DOUBLE) AS Id", "CAST(Id AS VARCHAR) AS Id", "CAST(Id AS DECIMAL(9, 2)) AS Id")


@pytest.mark.matrix
@pytest.mark.parametrize("file", FILES)
def test_consent_is_looked_up_by_key_in_the_file_of_a_query(file: str) -> None:
    FILES[file](file)
    assert counts(f"SELECT Id, EMail FROM '{file}'") == COUNTS
    assert counts(f"SELECT Id, EMail FROM '{file}' WHERE Id < 1003") == (1, 1, 0)
    assert counts(f"SELECT EMail FROM '{file}'") == COUNTS
    joined = f"SELECT p.Id, bare.EMail FROM bare JOIN '{file}' p USING (Id)"
    bare = PEOPLE[["Id", "EMail"]].assign(EMail="other@contoso.com")
    if file in ("people.parquet", "people.csv", "people.xlsx"):
        assert counts(joined, frames={"bare": bare}) == COUNTS


@pytest.mark.parametrize("key", KEYS[:2])
def test_consent_is_looked_up_by_keys_of_another_type(key: str) -> None:
    PEOPLE.to_parquet("people.parquet")
    assert counts(f"SELECT {key}, EMail FROM 'people.parquet'") == COUNTS
    assert counts(f"SELECT {key}, EMail FROM people", frames={"people": PEOPLE}) == COUNTS


@pytest.fixture(params=["SQLite", "DuckDB", "engine of DuckDB", "connection of DuckDB"])
def database(request: pytest.FixtureRequest) -> Iterator[Any]:
    if request.param == "SQLite":
        with sqlite3.connect("shop.sqlite") as shop:
            PEOPLE.to_sql("people", shop, index=False)
        yield "sqlite:///shop.sqlite"
        return
    with duckdb.connect("shop.duckdb") as own:
        own.register("frame", PEOPLE)
        own.execute("CREATE TABLE people AS FROM frame")
        if request.param == "connection of DuckDB":
            yield own
            return
    yield "duckdb:///shop.duckdb" if request.param == "DuckDB" else create_engine("duckdb:///shop.duckdb")


@pytest.mark.matrix
def test_consent_is_looked_up_by_key_in_a_database(database: Any) -> None:
    for query in (
        "SELECT Id, EMail FROM people",
        "SELECT Id, lower(EMail) AS EMail FROM people -- FROM nothing",
        'SELECT p.Id, p.EMail FROM "people" AS p, (SELECT 1) one',
        "WITH p AS (SELECT * FROM people) SELECT Id, EMail FROM p",
        "SELECT EMail FROM people",
        *(f"SELECT {key}, EMail FROM people" for key in KEYS[1:3]),
    ):
        assert counts(query, database=database) == COUNTS, query
    assert counts("SELECT Id, EMail FROM people WHERE Id < $most", database=database, parameters={"most": 1003}) == (
        1,
        1,
        0,
    )


@pytest.mark.parametrize(
    ("address", "sql", "names"),
    [
        ("sqlite:///x", "SELECT 'it''s FROM a' FROM b -- FROM c\nJOIN /* FROM d */ [e f]", ["b", "[e f]"]),
        ("sqlite:///x", "SELECT * FROM a, b AS x, c y JOIN d ON 1 LEFT JOIN e", ["a", "b", "c", "d", "e"]),
        ("mysql+pymysql://h/d", r"SELECT 'it\'s FROM a', `x` FROM `shop`.`b c` # FROM d", ["`shop`.`b c`"]),
        ("mysql+pymysql://h/d", "SELECT \"FROM a\" FROM b JOIN c", ["b", "c"]),
        ("postgresql+psycopg://h/d", "SELECT $$ FROM a $$, E'\\' FROM b' FROM \"s\" . \"c\" JOIN f(1)", ['"s" . "c"']),
        ("duckdb://", "FROM people SELECT id", ["people"]),
        ("duckdb://", "SELECT * FROM (SELECT * FROM a) x, b", ["a"]),
    ],
)  # fmt: skip
def test_tables_are_found_in_the_sql_of_each_database(address: str, sql: str, names: list[str]) -> None:
    assert table_names(sql, address) == names


def test_status_column_with_consent_values_is_looked_up_too(tmp_path: Path) -> None:
    members = PEOPLE.drop(columns="marketing_opt_in").assign(Status=["subscribed", "unsubscribed", None, "Subscribed"])
    members.to_csv("members.csv", index=False)
    assert counts("SELECT Id, EMail FROM 'members.csv'") == (2, 1, 1)
    with sqlite3.connect(tmp_path / "shop.sqlite") as shop:
        members.to_sql("members", shop, index=False)
        members.assign(Status=["gold", "silver", None, "gold"]).to_sql("levels", shop, index=False)
    address = f"sqlite:///{tmp_path / 'shop.sqlite'}"
    assert counts("SELECT Id, EMail FROM members", database=address) == (2, 1, 1)
    assert ci.segment("S", "SELECT Id, EMail FROM levels", database=address, show=quietly).consent.columns == ()
