"""Runs that resume: pushes, their steps, and locks."""

from alembic import op
from sqlalchemy import JSON, Boolean, Column, DateTime, Integer, String, false

revision = "0002"
down_revision = "0001"

_MOMENT = DateTime(timezone=True)


def upgrade() -> None:
    """Add the journal."""
    op.add_column("audiences", Column("directory", String(100), nullable=False, server_default=""))
    op.add_column("audiences", Column("chosen", Boolean, nullable=False, server_default=false()))
    op.add_column("audiences", Column("full_send_at", _MOMENT))
    op.add_column("runs", Column("connection_name", String(200), nullable=False, server_default=""))
    op.create_table(
        "pushes",
        Column("id", String(50), primary_key=True),
        Column("run_id", String(36), nullable=False, index=True),
        Column("number", Integer, nullable=False),
        Column("environment", String(20), nullable=False),
        Column("account_id", String(30), nullable=False),
        Column("customer_id", String(30), nullable=False),
        Column("segment_name", String(200), nullable=False),
        Column("audience_name", String(200), nullable=False),
        Column("audience_id", String(30), nullable=False),
        Column("audience_key", String(200), nullable=False),
        Column("directory", String(100), nullable=False),
        Column("chosen", Boolean, nullable=False),
        Column("marker", String(40), nullable=False),
        Column("mode", String(20), nullable=False),
        Column("normalization", String(20), nullable=False),
        Column("scope", String(20), nullable=False),
        Column("membership_days", Integer, nullable=False),
        Column("transport", String(20), nullable=False),
        Column("adds", Integer, nullable=False),
        Column("removes", Integer, nullable=False),
        Column("unchanged", Integer, nullable=False),
        Column("add_parts", JSON, nullable=False),
        Column("remove_parts", JSON, nullable=False),
        Column("full", Boolean, nullable=False),
        Column("base_generation", Integer, nullable=False),
        Column("finished", Boolean, nullable=False),
    )
    op.create_table(
        "steps",
        Column("id", String(60), primary_key=True),
        Column("push_id", String(50), nullable=False, index=True),
        Column("number", Integer, nullable=False),
        Column("kind", String(10), nullable=False),
        Column("action", String(10), nullable=False),
        Column("start", Integer, nullable=False),
        Column("stop", Integer, nullable=False),
        Column("state", String(10), nullable=False),
        Column("maybe", Boolean, nullable=False),
        Column("request_id", String(60), nullable=False),
        Column("rejected", Integer, nullable=False),
        Column("code", String(30), nullable=False),
        Column("error_name", String(100), nullable=False),
        Column("tracking_ids", JSON, nullable=False),
    )
    op.create_table(
        "locks",
        Column("name", String(300), primary_key=True),
        Column("run_id", String(36), nullable=False),
        Column("holder", String(200), nullable=False),
        Column("host", String(200), nullable=False),
        Column("process", String(60), nullable=False),
        Column("taken_at", _MOMENT, nullable=False),
        Column("seen_at", _MOMENT, nullable=False),
    )
