"""Segments that can be deactivated and tagged, and the history of their counts."""

from alembic import op
from sqlalchemy import JSON, Boolean, Column, DateTime, Integer, String, false, true

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the state of segments and the history of their counts."""
    op.add_column("segments", Column("active", Boolean, nullable=False, server_default=true()))
    op.add_column("segments", Column("suppresses", Boolean, nullable=False, server_default=false()))
    op.add_column("segments", Column("tags", JSON, nullable=False, server_default="[]"))
    op.create_table(
        "segment_counts",
        Column("id", String(36), primary_key=True),
        Column("segment_name", String(200), nullable=False, index=True),
        Column("rows", Integer, nullable=False),
        Column("counted_at", DateTime(timezone=True), nullable=False),
    )
