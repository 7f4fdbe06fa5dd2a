"""Databases as sources: one query, run where the data is, read as Arrow in batches."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError as UrlError
from sqlalchemy.exc import SQLAlchemyError

from ci_magics.errors import SegmentError
from ci_magics.segmentation.sources.rows import BATCH, Rows

_PARAMETER = re.compile(
    r"""('(?:[^']|'')*' | "(?:[^"]|"")*" | --[^\n]* | /\*.*?\*/ | \$\w*\$.*?\$\w*\$) | \$([A-Za-z_]\w*)""",
    re.VERBOSE | re.DOTALL,
)
#: How each database is told that nothing may be changed.
_READ_ONLY = {"postgresql": "SET TRANSACTION READ ONLY", "sqlite": "PRAGMA query_only = ON"}

Source = str | Engine


def query_database(database: Source, sql: str, parameters: Mapping[str, Any]) -> Rows:
    """Return what a query of a database gives.

    PostgreSQL is read through ADBC where its driver is installed, everything else through SQLAlchemy.

    Parameters
    ----------
    database
        An address as SQLAlchemy writes them, or an engine.
    sql
        One query in the database's own SQL; it cannot change anything where the database lets itself be told.
    parameters
        Values for ``$name`` in the query; bound, never pasted.

    Raises
    ------
    SegmentError
        The database cannot be reached, or the query cannot be run.
    """
    engine = _engine(database)
    wanted = {name: _value(name, parameters) for name in parameter_names(sql)}
    stream = _adbc(engine, sql, wanted) or _sqlalchemy(engine, sql, wanted)
    schema = _first_schema(stream)

    def read(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        for batch in stream():
            yield pa.RecordBatch.from_arrays(
                [batch.column(name).cast(schema.field(name).type) for name in columns], list(columns)
            )

    return Rows(schema, read)


def parameter_names(sql: str) -> list[str]:
    """Return the names of the ``$name`` in a query, without those in texts, names and comments."""
    return list(dict.fromkeys(found.group(2) for found in _PARAMETER.finditer(sql) if found.group(2)))


def is_database(value: Any) -> bool:
    """Tell whether a value is an engine or an address of a database."""
    return isinstance(value, Engine) or (isinstance(value, str) and re.match(r"[a-z][\w+]*://", value) is not None)


_Stream = Callable[[], Iterator[pa.RecordBatch]]


def _engine(database: Source) -> Engine:
    if isinstance(database, Engine):
        return database
    try:
        return create_engine(make_url(database))
    except (UrlError, ImportError, SQLAlchemyError) as error:
        raise SegmentError(
            f"The address of the database cannot be used ({type(error).__name__}).",
            "Write it as dialect://user@host/name, and install the driver; the password may come from an engine.",
            code="database_address",
        ) from None


def _sqlalchemy(engine: Engine, sql: str, parameters: Mapping[str, Any]) -> _Stream:
    statement = text(_renamed(sql, lambda name: f":{name}", escape=True))

    def stream() -> Iterator[pa.RecordBatch]:
        with _said(), engine.connect() as connection, _unchanging(connection):
            result = connection.execution_options(stream_results=True, max_row_buffer=BATCH).execute(
                statement, dict(parameters)
            )
            names = list(result.keys())
            while rows := result.fetchmany(BATCH):
                columns = [pa.array(list(column)) for column in zip(*rows, strict=True)]
                yield pa.RecordBatch.from_arrays(columns, names)
            yield pa.RecordBatch.from_arrays([pa.nulls(0)] * len(names), names)

    return stream


def _adbc(engine: Engine, sql: str, parameters: Mapping[str, Any]) -> _Stream | None:
    if engine.dialect.name != "postgresql":
        return None
    try:
        import adbc_driver_postgresql.dbapi as adbc
    except ImportError:
        return None
    numbers = {name: f"${number}" for number, name in enumerate(parameters, start=1)}
    # The driver wraps the query in a statement of its own, which a final comment or semicolon would spoil.
    numbered = _renamed(sql, lambda name: numbers[name], escape=False).rstrip().rstrip(";") + "\n"
    address = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)

    def stream() -> Iterator[pa.RecordBatch]:
        with _said(), closing(adbc.connect(address)) as connection, closing(connection.cursor()) as cursor:
            cursor.execute(_READ_ONLY["postgresql"])
            cursor.execute(numbered, list(parameters.values()) or None)
            reader = cursor.fetch_record_batch()
            yield from reader
            yield pa.RecordBatch.from_pylist([], reader.schema)

    return stream


def _renamed(sql: str, name: Callable[[str], str], *, escape: bool) -> str:
    """Write parameters as a driver wants them; a colon elsewhere is one, and no parameter."""

    def one(found: re.Match[str]) -> str:
        return name(found.group(2)) if found.group(2) else found.group(0)

    escaped = re.sub(r"(?<!:):(?!:)(?=\w)", r"\\:", sql) if escape else sql
    return _PARAMETER.sub(one, escaped)


@contextmanager
def _unchanging(connection: Connection) -> Iterator[None]:
    """Let nothing be changed through a connection, until it goes back to its pool."""
    name = connection.dialect.name
    if name in _READ_ONLY:
        connection.execute(text(_READ_ONLY[name]))
    try:
        yield
    finally:
        if name == "sqlite":
            connection.execute(text("PRAGMA query_only = OFF"))


def _first_schema(stream: _Stream) -> pa.Schema:
    """Return the columns' types: those of the first batch, text where it has nothing but nulls."""
    schema = next(stream()).schema
    fields = [each.with_type(pa.large_string()) if pa.types.is_null(each.type) else each for each in schema]
    return pa.schema(fields)


def _value(name: str, parameters: Mapping[str, Any]) -> Any:
    if name not in parameters:
        raise SegmentError(
            f"The query has no value for ${name}.", "Make a variable of that name first.", code="no_parameter"
        )
    value = parameters[name]
    return value.item() if hasattr(value, "item") else value


@contextmanager
def _said() -> Iterator[None]:
    """Turn an error of a driver into a sentence: its own words may quote data, or the password."""
    try:
        yield
    except SegmentError:
        raise
    except Exception as error:
        if not _is_drivers(error):
            raise
        raise SegmentError(
            f"The database did not run the query ({_kind(error)}).",
            "Check the address, the names in the query and your rights.",
            code=_kind(error),
        ) from None


def _is_drivers(error: Exception) -> bool:
    return isinstance(error, SQLAlchemyError | pa.ArrowException) or type(error).__module__.startswith("adbc")


def _kind(error: Exception) -> str:
    """Return the database's own code of an error where it has one, such as 42P01 for a missing table."""
    cause = getattr(error, "orig", None) or error
    code = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    return str(code) if code else type(cause).__name__
