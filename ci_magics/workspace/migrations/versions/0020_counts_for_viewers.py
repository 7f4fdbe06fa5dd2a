"""What can be sent of a segment, in counts that those may read who may not read keys and hashes."""

from alembic import op
from sqlalchemy import JSON, Column

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Add the counts; there are none until a segment is refreshed or roles are enforced again."""
    op.add_column("segments", Column("kept_counts", JSON, nullable=False, server_default="{}"))
