"""SQLite as a source: opened read-only, and asked before each step whether a query may take it."""

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
from ci_magics.segmentation.sources.database_errors import Asked
from ci_magics.segmentation.sources.database_reading import Stream, connected, in_words, rows_by_value
from ci_magics.segmentation.sources.one_select import require_select
from ci_magics.segmentation.sources.rows import BATCH, Rows
from ci_magics.segmentation.sources.sql_text import Token, lexis_of, tokens

#: Steps that a SELECT takes. https://www.sqlite.org/c3ref/c_alter_table.html
_ALLOWED = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE})
#: Steps that SQLite only prepares when a virtual table such as ``json_each`` or an R-tree is opened: on its catalog
#: and the tables behind an R-tree. ``query_only`` stops them if they are taken.
_PREPARED = frozenset({sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_INSERT, sqlite3.SQLITE_DELETE})
_BEHIND = re.compile(r"sqlite_(?:temp_)?(?:master|schema)|.+_(?:node|parent|rowid)")
#: Functions that run code, or read and write files, where an extension brought them.
_FORBIDDEN = frozenset(
    {"load_extension", "writefile", "readfile", "edit", "fts3_tokenizer", "fsdir", "lsdir", "eval", "zipfile"}
)
#: PRAGMAs that a SELECT may read as a table, as in ``FROM pragma_table_info('people')``.
_PRAGMAS = frozenset(
    {"table_info", "table_xinfo", "table_list", "index_list", "index_info", "database_list", "data_version"}
)


def open_sqlite(url: URL) -> Engine:
    """Return an engine for the file of an address, which opens it read-only.

    Raises
    ------
    SegmentError
        There is no such file.
    """
    path = _path_of(url)
    if path is None or url.get_driver_name() not in ("pysqlite", "aiosqlite"):
        return open_engine(url, poolclass=NullPool)
    file = require_file(path)

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True, check_same_thread=False)

    return open_engine(url, creator=connect, poolclass=NullPool)


def query_sqlite(engine: Engine, sql: str, values: Mapping[str, Any]) -> Rows:
    """Return what a query of SQLite gives.

    A column has the type of its values: each of them is looked at once, before the query is read.

    Parameters
    ----------
    engine
        Its own connections are used, and left as they were.
    sql
        One SELECT.
    values
        Values for ``$name`` in the query.

    Raises
    ------
    SegmentError
        It does more than reading, there is no such file, or the query cannot be run.
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
        return rows_by_value(lambda: stream(str))  # sqlite3 takes the type itself for UTF-8, and is fast
    except UnicodeError:
        return rows_by_value(lambda: stream(_written_out))


@contextmanager
def _reading(
    engine: Engine, sql: str, parts: Sequence[Token], decode: Callable[[bytes], Any]
) -> Iterator[sqlite3.Connection]:
    """Let a connection only read until it is given back."""
    with _driver_connection(engine) as connection:

        def asked() -> Asked:
            return Asked(engine.url, sql, parts, lambda kind: _existing(connection, kind, parts))

        with in_words(asked):
            try:
                with _only_reading(connection, decode):
                    yield connection
            except sqlite3.OperationalError as error:
                if "decode to UTF-8" in str(error):
                    raise UnicodeError from None
                raise


@contextmanager
def _driver_connection(engine: Engine) -> Iterator[Any]:
    """Return the driver's connection; its transaction, if the engine has only one connection, stays open."""
    if isinstance(engine.pool, StaticPool):
        # To give it back to the pool would roll back what is not committed yet.
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
    """Allow a step of a query, or not: see https://www.sqlite.org/c3ref/set_authorizer.html."""
    allowed = (
        step in _ALLOWED
        or (step == sqlite3.SQLITE_FUNCTION and (second or "").lower() not in _FORBIDDEN)
        or (step in _PREPARED and _BEHIND.fullmatch(first or "") is not None)
        or (step == sqlite3.SQLITE_PRAGMA and (first or "").lower() in _PRAGMAS)
    )
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def _existing(connection: Any, kind: str, parts: Sequence[Token]) -> list[str]:
    """Return the tables, or the columns of the tables that a query names; for hints only."""
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
        return []  # the hint is left out; the error about the query comes in any case


def _path_of(url: URL) -> str | None:
    """Return the path of an address; None for a database in memory."""
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
