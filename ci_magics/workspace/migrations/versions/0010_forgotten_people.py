"""The suppression list of people who asked to be forgotten."""

from alembic import op
from sqlalchemy import Column, DateTime, LargeBinary

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the list."""
    op.create_table(
        "forgotten_hashes",
        Column("sha256", LargeBinary(32), primary_key=True),
        Column("forgotten_at", DateTime(timezone=True), nullable=False),
    )
