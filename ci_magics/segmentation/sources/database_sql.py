"""Shared code for databases behind SQLAlchemy: parameters, driver errors, and existing names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa
from sqlalchemy.exc import SQLAlchemyError

from ci_magics.segmentation.sources.sql_text import Token, rewritten

_SYSTEM = ("pg_catalog", "information_schema", "mysql", "performance_schema", "sys")
_NAMES = {
    "table": "SELECT table_schema, table_name FROM information_schema.tables ORDER BY 2",
    "schema": "SELECT schema_name, schema_name FROM information_schema.schemata ORDER BY 2",
    "column": "SELECT table_schema, column_name, table_name FROM information_schema.columns",
}
_DRIVERS = ("adbc", "psycopg", "pymysql", "MySQLdb", "mysql", "mariadb", "sqlite3", "pyodbc", "oracledb", "duckdb")


def written(sql: str, parts: Sequence[Token], values: Mapping[str, Any], style: str) -> tuple[str, Any]:
    """Return a query and its values in a driver's parameter style.

    Parameters
    ----------
    sql, parts
        The query and its tokens.
    values
        A value for each ``$name``.
    style
        The driver's ``paramstyle``. https://peps.python.org/pep-0249/#paramstyle
    """
    order: list[str] = []

    def one(name: str) -> str:
        order.append(name)
        return {
            "pyformat": f"%({name})s",
            "format": "%s",
            "named": f":{name}",
            "numeric": f":{len(order)}",
            "numeric_dollar": f"${len(order)}",
        }.get(style, "?")

    # SQLAlchemy always passes parameters to these drivers, even if empty, so each percent sign must be doubled.
    text = rewritten(sql, parts, one, percent="%%" if style in ("pyformat", "format") else "%")
    if style in ("pyformat", "named"):
        return text, {name: values[name] for name in order}
    return text, tuple(values[name] for name in order)


def is_drivers(error: Exception) -> bool:
    """Return whether an error comes from a database or its driver."""
    return isinstance(error, SQLAlchemyError | pa.ArrowException) or any(
        kind.__module__.startswith(_DRIVERS) or kind.__name__ == "DatabaseError" for kind in type(error).__mro__
    )


def existing_names(run: Callable[[str], list[Any]], kind: str, parts: Sequence[Token]) -> list[str]:
    """Return the tables or schemas of a database, or the columns of the query's tables; used only for hints.

    Parameters
    ----------
    run
        Runs a query and returns its rows.
    kind
        ``table``, ``schema`` or ``column``.
    parts
        The tokens of the user's query.
    """
    try:
        rows = run(_NAMES[kind])
    except Exception as error:
        if not is_drivers(error):
            raise
        return []  # omit the hint; the caller raises the query's error anyway
    used = {part.text.lower() for part in parts if part.kind in ("word", "name")}
    wanted = [row for row in rows if str(row[0]).lower() not in _SYSTEM]
    return list(dict.fromkeys(str(row[1]) for row in wanted if kind != "column" or str(row[2]).lower() in used))
