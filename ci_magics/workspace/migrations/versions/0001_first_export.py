"""What a first export needs: connections with consents, segments, audiences, runs."""

from alembic import op
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Integer,
    String,
    UniqueConstraint,
)

revision = "0001"
down_revision = None

_MOMENT = DateTime(timezone=True)


def upgrade() -> None:
    """Create the first tables."""
    op.create_table("schema_versions", Column("version", Integer, primary_key=True))
    op.create_table(
        "connections",
        Column("id", String(36), primary_key=True),
        Column("name", String(200), nullable=False, unique=True),
        Column("environment", String(20), nullable=False),
        Column("customer_id", String(30), nullable=False),
        Column("account_id", String(30), nullable=False),
        Column("account_name", String(200), nullable=False),
        Column("shared_with", JSON, nullable=False),
        Column("flow", String(20)),
        Column("client_id", String(100)),
        Column("tenant", String(100), nullable=False),
        Column("home_account_id", String(200)),
        Column("created_by", String(200), nullable=False),
        Column("created_at", _MOMENT, nullable=False),
    )
    op.create_table(
        "consents",
        Column("id", String(36), primary_key=True),
        Column("connection_id", String(36), ForeignKey("connections.id", ondelete="CASCADE"), nullable=False),
        Column("kind", String(40), nullable=False),
        Column("text_version", String(20), nullable=False),
        Column("given_by", String(200), nullable=False),
        Column("given_at", _MOMENT, nullable=False),
        Column("withdrawn_by", String(200)),
        Column("withdrawn_at", _MOMENT),
    )
    op.create_table(
        "segments",
        Column("id", String(36), primary_key=True),
        Column("name", String(200), nullable=False, unique=True),
        Column("definition", JSON, nullable=False),
        Column("fingerprint", String(64), nullable=False),
        Column("rows", Integer, nullable=False),
        Column("domains", JSON, nullable=False),
        Column("examples", JSON, nullable=False),
        Column("unused_consent", JSON, nullable=False),
        Column("created_by", String(200), nullable=False),
        Column("created_at", _MOMENT, nullable=False),
    )
    op.create_table(
        "audiences",
        Column("id", String(36), primary_key=True),
        Column("environment", String(20), nullable=False),
        Column("account_id", String(30), nullable=False),
        Column("audience_id", String(30), nullable=False),
        Column("name", String(200), nullable=False),
        Column("segment_name", String(200), nullable=False),
        Column("normalization", String(20), nullable=False),
        Column("membership_days", Integer, nullable=False),
        Column("owned", Boolean, nullable=False),
        Column("members", Integer, nullable=False),
        Column("generation", Integer, nullable=False),
        Column("updated_at", _MOMENT, nullable=False),
        UniqueConstraint("environment", "account_id", "audience_id"),
    )
    op.create_table(
        "runs",
        Column("id", String(36), primary_key=True),
        Column("connection_id", String(36), nullable=False),
        Column("destination", String(300), nullable=False),
        Column("status", String(30), nullable=False),
        Column("results", JSON, nullable=False),
        Column("started_by", String(200), nullable=False),
        Column("started_at", _MOMENT, nullable=False),
        Column("finished_at", _MOMENT),
    )
