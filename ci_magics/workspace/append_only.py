"""Append-only tables: the database itself rejects changes and deletions."""

from __future__ import annotations

from sqlalchemy import DDL, Table, event

_SQLITE = (
    "CREATE TRIGGER IF NOT EXISTS {table}_{what} BEFORE {what} ON {table} "
    "BEGIN SELECT RAISE(ABORT, 'only ever added to'); END"
)
_POSTGRESQL_FUNCTION = (
    "CREATE OR REPLACE FUNCTION {table}_{what}() RETURNS trigger AS "
    "$$ BEGIN RAISE EXCEPTION 'only ever added to'; END $$ LANGUAGE plpgsql"
)
_POSTGRESQL_TRIGGER = (
    "CREATE OR REPLACE TRIGGER {table}_{what} BEFORE {what} ON {table} "
    "FOR EACH STATEMENT EXECUTE FUNCTION {table}_{what}()"
)


def refuse_changes(table: Table) -> None:
    """Make the database reject updates and deletions of rows, as soon as the table is created."""
    for dialect, statement, kinds in (
        ("sqlite", _SQLITE, ("UPDATE", "DELETE")),
        ("postgresql", _POSTGRESQL_FUNCTION, ("UPDATE", "DELETE", "TRUNCATE")),
        ("postgresql", _POSTGRESQL_TRIGGER, ("UPDATE", "DELETE", "TRUNCATE")),
    ):
        for what in kinds:
            written = statement.format(table=table.name, what=what)
            event.listen(table, "after_create", DDL(written).execute_if(dialect=dialect))  # type: ignore[no-untyped-call]  # SQLAlchemy's


def refuse_truncation(table: str) -> list[str]:
    """Return the statements that make an existing PostgreSQL table reject truncation."""
    return [each.format(table=table, what="TRUNCATE") for each in (_POSTGRESQL_FUNCTION, _POSTGRESQL_TRIGGER)]
