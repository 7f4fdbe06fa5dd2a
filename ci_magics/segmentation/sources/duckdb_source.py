"""DuckDB as a source: a file, attached read-only to an isolated database, or a connection of the user.

A file is attached to an in-memory database that can read no other file. A connection of the user has its own settings
and may have files attached. There, DuckDB's parser reports what the query reads, and the query runs in a read-only
transaction.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from sqlalchemy import Engine

from ci_magics.errors import SegmentError
from ci_magics.segmentation.sources.database_address import require_file
from ci_magics.segmentation.sources.database_sql import is_drivers
from ci_magics.segmentation.sources.frames import plain_text, require_different, require_different_in_sql
from ci_magics.segmentation.sources.one_select import require_one_select, without_end
from ci_magics.segmentation.sources.reading import FAILURES
from ci_magics.segmentation.sources.rows import BATCH, Rows
from ci_magics.segmentation.sources.sandbox import sandbox
from ci_magics.segmentation.sources.sql_errors import query_error

#: Table functions that read only their arguments and the database.
_TABLE_FUNCTIONS = re.compile(
    r"range|generate_series|unnest|repeat|repeat_row|json_each|json_tree|summary|histogram\w*|"
    r"duckdb_(?!secrets|logs|external_resources)\w+|pragma_(?:table_info|version|show|collations)|seq_scan|"
    r"icu_calendar_names|pg_timezone_names"
)
#: Functions that change a sequence, wait, write to the log, or read the environment.
_FUNCTIONS = re.compile(r"nextval|setval|write_log|sleep_ms|getenv")
_TAKEN = ("main", "temp", "system", "memory")
_Opened = Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]]


def query_duckdb_file(path: str, sql: str, values: Mapping[str, Any]) -> Rows:
    """Return the result of a query in a DuckDB file.

    Parameters
    ----------
    path
        The file; empty or ``:memory:`` for a database without tables.
    sql
        One SELECT.
    values
        Values for ``$name`` in the query.

    Raises
    ------
    SegmentError
        The file does not exist or cannot be opened, or the query is not read-only or cannot be run.
    """
    if path.startswith(("md:", "motherduck:")):
        raise SegmentError(
            "MotherDuck cannot be read by its address.",
            "Open it yourself, and pass the connection: database=duckdb.connect('md:...').",
            code="database_address",
        )
    file = None if path in ("", ":memory:") else require_file(path)

    @contextmanager
    def opened() -> Iterator[duckdb.DuckDBPyConnection]:
        with _attached(file) as database:
            yield database

    try:
        return _query(opened, sql, values, owned=False)
    except SegmentError as error:
        shared = _opened_here(file) if error.code == "database_open" else None
        if shared is None:
            raise
    return query_duckdb_connection(shared, sql, values)


def _opened_here(file: Path | None) -> duckdb.DuckDBPyConnection | None:
    """Return a connection to a file that this process has open for writing; DuckDB shares it."""
    try:
        return duckdb.connect(str(file))
    except duckdb.Error:
        return None


def query_duckdb_connection(connection: duckdb.DuckDBPyConnection, sql: str, values: Mapping[str, Any]) -> Rows:
    """Return the result of a query in a connection of the user, which is used for SELECT only.

    Parameters
    ----------
    connection
        The connection; temporary tables and registered frames can be read too.
    sql
        One SELECT.
    values
        Values for ``$name`` in the query.

    Raises
    ------
    SegmentError
        The query is not read-only or cannot be run.
    """

    @contextmanager
    def cursor() -> Iterator[duckdb.DuckDBPyConnection]:
        own = connection.cursor()
        try:
            yield own
        finally:
            own.close()

    try:
        return _query(cursor, sql, values, owned=True)
    except SegmentError as error:
        if error.code != duckdb.CatalogException.__name__:
            raise
    # Temporary tables and registered frames are visible only in the connection that created them.
    return _query(lambda: nullcontext(connection), sql, values, owned=True)


def duckdb_connection(engine: Engine) -> duckdb.DuckDBPyConnection:
    """Return a connection to the database of an engine.

    Raises
    ------
    SegmentError
        The file does not exist or cannot be opened.
    """
    path = engine.url.database or ""
    if path not in ("", ":memory:") and not path.startswith("md:"):
        require_file(path)
    try:
        with engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            return driver.duplicate()  # type: ignore[no-any-return]  # the engine wraps what DuckDB returns
    except Exception as error:
        if not is_drivers(error):
            raise
        raise _cannot_open(error, Path(path)) from None


def _query(opened: _Opened, sql: str, values: Mapping[str, Any], *, owned: bool) -> Rows:
    @contextmanager
    def result() -> Iterator[duckdb.DuckDBPyRelation]:
        with opened() as database, _translated(database, sql):
            names = _checked(database, sql, owned=owned)
            with _only_reading(database) if owned else nullcontext():
                yield database.sql(without_end(sql), params={name: values[name] for name in names} or None)

    with result() as relation:
        require_different(relation.columns, "query")
        require_different_in_sql(relation.columns)
        schema = plain_text(relation.limit(0).to_arrow_table()).schema

    def read(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        with result() as relation:
            chosen = relation.select(*[duckdb.ColumnExpression(each) for each in columns])
            yield from map(plain_text, chosen.to_arrow_reader(BATCH))

    return Rows(schema, read)


@contextmanager
def _attached(file: Path | None) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database that can read one DuckDB file and nothing else, and cannot write."""
    if file is None:
        with sandbox() as database:
            yield database
        return
    name = file.stem if file.stem.lower() not in _TAKEN else f"{file.stem}_file"
    try:
        with sandbox(attached=(str(file), name)) as database:
            yield database
    except duckdb.Error as error:
        raise _cannot_open(error, file) from None


def _cannot_open(error: Exception, file: Path) -> SegmentError:
    message = str(error)
    if "file handle conflict" in message or "already attached" in message:
        return SegmentError(
            f"The DuckDB file '{file.name}' is open in this notebook.",
            "Close that connection, or pass it instead of the address: database=connection.",
            code="database_open",
        )
    if "lock" in message:
        return SegmentError(
            f"Another program has the DuckDB file '{file.name}' open for writing.",
            "Close it there, or make a copy of the file and read the copy.",
            code="database_locked",
        )
    return SegmentError(
        f"The file '{file.name}' cannot be opened as a DuckDB database ({type(error).__name__}).",
        "Is it complete, not encrypted, and of a version that this DuckDB knows?",
        code="unreadable_file",
    )


@contextmanager
def _only_reading(database: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Make a connection read-only; an open transaction stays open."""
    if _in_transaction(database):
        yield
        return
    database.execute("BEGIN TRANSACTION READ ONLY")
    try:
        yield
    finally:
        database.execute("ROLLBACK")


def _in_transaction(database: duckdb.DuckDBPyConnection) -> bool:
    """Return whether a transaction is open. Without one, each query has its own transaction id.

    Trying BEGIN instead would abort an open transaction.
    """
    first, second = (database.execute("SELECT txid_current()").fetchall() for _ in range(2))
    return first == second


def _checked(database: duckdb.DuckDBPyConnection, sql: str, *, owned: bool) -> frozenset[str]:
    """Require that a query is one SELECT, and return the names of its parameters."""
    query = require_one_select(database, sql)
    if owned:
        if query.nodes is None:
            raise SegmentError(
                "DuckDB cannot tell all that this query does, so it was not run.",
                "Name the values of a PIVOT: PIVOT people ON Country IN ('NL', 'BE').",
                code="query_not_checked",
            )
        _require_within(database, query.nodes)
    return query.parameters


def _require_within(database: duckdb.DuckDBPyConnection, nodes: Sequence[dict[str, Any]]) -> None:
    """Require that a query reads only tables of the database, not files or URLs."""
    for node in nodes:
        function = str(node.get("function_name") or "").lower()
        if node.get("type") == "TABLE_FUNCTION":
            called = str((node.get("function") or {}).get("function_name", "")).lower()
            if not _TABLE_FUNCTIONS.fullmatch(called) and not _is_macro(database, called):
                raise _not_a_table(called)
        elif function and _FUNCTIONS.fullmatch(function):
            raise _not_a_table(function)
        if node.get("type") == "BASE_TABLE" and re.search(r"[./\\:*]", str(node.get("table_name"))):
            known = "SELECT 1 FROM information_schema.tables WHERE table_name = ?"
            if not database.execute(known, [node["table_name"]]).fetchall():
                raise _not_a_table(Path(str(node["table_name"])).name)


def _is_macro(database: duckdb.DuckDBPyConnection, name: str) -> bool:
    """Return whether a table function is a macro of the user, which is itself a query."""
    query = "SELECT 1 FROM duckdb_functions() WHERE lower(function_name) = ? AND function_type = 'table_macro'"
    return bool(database.execute(query, [name]).fetchall())


def _not_a_table(name: str) -> SegmentError:
    return SegmentError(
        f"A segment's query reads the tables of the database, and '{name}' is something else. The query was not run.",
        "Read files by their path without database=, as in FROM 'people.parquet'.",
        code="query_acts",
    )


@contextmanager
def _translated(database: duckdb.DuckDBPyConnection, sql: str) -> Iterator[None]:
    try:
        yield
    except FAILURES as error:
        words = error if isinstance(error, duckdb.Error) else duckdb.Error(str(error))
        raise query_error(words, sql, *_existing(database)) from None


def _existing(database: duckdb.DuckDBPyConnection) -> tuple[list[str], list[str]]:
    """Return the existing columns and tables; used only for hints."""
    try:
        rows = database.execute("SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal").fetchall()
    except duckdb.Error:
        return [], []  # a failed transaction accepts no more queries
    return list(dict.fromkeys(row[1] for row in rows)), list(dict.fromkeys(row[0] for row in rows))
