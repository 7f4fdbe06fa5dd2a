"""Databases as sources: run one read-only query in the database, and read its result in Arrow batches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import duckdb
from sqlalchemy import URL, Connection, Engine, NullPool

from ci_magics.errors import SegmentError
from ci_magics.segmentation.sources.database_address import open_engine, read_address
from ci_magics.segmentation.sources.duckdb_source import duckdb_connection, query_duckdb_connection, query_duckdb_file
from ci_magics.segmentation.sources.mysql import query_mysql
from ci_magics.segmentation.sources.other_databases import query_other
from ci_magics.segmentation.sources.postgresql import query_postgresql
from ci_magics.segmentation.sources.rows import Rows
from ci_magics.segmentation.sources.sql_text import lexis_of, parameters, tokens
from ci_magics.segmentation.sources.sqlite import open_sqlite, query_sqlite

#: A database: an address in SQLAlchemy's syntax, a SQLAlchemy engine, or a DuckDB connection.
Source = str | URL | Engine | duckdb.DuckDBPyConnection


def query_database(database: Source, sql: str, values: Mapping[str, Any]) -> Rows:
    """Return the result of a query in a database.

    The query only reads: the database itself confirms this and runs it read-only. The settings of an engine or a
    connection are preserved, and nothing is committed.

    Parameters
    ----------
    database
        An address in SQLAlchemy's syntax, an engine, or a DuckDB connection. A PostgreSQL address is read through ADBC
        if its driver is installed, a DuckDB file through DuckDB, everything else through SQLAlchemy.
    sql
        One SELECT in the database's own SQL.
    values
        Values for ``$name`` in the query; bound, never interpolated.

    Raises
    ------
    SegmentError
        The database cannot be reached, the query is not read-only, or it cannot be run.
    """
    source = _opened(database)
    if isinstance(source, duckdb.DuckDBPyConnection):
        return query_duckdb_connection(source, sql, _bound(sql, "duckdb", values))
    if isinstance(source, URL) and source.get_backend_name() == "duckdb":
        return query_duckdb_file(source.database or "", sql, _bound(sql, "duckdb", values))
    if isinstance(source, URL):
        source = _engine(source)
    backend = source.get_backend_name() if isinstance(source, URL) else source.dialect.name
    bound = _bound(sql, backend, values)
    if backend in ("postgresql", "cockroachdb"):
        return query_postgresql(source, sql, bound)
    if isinstance(source, URL):
        raise TypeError(backend)
    return {"mysql": query_mysql, "mariadb": query_mysql, "sqlite": query_sqlite}.get(backend, query_other)(
        source, sql, bound
    )


def parameter_names(sql: str, database: Source | None = None) -> list[str]:
    """Return the names of ``$name`` parameters in a query, ignoring texts, quoted names and comments.

    Parameters
    ----------
    sql
        The query.
    database
        Where it runs, because the syntax of texts and comments differs between databases.
    """
    return parameters(tokens(sql, lexis_of("postgresql" if database is None else dialect_of(database))))


def dialect_of(database: Source) -> str:
    """Return SQLAlchemy's name for a database.

    Raises
    ------
    SegmentError
        It is not a database, or its address cannot be parsed.
    """
    source = database if isinstance(database, Engine) else _opened(database)
    if isinstance(source, duckdb.DuckDBPyConnection):
        return "duckdb"
    return source.dialect.name if isinstance(source, Engine) else source.get_backend_name()


def _opened(database: Any) -> URL | Engine | duckdb.DuckDBPyConnection:
    if isinstance(database, str):
        return read_address(database)
    if isinstance(database, URL):
        return read_address(database.render_as_string(hide_password=False))
    if isinstance(database, Engine) and database.dialect.name != "duckdb":
        return database
    if isinstance(database, duckdb.DuckDBPyConnection):
        return database
    if isinstance(database, Engine):
        return duckdb_connection(database)
    if isinstance(database, Connection):
        return _opened(database.engine)
    if isinstance(getattr(database, "sync_engine", None), Engine):  # an asyncio engine
        return _opened(database.url)
    raise SegmentError(
        f"A {type(database).__name__} is not a database.",
        "Give an address such as postgresql://host/name, an engine of SQLAlchemy, or a connection of DuckDB.",
        code="database_address",
    )


def _engine(url: URL) -> URL | Engine:
    """Return what reads an address: for ADBC the address itself, because ADBC opens its own connections."""
    if url.get_backend_name() == "sqlite":
        return open_sqlite(url)
    if url.get_backend_name() == "postgresql" and _has_adbc():
        return url
    return open_engine(url, poolclass=NullPool)


def _has_adbc() -> bool:
    """Return whether the ADBC driver works: it can be installed without its dependencies."""
    try:
        import adbc_driver_postgresql.dbapi
    except ImportError:
        return False
    return bool(adbc_driver_postgresql.dbapi)


def _bound(sql: str, dialect: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that a query uses."""
    bound = {}
    for name in parameters(tokens(sql, lexis_of(dialect))):
        if name not in values:
            raise SegmentError(
                f"The query has no value for ${name}.", "Make a variable of that name first.", code="no_parameter"
            )
        value = values[name]
        bound[name] = value.item() if hasattr(value, "item") else value
    return bound
