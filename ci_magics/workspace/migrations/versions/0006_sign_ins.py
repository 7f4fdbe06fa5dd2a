"""Who signed in for what is noted for each person, not on the connection."""

from alembic import op
from sqlalchemy import Column, DateTime, String

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the sign-ins of each person; take the one that all shared away."""
    op.create_table(
        "sign_ins",
        Column("id", String(250), primary_key=True),
        Column("user", String(200), nullable=False),
        Column("subject_id", String(36), nullable=False, index=True),
        Column("home_account_id", String(200), nullable=False),
        Column("signed_in_at", DateTime(timezone=True), nullable=False),
    )
    op.drop_column("connections", "home_account_id")
