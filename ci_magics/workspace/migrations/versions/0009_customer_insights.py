"""Instances of Customer Insights that segments are read from."""

from alembic import op
from sqlalchemy import JSON, Column, DateTime, String

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Remember which instances were opened."""
    op.create_table(
        "insights",
        Column("id", String(36), primary_key=True),
        Column("name", String(200), nullable=False, unique=True),
        Column("environment", String(20), nullable=False),
        Column("instance_id", String(100), nullable=False),
        Column("organization_url", String(300), nullable=False),
        Column("flow", String(20)),
        Column("client_id", String(100)),
        Column("tenant", String(100), nullable=False),
        Column("known_segments", JSON, nullable=False),
        Column("created_by", String(200), nullable=False),
        Column("created_at", DateTime(timezone=True), nullable=False),
    )
