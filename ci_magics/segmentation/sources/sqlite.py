"""SQLite as a source: opened read-only, with an authorizer that checks each operation of a query."""

from __future__ import annotations

import datetime as dt
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, NullPool
from sqlalchemy.pool import StaticPool

from ci_magics.segmentation.sources.database_address import open_engine, require_file
from ci_magics.segmentation.sources.database_errors import FailedQuery
from ci_magics.segmentation.sources.database_reading import Stream, connected, rows_by_value, translated_errors
from ci_magics.segmentation.sources.one_select import require_select
from ci_magics.segmentation.sources.rows import BATCH, Rows
from ci_magics.segmentation.sources.sql_text import Token, lexis_of, tokens

#: Operations of a SELECT. https://www.sqlite.org/c3ref/c_alter_table.html
_ALLOWED = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE})
#: Operations that SQLite only prepares when it opens a virtual table such as ``json_each`` or an R-tree: on its catalog
#: and the tables behind an R-tree. ``query_only`` prevents their execution.
_PREPARED = frozenset({sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_INSERT, sqlite3.SQLITE_DELETE})
_BEHIND = re.compile(r"sqlite_(?:temp_)?(?:master|schema)|.+_(?:node|parent|rowid)")
#: Functions of extensions that run code, or read and write files.
_FORBIDDEN = frozenset(
    {"load_extension", "writefile", "readfile", "edit", "fts3_tokenizer", "fsdir", "lsdir", "eval", "zipfile"}
)
#: PRAGMAs that a SELECT can read as a table, as in ``FROM pragma_table_info('people')``.
_PRAGMAS = frozenset(
    {"table_info", "table_xinfo", "table_list", "index_list", "index_info", "database_list", "data_version"}
)


def open_sqlite(url: URL) -> Engine:
    """Return an engine that opens the file of an address read-only.

    Raises
    ------
    SegmentError
        The file does not exist.
    """
    path = _path_of(url)
    if path is None or url.get_driver_name() not in ("pysqlite", "aiosqlite"):
        return open_engine(url, poolclass=NullPool)
    file = require_file(path)

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True, check_same_thread=False)

    return open_engine(url, creator=connect, poolclass=NullPool)


def query_sqlite(engine: Engine, sql: str, values: Mapping[str, Any]) -> Rows:
    """Return the result of a query in SQLite.

    A first pass over all values determines the column types.

    Parameters
    ----------
    engine
        Supplies the connections, whose settings are restored.
    sql
        One SELECT.
    values
        Values for ``$name`` in the query.

    Raises
    ------
    SegmentError
        The file does not exist, or the query is not read-only or cannot be run.
    """
    parts = tokens(sql, lexis_of("sqlite"))
    body = require_select(sql, parts, "sqlite")
    path = _path_of(engine.url)
    if path is not None:
        require_file(path)
    bound = {name: _bindable(value) for name, value in values.items()}

    def stream(decode: Callable[[bytes], Any]) -> Stream:
        with _reading(engine, sql, parts, decode) as connection:
            cursor = connection.execute(body, bound)
            names = [each[0] for each in cursor.description]
            yield names, []
            while rows := cursor.fetchmany(BATCH):
                yield names, rows
            cursor.close()

    try:
        return rows_by_value(lambda: stream(str))  # fast: with ``str``, sqlite3 decodes UTF-8 itself
    except UnicodeError:
        return rows_by_value(lambda: stream(_written_out))


@contextmanager
def _reading(
    engine: Engine, sql: str, parts: Sequence[Token], decode: Callable[[bytes], Any]
) -> Iterator[sqlite3.Connection]:
    """Make a connection read-only until it is released."""
    with _driver_connection(engine) as connection:

        def failed_query() -> FailedQuery:
            return FailedQuery(engine.url, sql, parts, lambda kind: _existing(connection, kind, parts))

        with translated_errors(failed_query):
            try:
                with _only_reading(connection, decode):
                    yield connection
            except sqlite3.OperationalError as error:
                if "decode to UTF-8" in str(error):
                    raise UnicodeError from None
                raise


@contextmanager
def _driver_connection(engine: Engine) -> Iterator[Any]:
    """Yield the driver's connection; the transaction of an engine with a single connection stays open."""
    if isinstance(engine.pool, StaticPool):
        # Returning it to the pool would roll back uncommitted changes.
        pool: StaticPool = engine.pool
        with connected(engine.url, lambda: nullcontext(pool.connection)) as only:
            yield only.driver_connection
        return
    with connected(engine.url, lambda: closing(engine.raw_connection())) as pooled:
        yield pooled.driver_connection


@contextmanager
def _only_reading(connection: Any, decode: Callable[[bytes], Any]) -> Iterator[None]:
    before, texts, rows = (
        connection.execute("PRAGMA query_only").fetchone()[0],
        connection.text_factory,
        connection.row_factory,
    )
    connection.execute("PRAGMA query_only = ON")
    connection.text_factory, connection.row_factory = decode, None
    connection.set_authorizer(_may)
    try:
        yield
    finally:
        connection.set_authorizer(None)
        connection.text_factory, connection.row_factory = texts, rows
        connection.execute(f"PRAGMA query_only = {'ON' if before else 'OFF'}")


def _may(step: int, first: str | None, second: str | None, *_: str | None) -> int:
    """Authorize an operation of a query; see https://www.sqlite.org/c3ref/set_authorizer.html."""
    allowed = (
        step in _ALLOWED
        or (step == sqlite3.SQLITE_FUNCTION and (second or "").lower() not in _FORBIDDEN)
        or (step in _PREPARED and _BEHIND.fullmatch(first or "") is not None)
        or (step == sqlite3.SQLITE_PRAGMA and (first or "").lower() in _PRAGMAS)
    )
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def _existing(connection: Any, kind: str, parts: Sequence[Token]) -> list[str]:
    """Return the tables, or the columns of the query's tables; used only for hints."""
    try:
        tables = [
            row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
        ]
        if kind != "column":
            return tables if kind == "table" else []
        used = {part.text.lower() for part in parts if part.kind in ("word", "name")}
        found: list[str] = []
        for table in tables:
            if table.lower() in used:
                found += [row[0] for row in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))]
        return list(dict.fromkeys(found))
    except sqlite3.Error:
        return []  # omit the hint; the caller raises the query's error anyway


def _path_of(url: URL) -> str | None:
    """Return the path of an address; None for an in-memory database."""
    database = url.database or ""
    if database.startswith("file:"):
        database = database.removeprefix("file:").partition("?")[0]
        if url.query.get("mode") == "memory":
            return None
    return None if database in ("", ":memory:") or str(url.query.get("vfs", "")) else str(Path(database))


def _bindable(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.isoformat(" ")
    if isinstance(value, dt.date):
        return value.isoformat()
    return float(value) if isinstance(value, Decimal) else value


def _written_out(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")
