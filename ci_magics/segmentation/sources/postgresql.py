"""PostgreSQL as a source, read through ADBC or a SQLAlchemy driver, with the same values from each.

The query becomes a subquery. So PostgreSQL's own parser confirms that it is one query that returns rows, only the
needed columns are read, and the server converts to text whatever Arrow and the drivers represent differently (numbers
of any precision, citext, uuid, ranges, extension types). The query runs in a read-only transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from sqlalchemy import URL, Connection, Engine

from ci_magics.errors import SegmentError
from ci_magics.segmentation.sources.database_errors import FailedQuery
from ci_magics.segmentation.sources.database_reading import connected, translated_errors
from ci_magics.segmentation.sources.database_sql import existing_names, written
from ci_magics.segmentation.sources.database_values import MOMENT, TEXT, to_array, without_zeros
from ci_magics.segmentation.sources.one_select import not_select, require_select
from ci_magics.segmentation.sources.rows import BATCH, Rows
from ci_magics.segmentation.sources.sql_text import lexis_of, parameters, rewritten, tokens

_READ_ONLY = "SET TRANSACTION READ ONLY"
#: Parse texts as `lexis_of` does, whatever the server's default; until the end of the transaction.
_PLAIN_TEXTS = "SET LOCAL standard_conforming_strings = on"
_AS_SUBQUERY = "SELECT {} FROM (\n{}\n) AS q ({})"
_ASK = "SELECT current_setting('transaction_read_only')"
_BEFORE = "SELECT * FROM (\n"
#: Types read without conversion, by OID and by name. https://www.postgresql.org/docs/current/datatype.html
_KINDS: dict[Any, str] = {
    16: "bool",
    20: "int8",
    21: "int2",
    23: "int4",
    25: "text",
    701: "float8",
    1043: "varchar",
    1082: "date",
    1114: "timestamp",
    1184: "timestamptz",
    1700: "numeric",
    17: "bytea",
}
_ARROW = {
    "bool": pa.bool_(),
    "int2": pa.int64(),
    "int4": pa.int64(),
    "int8": pa.int64(),
    "float8": pa.float64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "timestamptz": MOMENT,
}
#: SQL that selects a column: Python and Arrow have no infinite dates, and none before the year 1.
_SELECTED = {
    **dict.fromkeys(("bool", "int2", "int4", "int8", "float8", "text", "varchar"), "{0}"),
    **dict.fromkeys(
        ("date", "timestamp", "timestamptz"),
        "CASE WHEN {0} BETWEEN '0001-01-02' AND '9999-12-30' THEN {0} END",
    ),
    "bytea": "encode({0}, 'escape')",
}
_Run = Callable[[str], Iterator[Any]]


@dataclass(frozen=True)
class _Column:
    name: str
    kind: str

    @property
    def arrow(self) -> pa.DataType:
        return _ARROW.get(self.kind, TEXT)


def query_postgresql(source: URL | Engine, sql: str, values: Mapping[str, Any]) -> Rows:
    """Return the result of a query in PostgreSQL.

    Parameters
    ----------
    source
        An address, read through ADBC; or an engine, which supplies the connections with their settings.
    sql
        One SELECT.
    values
        Values for ``$name`` in the query.

    Raises
    ------
    SegmentError
        The query is not read-only or cannot be run.
    """
    parts = tokens(sql, lexis_of("postgresql"))
    body = require_select(sql, parts, "postgresql")
    reader = _EngineReader(source, values) if isinstance(source, Engine) else _AdbcReader(source, values)

    def failed_query() -> FailedQuery:
        return FailedQuery(reader.url, sql, parts, lambda kind: existing_names(reader.rows, kind, parts), len(_BEFORE))

    with translated_errors(failed_query):
        columns = reader.columns(f"{_BEFORE}{body}\n) AS q LIMIT 0")
    if not columns:
        raise not_select("this one selects no column")
    schema = pa.schema([(column.name, column.arrow) for column in columns])
    aliases = ", ".join(f"c{number}" for number in range(len(columns)))

    def read(names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        chosen = [schema.names.index(name) for name in names]
        selected = [_SELECTED.get(columns[each].kind, "{0}::text").format(f"c{each}") for each in chosen]
        wanted = pa.schema([schema.field(each) for each in chosen])
        query = _AS_SUBQUERY.format(", ".join(selected) or "NULL", body, aliases)
        with translated_errors(failed_query):
            for batch in reader.batches(query, wanted):
                exact = [
                    without_zeros(array) if columns[each].kind == "numeric" else array
                    for each, array in zip(chosen, batch, strict=True)
                ]
                yield pa.RecordBatch.from_arrays(exact, schema=wanted)

    return Rows(schema, read)


class _EngineReader:
    """Read through a SQLAlchemy engine."""

    def __init__(self, engine: Engine, values: Mapping[str, Any]) -> None:
        self.engine, self.values, self.url = engine, values, engine.url

    def columns(self, sql: str) -> list[_Column]:
        with self._open() as connection:
            result = connection.exec_driver_sql(*self._written(sql))
            described = result.cursor.description if result.cursor else ()
            return [_Column(str(each[0]), _KINDS.get(each[1], "")) for each in described]

    def batches(self, sql: str, schema: pa.Schema) -> Iterator[list[pa.Array]]:
        with self._open() as connection:
            streaming = connection.execution_options(stream_results=True, max_row_buffer=BATCH)
            result = streaming.exec_driver_sql(*self._written(sql))
            while rows := result.fetchmany(BATCH):
                by_column = zip(*rows, strict=True)
                yield [to_array(column, field.type) for column, field in zip(by_column, schema, strict=False)]

    def rows(self, sql: str) -> list[Any]:
        with self._open() as connection:
            return list(connection.exec_driver_sql(sql))

    def _written(self, sql: str) -> tuple[str, Any]:
        return written(sql, tokens(sql, lexis_of("postgresql")), self.values, self.engine.dialect.paramstyle)

    @contextmanager
    def _open(self) -> Iterator[Connection]:
        with connected(self.url, self.engine.connect) as connection:
            if not _reads_only(connection):
                # An engine in autocommit mode has no transaction to make read-only.
                connection.rollback()
                connection.execution_options(isolation_level="READ COMMITTED")
                if not _reads_only(connection):
                    raise _not_protected()
            try:
                yield connection
            finally:
                connection.rollback()


def _reads_only(connection: Connection) -> bool:
    connection.exec_driver_sql(_READ_ONLY)
    connection.exec_driver_sql(_PLAIN_TEXTS)
    return connection.exec_driver_sql(_ASK).scalar() == "on"


class _AdbcReader:
    """Read an address through the ADBC driver, which returns Arrow."""

    def __init__(self, url: URL, values: Mapping[str, Any]) -> None:
        self.values, self.url = values, url

    def columns(self, sql: str) -> list[_Column]:
        with self._open() as cursor:
            text, bound = self._written(sql)
            cursor.execute(text, bound)
            return [_Column(each.name, _kind_in_arrow(each)) for each in cursor.fetch_arrow_table().schema]

    def batches(self, sql: str, schema: pa.Schema) -> Iterator[list[pa.Array]]:
        with self._open() as cursor:
            text, bound = self._written(sql)
            cursor.execute(text, bound)
            for batch in cursor.fetch_record_batch():
                yield [array.cast(field.type) for array, field in zip(batch.columns, schema, strict=False)]

    def rows(self, sql: str) -> list[Any]:
        with self._open() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def _written(self, sql: str) -> tuple[str, Any]:
        parts = tokens(sql, lexis_of("postgresql"))
        names = parameters(parts)
        numbers = {name: f"${number}" for number, name in enumerate(names, start=1)}
        return rewritten(sql, parts, lambda name: numbers[name]), [self.values[name] for name in names] or None

    @contextmanager
    def _open(self) -> Iterator[Any]:
        import adbc_driver_postgresql.dbapi as adbc

        address = self.url.set(drivername="postgresql").render_as_string(hide_password=False)
        with (
            connected(self.url, lambda: closing(adbc.connect(address))) as connection,
            closing(connection.cursor()) as cursor,
        ):
            cursor.execute(_READ_ONLY)
            cursor.execute(_PLAIN_TEXTS)
            cursor.execute(_ASK)
            if cursor.fetchone() != ("on",):
                raise _not_protected()
            yield cursor


def _kind_in_arrow(field: pa.Field) -> str:
    """Return a column's PostgreSQL type name; older drivers report only the Arrow type."""
    reported = (field.metadata or {}).get(b"POSTGRESQL:type")
    if reported is not None:
        return str(reported.decode("utf-8", "replace"))
    by_arrow = {
        "bool": "bool",
        "int16": "int2",
        "int32": "int4",
        "double": "float8",
        "string": "text",
        "binary": "bytea",
    }
    return by_arrow.get(str(field.type), "")


def _not_protected() -> SegmentError:
    return SegmentError(
        "The database does not let its transactions be read-only, so the query was not run.",
        "Ask its administrator for a user who may only read.",
        code="not_read_only",
    )
