"""Remove e-mail addresses and hashes from the audit log of earlier versions; nothing else changes.

The database refuses to change an entry. Only the owner of its tables, who migrates it, can lift that.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy import JSON, Column, Integer, MetaData, String, Table

from ci_magics.discretion import person_name, without_addresses_and_hashes

revision = "0018"
down_revision = "0017"

_ENTRIES = Table(
    "audit_entries",
    MetaData(),
    Column("number", Integer, primary_key=True),
    Column("user", String(200)),
    Column("subject", String(300)),
    Column("facts", JSON),
)


def upgrade() -> None:
    """Rewrite the entries as this version would write them."""
    database = op.get_bind()
    changes = [
        (row.number, now)
        for row in database.execute(sa.select(_ENTRIES)).all()
        if (now := _impersonal(row)) != {"user": row.user, "subject": row.subject, "facts": row.facts}
    ]
    if not changes:
        return
    lift, guard = _guard(database)
    op.execute(lift)
    for number, now in changes:
        database.execute(sa.update(_ENTRIES).where(_ENTRIES.c.number == number).values(now))
    op.execute(guard)


def _guard(database: sa.Connection) -> tuple[str, str]:
    """Return the statements that disable and enable the trigger that rejects changes."""
    if database.dialect.name == "sqlite":
        made = database.scalar(sa.text("SELECT sql FROM sqlite_master WHERE name = 'audit_entries_UPDATE'"))
        return "DROP TRIGGER audit_entries_UPDATE", str(made)
    alter = "ALTER TABLE audit_entries {} TRIGGER audit_entries_update"
    return alter.format("DISABLE"), alter.format("ENABLE")


def _impersonal(row: Any) -> dict[str, Any]:
    return {
        "user": person_name(row.user),
        "subject": without_addresses_and_hashes(row.subject),
        "facts": _of(row.facts),
    }


def _of(value: Any) -> Any:
    if isinstance(value, str):
        return without_addresses_and_hashes(value)
    if isinstance(value, dict):
        return {name: _of(each) for name, each in value.items()}
    return [_of(each) for each in value] if isinstance(value, list) else value
