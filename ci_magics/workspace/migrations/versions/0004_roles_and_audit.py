"""Roles and the audit log."""

from alembic import op
from sqlalchemy import JSON, Column, DateTime, Integer, MetaData, String, Table

from ci_magics.workspace.append_only import refuse_changes

revision = "0004"
down_revision = "0003"

_MOMENT = DateTime(timezone=True)


def upgrade() -> None:
    """Add roles, and an audit log that the database makes append-only."""
    op.create_table(
        "user_roles",
        Column("id", String(200), primary_key=True),
        Column("role", String(20), nullable=False),
        Column("given_by", String(200), nullable=False),
        Column("given_at", _MOMENT, nullable=False),
    )
    audit_entries = Table(
        "audit_entries",
        MetaData(),
        Column("number", Integer, primary_key=True),
        Column("id", String(36), nullable=False, unique=True),
        Column("at", _MOMENT, nullable=False, index=True),
        Column("user", String(200), nullable=False),
        Column("verb", String(40), nullable=False),
        Column("subject", String(300), nullable=False),
        Column("facts", JSON, nullable=False),
    )
    refuse_changes(audit_entries)
    audit_entries.create(op.get_bind())
