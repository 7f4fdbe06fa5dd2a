"""Earlier versions of segments, so that replacing and deleting can be undone."""

from alembic import op
from sqlalchemy import JSON, Column, DateTime, Integer, String

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Add the table of versions, and to segments which version they replaced."""
    op.add_column("segments", Column("previous", String(36)))
    op.create_table(
        "segment_versions",
        Column("id", String(36), primary_key=True),
        Column("segment_name", String(200), nullable=False, index=True),
        Column("previous", String(36)),
        Column("rows", Integer, nullable=False),
        Column("record", JSON, nullable=False),
        Column("made_at", DateTime(timezone=True), nullable=False),
        Column("ended_at", DateTime(timezone=True), nullable=False),
        Column("ended_by", String(200), nullable=False),
        Column("reason", String(20), nullable=False),
    )
