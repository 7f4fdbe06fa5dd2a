"""Columns that the database should not compress: hashes are incompressible."""

from __future__ import annotations

from typing import Any

from sqlalchemy import DDL, Column, event


def keep_uncompressed(column: Column[Any]) -> None:
    """Make PostgreSQL store a column's values uncompressed, as soon as the table is created.

    Otherwise it tries to compress each value before it moves it out of the row (``ALTER TABLE ... SET STORAGE``).
    """
    statement = f"ALTER TABLE {column.table.name} ALTER COLUMN {column.name} SET STORAGE EXTERNAL"
    event.listen(column.table, "after_create", DDL(statement).execute_if(dialect="postgresql"))  # type: ignore[no-untyped-call]  # SQLAlchemy's
