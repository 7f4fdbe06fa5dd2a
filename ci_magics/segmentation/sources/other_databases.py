"""All other databases: sqlglot must understand the query, and the transaction is rolled back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, inspect

from ci_magics.segmentation.sources.database_errors import FailedQuery
from ci_magics.segmentation.sources.database_reading import Stream, connected, rows_by_value, translated_errors
from ci_magics.segmentation.sources.database_sql import is_drivers, written
from ci_magics.segmentation.sources.one_select import require_parsed, require_select
from ci_magics.segmentation.sources.rows import BATCH, Rows
from ci_magics.segmentation.sources.sql_text import Token, lexis_of, rewritten, tokens


def query_other(engine: Engine, sql: str, values: Mapping[str, Any]) -> Rows:
    """Return the result of a query in any database.

    A first pass over all values determines the column types.

    Parameters
    ----------
    engine
        Supplies the connections; nothing is committed.
    sql
        One SELECT.
    values
        Values for ``$name`` in the query.

    Raises
    ------
    SegmentError
        It cannot be checked, is not read-only, or cannot be run.
    """
    dialect = engine.dialect.name
    lexis = lexis_of(dialect)
    parts = tokens(sql, lexis)
    body = require_select(sql, parts, dialect)
    inner = tokens(body, lexis)
    require_parsed(
        rewritten(body, inner, lambda _: "NULL"), dialect, otherwise=f"{dialect} cannot be told to read only"
    )

    def stream() -> Stream:
        with _reading(engine, sql, parts) as connection:
            streaming = connection.execution_options(stream_results=True, max_row_buffer=BATCH)
            result = streaming.exec_driver_sql(*written(body, inner, values, engine.dialect.paramstyle))
            names = [str(name) for name in result.keys()]  # noqa: SIM118 - it is not a dict
            yield names, ()
            while rows := result.fetchmany(BATCH):
                yield names, rows

    return rows_by_value(stream)


@contextmanager
def _reading(engine: Engine, sql: str, parts: Sequence[Token]) -> Iterator[Connection]:
    def failed_query() -> FailedQuery:
        return FailedQuery(engine.url, sql, parts, lambda kind: _existing(engine, kind, parts))

    with connected(engine.url, engine.connect) as connection, translated_errors(failed_query):
        try:
            yield connection
        finally:
            connection.rollback()


def _existing(engine: Engine, kind: str, parts: Sequence[Token]) -> list[str]:
    """Return the tables or schemas, or the columns of the query's tables; used only for hints."""
    try:
        found = inspect(engine)
        if kind == "schema":
            return list(found.get_schema_names())
        tables = [*found.get_table_names(), *found.get_view_names()]
        if kind == "table":
            return tables
        used = {part.text.lower() for part in parts if part.kind in ("word", "name")}
        return [str(column["name"]) for table in tables if table.lower() in used for column in found.get_columns(table)]
    except Exception as error:
        if not (is_drivers(error) or isinstance(error, NotImplementedError)):
            raise
        return []  # omit the hint; the caller raises the query's error anyway
