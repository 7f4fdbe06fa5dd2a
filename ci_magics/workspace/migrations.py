"""Bring the database of an earlier version up to date, inside the transaction that opens it."""

from __future__ import annotations

from sqlalchemy import Connection, insert, text

from ci_magics.workspace import tables

#: What each version added to tables that the one before it had.
_ADDED = {
    2: (
        "ALTER TABLE audiences ADD COLUMN directory VARCHAR(100) NOT NULL DEFAULT ''",
        "ALTER TABLE audiences ADD COLUMN chosen BOOLEAN NOT NULL DEFAULT FALSE",
        "ALTER TABLE audiences ADD COLUMN full_send_at TIMESTAMP",
        "ALTER TABLE runs ADD COLUMN connection_name VARCHAR(200) NOT NULL DEFAULT ''",
    ),
    3: (
        "ALTER TABLE segments ADD COLUMN active BOOLEAN NOT NULL DEFAULT TRUE",
        "ALTER TABLE segments ADD COLUMN suppresses BOOLEAN NOT NULL DEFAULT FALSE",
        "ALTER TABLE segments ADD COLUMN tags JSON NOT NULL DEFAULT '[]'",
    ),
    4: (),
}


def bring_up_to_date(database: Connection, version: int) -> None:
    """Apply what came after a version; tables that are new altogether are made by whoever asks."""
    for newer in range(version + 1, tables.SCHEMA_VERSION + 1):
        for statement in _ADDED[newer]:
            database.execute(text(statement))
        database.execute(insert(tables.schema_versions).values(version=newer))
