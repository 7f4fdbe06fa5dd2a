"""From here on, Alembic stores the version; older programs find a newer version in the old place, and stop."""

from alembic import op
from sqlalchemy import column, insert, table

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Write a newer version into the old table."""
    op.execute(insert(table("schema_versions", column("version"))).values(version=5))
