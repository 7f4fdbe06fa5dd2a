"""Owners of a team's files: the processes that wrote them."""

from alembic import op
from sqlalchemy import Column, String

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Add the owner of a file; unknown for existing files."""
    op.add_column("files", Column("owner", String(36), nullable=False, server_default=""))
    op.add_column("file_contents", Column("owner", String(36), nullable=False, server_default=""))
