"""Counts of what can be sent, for users who may not read keys and hashes."""

from alembic import op
from sqlalchemy import JSON, Column

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Add the counts; empty until a segment is refreshed or roles are enforced again."""
    op.add_column("segments", Column("kept_counts", JSON, nullable=False, server_default="{}"))
