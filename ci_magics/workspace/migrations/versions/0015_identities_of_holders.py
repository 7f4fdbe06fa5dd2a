"""Locks whose holder has a random identity and a heartbeat, and the place where its process id is valid."""

from alembic import op
from sqlalchemy import Column, Integer, String

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Add the identity, the heartbeat and the place of holders."""
    op.add_column("locks", Column("identity", String(36), nullable=False, server_default=""))
    op.add_column("locks", Column("beat", Integer, nullable=False, server_default="0"))
    op.add_column("locks", Column("place", String(200), nullable=False, server_default=""))
    op.add_column("heartbeats", Column("place", String(200), nullable=False, server_default=""))
