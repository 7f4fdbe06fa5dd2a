"""Saved exports with their schedules and runs, refreshes, settings, and notifications."""

from alembic import op
from sqlalchemy import JSON, Boolean, Column, DateTime, Integer, String, Text, UniqueConstraint

revision = "0008"
down_revision = "0007"

_MOMENT = DateTime(timezone=True)


def upgrade() -> None:
    """Add what saved exports and schedules need."""
    op.create_table(
        "exports",
        Column("id", String(36), primary_key=True),
        Column("name", String(200), nullable=False, unique=True),
        Column("connection_id", String(36)),
        Column("connection_name", String(200), nullable=False),
        Column("document", JSON, nullable=False),
        Column("schedule", JSON(none_as_null=True)),
        Column("active", Boolean, nullable=False),
        Column("scheduled_at", _MOMENT, nullable=False),
        Column("created_by", String(200), nullable=False),
        Column("created_at", _MOMENT, nullable=False),
        Column("saved_by", String(200), nullable=False),
        Column("saved_at", _MOMENT, nullable=False),
    )
    op.create_table(
        "export_runs",
        Column("id", String(36), primary_key=True),
        Column("export_id", String(36), nullable=False),
        Column("export_name", String(200), nullable=False),
        Column("connection_name", String(200), nullable=False),
        Column("trigger", String(20), nullable=False),
        Column("due_at", _MOMENT),
        Column("status", String(30), nullable=False),
        Column("reason", Text, nullable=False),
        Column("attempts", Integer, nullable=False),
        Column("retry_at", _MOMENT),
        Column("accepted", Integer, nullable=False),
        Column("rejected", Integer, nullable=False),
        Column("members", Integer, nullable=False),
        Column("started_by", String(200), nullable=False),
        Column("started_at", _MOMENT, nullable=False),
        Column("finished_at", _MOMENT),
        UniqueConstraint("export_id", "due_at"),
    )
    op.create_index("ix_export_runs_export_id", "export_runs", ["export_id"])
    op.create_table(
        "refreshes",
        Column("id", String(36), primary_key=True),
        Column("trigger", String(20), nullable=False),
        Column("due_at", _MOMENT),
        Column("notebook", String(300), nullable=False),
        Column("status", String(30), nullable=False),
        Column("reason", Text, nullable=False),
        Column("segments", JSON, nullable=False),
        Column("exports", JSON, nullable=False),
        Column("started_by", String(200), nullable=False),
        Column("started_at", _MOMENT, nullable=False),
        Column("finished_at", _MOMENT),
    )
    op.create_table(
        "settings",
        Column("id", String(100), primary_key=True),
        Column("value", JSON, nullable=False),
        Column("set_by", String(200), nullable=False),
        Column("set_at", _MOMENT, nullable=False),
    )
    op.create_table(
        "notices",
        Column("id", String(100), primary_key=True),
        Column("export_id", String(36), nullable=False),
        Column("channel", String(20), nullable=False),
        Column("state", String(20), nullable=False),
        Column("told_at", _MOMENT, nullable=False),
    )
    op.create_index("ix_notices_export_id", "notices", ["export_id"])
