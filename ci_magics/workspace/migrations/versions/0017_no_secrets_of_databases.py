"""Take out of kept definitions what may be a secret in the address of a database."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy import JSON, Column, MetaData, String, Table

from ci_magics.kept_address import kept_address

revision = "0017"
down_revision = "0016"

_PLACES = (("segments", "definition"), ("segment_versions", "record"))


def upgrade() -> None:
    """Keep of each address what may be kept of a new one; the rest comes from elsewhere when it is needed."""
    database = op.get_bind()
    for name, column in _PLACES:
        table = Table(name, MetaData(), Column("id", String(36), primary_key=True), Column(column, JSON))
        for identity, document in database.execute(sa.select(table.c.id, table.c[column])).all():
            cleaned = _cleaned(document)
            if cleaned != document:
                database.execute(sa.update(table).where(table.c.id == identity).values({column: cleaned}))


def _cleaned(document: Any) -> Any:
    if isinstance(document, dict):
        return {
            name: kept_address(each) if name == "database" and isinstance(each, str) else _cleaned(each)
            for name, each in document.items()
        }
    return [_cleaned(each) for each in document] if isinstance(document, list) else document
