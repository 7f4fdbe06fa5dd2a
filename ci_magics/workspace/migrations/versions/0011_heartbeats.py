"""Heartbeats of schedulers and refreshes."""

from alembic import op
from sqlalchemy import Column, DateTime, String

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the heartbeats."""
    op.create_table(
        "heartbeats",
        Column("id", String(300), primary_key=True),
        Column("kind", String(20), nullable=False),
        Column("user", String(200), nullable=False),
        Column("host", String(200), nullable=False),
        Column("process", String(60), nullable=False),
        Column("seen_at", DateTime(timezone=True), nullable=False),
        Column("seen_before", DateTime(timezone=True)),
    )
