"""Remove possible secrets from database addresses, and e-mail addresses from names."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy import JSON, Column, MetaData, String, Table

from ci_magics.discretion import kept, names_somebody, person_name
from ci_magics.kept_address import kept_address

revision = "0017"
down_revision = "0016"

#: The append-only table, and Alembic's.
_UNCHANGED = ("audit_entries", "alembic_version")
_PLACES = (("segments", "definition"), ("segment_versions", "record"))


def upgrade() -> None:
    """Keep only the parts of each database address that may be stored."""
    database = op.get_bind()
    for name, column in _PLACES:
        table = Table(name, MetaData(), Column("id", String(36), primary_key=True), Column(column, JSON))
        for identity, document in database.execute(sa.select(table.c.id, table.c[column])).all():
            cleaned = _cleaned(document)
            if cleaned != document:
                database.execute(sa.update(table).where(table.c.id == identity).values({column: cleaned}))
    for name in sa.inspect(database).get_table_names():
        if name not in _UNCHANGED:
            _pseudonymize(database, Table(name, MetaData(), autoload_with=database))


def _pseudonymize(database: sa.Connection, table: Table) -> None:
    """Replace addresses of users by pseudonyms, and addresses in texts by dots."""
    columns = [each for each in table.columns if isinstance(each.type, String | JSON)]
    keys = list(table.primary_key)
    for row in database.execute(sa.select(*keys, *columns)).mappings().all():
        changed = {each.name: _without_people(row[each.name]) for each in columns}
        changed = {name: value for name, value in changed.items() if value != row[name]}
        if changed:
            here = [each == row[each.name] for each in keys]
            database.execute(sa.update(table).where(*here).values(changed))


def _without_people(value: Any) -> Any:
    if isinstance(value, str):
        return person_name(value) if names_somebody(value) and not set(value) & set(" /\\'") else kept(value)
    if isinstance(value, dict):
        return {name: _without_people(each) for name, each in value.items()}
    return [_without_people(each) for each in value] if isinstance(value, list) else value


def _cleaned(document: Any) -> Any:
    if isinstance(document, dict):
        return {
            name: kept_address(each) if name == "database" and isinstance(each, str) else _cleaned(each)
            for name, each in document.items()
        }
    return [_cleaned(each) for each in document] if isinstance(document, list) else document
