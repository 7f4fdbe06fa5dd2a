"""Columns whose values the database need not try to compress: hashes never get shorter."""

from __future__ import annotations

from typing import Any

from sqlalchemy import DDL, Column, event


def keep_uncompressed(column: Column[Any]) -> None:
    """Let PostgreSQL keep a column's values as they are, from when the table is made.

    It would otherwise try to compress each before it moves it out of the row (``ALTER TABLE ... SET STORAGE``).
    """
    statement = f"ALTER TABLE {column.table.name} ALTER COLUMN {column.name} SET STORAGE EXTERNAL"
    event.listen(column.table, "after_create", DDL(statement).execute_if(dialect="postgresql"))  # type: ignore[no-untyped-call]  # SQLAlchemy's
