"""MySQL and MariaDB as sources: the server itself confirms that a query is a SELECT, and runs it read-only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, Engine

from ci_magics.segmentation.sources.database_errors import FailedQuery, code_of
from ci_magics.segmentation.sources.database_reading import batch_of, connected, translated_errors
from ci_magics.segmentation.sources.database_sql import existing_names, is_drivers, written
from ci_magics.segmentation.sources.database_values import TEXT, to_array
from ci_magics.segmentation.sources.one_select import require_parsed, require_select
from ci_magics.segmentation.sources.rows import BATCH, Rows
from ci_magics.segmentation.sources.sql_text import Lexis, Token, lexis_of, rewritten, tokens

_REPEATED_NAME = "1060"
#: Type numbers of the protocol. https://mariadb.com/kb/en/result-set-packets/
_BIG, _BIT = 8, 16
_ARROW = {
    1: pa.int64(),
    2: pa.int64(),
    3: pa.int64(),
    9: pa.int64(),
    13: pa.int64(),
    4: pa.float64(),
    5: pa.float64(),
    7: pa.timestamp("us"),
    12: pa.timestamp("us"),
    10: pa.date32(),
}
_UNSIGNED = 32
_AS_SUBQUERY = "SELECT * FROM (\n{}\n) AS q"


@dataclass(frozen=True)
class _Query:
    """A query that the server has confirmed to be a SELECT.

    Parameters
    ----------
    body, lexis
        The query, and the syntax that the server's settings imply.
    nests
        Whether it can be a subquery.
    """

    body: str
    lexis: Lexis
    nests: bool

    @property
    def parts(self) -> list[Token]:
        return tokens(self.body, self.lexis)


def query_mysql(engine: Engine, sql: str, values: Mapping[str, Any]) -> Rows:
    """Return the result of a query in MySQL or MariaDB.

    Parameters
    ----------
    engine
        Supplies the connections; settings made in one end with the transaction.
    sql
        One SELECT.
    values
        Values for ``$name`` in the query.

    Raises
    ------
    SegmentError
        The query is not read-only or cannot be run.
    """
    style = engine.dialect.paramstyle
    with _reading(engine, sql) as (connection, query):
        # As a subquery with LIMIT 0, the query is only described; else the server runs it.
        alone = f"{_AS_SUBQUERY.format(query.body)} LIMIT 0" if query.nests else query.body
        text, bound = written(alone, tokens(alone, query.lexis), values, style)
        schema = _described(connection.exec_driver_sql(text, bound).cursor)

    def read(names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        with _reading(engine, sql) as (connection, query):
            streaming = connection.execution_options(stream_results=True, max_row_buffer=BATCH)
            result = streaming.exec_driver_sql(*written(query.body, query.parts, values, style))
            while rows := result.fetchmany(BATCH):
                yield batch_of(rows, names, schema, _array)

    return Rows(schema, read)


@contextmanager
def _reading(engine: Engine, sql: str) -> Iterator[tuple[Connection, _Query]]:
    """Open a read-only transaction, and confirm that the query is one SELECT."""
    parts = tokens(sql, lexis_of("mysql"))
    require_select(sql, parts, "mysql")

    def rows(query: str) -> list[Any]:
        with engine.connect() as other:
            return list(other.exec_driver_sql(query))

    def failed_query() -> FailedQuery:
        return FailedQuery(engine.url, sql, parts, lambda kind: existing_names(rows, kind, parts))

    with connected(engine.url, engine.connect) as connection, translated_errors(failed_query):
        try:
            lexis = lexis_of("mysql", str(connection.exec_driver_sql("SELECT @@sql_mode").scalar()))
            parts = tokens(sql, lexis)
            body = require_select(sql, parts, "mysql")
            connection.exec_driver_sql("START TRANSACTION READ ONLY")
            yield connection, _Query(body, lexis, _nests(connection, body, lexis))
        finally:
            connection.rollback()


def _nests(connection: Connection, body: str, lexis: Lexis) -> bool:
    """Let the server parse the query alone and as a subquery, which must return rows.

    A read-only transaction does not prevent ``INTO OUTFILE``. sqlglot must understand a query that cannot be a
    subquery, for example with ``SQL_NO_CACHE``. Duplicate column names are accepted.
    """
    parts = tokens(body, lexis)
    marked = rewritten(body, parts, lambda _: "?")
    _prepare(connection, marked)
    try:
        _prepare(connection, _AS_SUBQUERY.format(marked))
    except Exception as error:
        if not is_drivers(error):
            raise
        if code_of(error) != _REPEATED_NAME:
            require_parsed(rewritten(body, parts, lambda _: "NULL"), "mysql", otherwise="it cannot be a subquery")
        return False
    return True


def _prepare(connection: Connection, sql: str) -> None:
    """Let the server parse a statement without running it."""
    setting = "SET @ci_magics_query = $query"
    text, bound = written(setting, tokens(setting, Lexis()), {"query": sql}, connection.dialect.paramstyle)
    connection.exec_driver_sql(text, bound)
    try:
        connection.exec_driver_sql("PREPARE ci_magics_query FROM @ci_magics_query")
        connection.exec_driver_sql("DEALLOCATE PREPARE ci_magics_query")
    finally:
        connection.exec_driver_sql("SET @ci_magics_query = NULL")


def _described(cursor: Any) -> pa.Schema:
    """Return the names and types of the columns, as the server describes them."""
    fields = getattr(getattr(cursor, "_result", None), "fields", None) or ()  # of pymysql
    flags = getattr(cursor, "description_flags", None) or [each.flags for each in fields]  # of mysqlclient
    found = []
    for number, column in enumerate(cursor.description):
        flag = flags[number] if number < len(flags) else column[7] if len(column) > 7 else _UNSIGNED
        kind = _ARROW.get(column[1], TEXT) if isinstance(column[1], int) else TEXT
        if column[1] == _BIG:
            kind = pa.uint64() if flag & _UNSIGNED else pa.int64()
        elif column[1] == _BIT:
            kind = pa.bool_() if column[3] == 1 else pa.uint64()
        found.append(pa.field(str(column[0]), kind))
    return pa.schema(found)


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_boolean(kind) or pa.types.is_uint64(kind):
        whole = [int.from_bytes(each, "big") if isinstance(each, bytes) else each for each in values]
        return pa.array(
            [bool(each) if pa.types.is_boolean(kind) and each is not None else each for each in whole], kind
        )
    return to_array(values, kind)
