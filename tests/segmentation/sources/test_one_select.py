from __future__ import annotations

import pytest

from ci_magics.errors import SegmentError
from ci_magics.segmentation.sources.database_address import read_address
from ci_magics.segmentation.sources.databases import parameter_names, query_database
from ci_magics.segmentation.sources.one_select import require_parsed, require_select
from ci_magics.segmentation.sources.sql_text import lexis_of, tokens


def check(dialect: str, sql: str) -> None:
    body = require_select(sql, tokens(sql, lexis_of(dialect)), dialect)
    require_parsed(body, dialect, otherwise="it cannot be told to read only")


@pytest.mark.parametrize(
    ("dialect", "sql"),
    [
        ("mssql", "SELECT TOP 5 * FROM [people] WITH (NOLOCK) -- DELETE FROM people"),
        ("mssql", "WITH p AS (SELECT 'DROP; DELETE FROM x' AS a) SELECT [delete] FROM p OPTION (RECOMPILE)"),
        ("oracle", "SELECT * FROM people WHERE ROWNUM < 5 CONNECT BY PRIOR a = b START WITH c = 1"),
        ("snowflake", "SELECT * FROM t QUALIFY row_number() OVER (PARTITION BY a ORDER BY b) = 1"),
        ("bigquery", "SELECT * EXCEPT (a) FROM `p.d.people`"),
        ("trino", "SELECT * FROM t CROSS JOIN UNNEST(a) AS x (y)"),
        ("databricks", "SELECT * FROM people VERSION AS OF 1"),
        ("redshift", "SELECT a FROM people UNION SELECT b FROM people"),
    ],
)
def test_select_of_any_database_is_understood(dialect: str, sql: str) -> None:
    check(dialect, sql)


@pytest.mark.parametrize(
    ("dialect", "sql"),
    [
        ("mssql", "SELECT * INTO more FROM people"),
        ("mssql", "SELECT 1 AS a DROP TABLE people"),
        ("mssql", "WITH p AS (SELECT 1 AS a) DELETE FROM p"),
        ("mssql", "EXEC xp_cmdshell 'dir'"),
        ("mssql", "SELECT NEXT VALUE FOR numbers AS id"),
        ("mssql", "SELECT * FROM OPENROWSET(BULK 'c:\\x', SINGLE_CLOB) AS x"),
        ("mssql", "SELECT * FROM OPENQUERY(other, 'DELETE FROM people')"),
        ("oracle", "SELECT numbers.NEXTVAL FROM dual"),
        ("oracle", "SELECT * FROM people FOR UPDATE"),
        ("oracle", "SELECT utl_http.request('http://x') FROM dual"),
        ("oracle", "BEGIN DELETE FROM people; END;"),
        ("snowflake", "SELECT SYSTEM$CANCEL_QUERY('x')"),
        ("snowflake", "CALL empties()"),
        ("snowflake", "COPY INTO @stage FROM people"),
        ("bigquery", "SELECT 1; DELETE FROM people WHERE true"),
        ("trino", "INSERT INTO people SELECT 1"),
        ("databricks", "SELECT reflect('java.lang.System', 'exit', 1)"),
        ("redshift", "UNLOAD ('SELECT * FROM people') TO 's3://x'"),
        ("hana", "SELECT * FROM ((people"),
    ],
)
def test_query_that_does_more_or_cannot_be_parsed_is_refused(dialect: str, sql: str) -> None:
    with pytest.raises(SegmentError):
        check(dialect, sql)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("mssql+pyodbc://h/d", "pyodbc"),
        ("oracle://h/d", "oracledb"),
        ("snowflake://a/d", "snowflake-sqlalchemy"),
        ("bigquery://p", "sqlalchemy-bigquery"),
        ("databricks://h", "databricks-sqlalchemy"),
        ("trino://h/c", "trino[sqlalchemy]"),
        ("redshift://h/d", "sqlalchemy-redshift"),
        ("mysq://h/d", "Did you mean 'mysql'"),
        ("postgress://h/d", "Did you mean 'postgres'"),
        ("people.db", "dialect://host/name"),
    ],
)
def test_wrong_address_says_what_to_do(address: str, words: str) -> None:
    with pytest.raises(SegmentError) as refused:
        query_database(address, "SELECT 1", {})
    assert words in str(refused.value)


def test_asyncio_driver_is_replaced() -> None:
    assert read_address("postgresql+asyncpg://h/d").drivername == "postgresql+psycopg"
    assert read_address("postgres+asyncpg://h/d").drivername == "postgresql+psycopg"


@pytest.mark.parametrize(
    ("address", "sql", "names"),
    [
        ("mysql+pymysql://h/d", "SELECT $a, '\\'$b', `$c` # $d\n, 5--$e", ["a", "e"]),
        ("postgresql+psycopg://h/d", "SELECT $a, E'\\'$b', $$ $c $$ /* /* */ $d */, v$e", ["a"]),
        ("sqlite:///x", "SELECT $a, '$b', [$c], \"$d\" -- $e", ["a"]),
    ],
)
def test_parameters_are_found_in_the_sql_of_each_database(address: str, sql: str, names: list[str]) -> None:
    assert parameter_names(sql, address) == names
