"""Sign-ins are stored for each user, not for the connection."""

from alembic import op
from sqlalchemy import Column, DateTime, String

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the sign-ins of each user; remove the shared one."""
    op.create_table(
        "sign_ins",
        Column("id", String(250), primary_key=True),
        Column("user", String(200), nullable=False),
        Column("subject_id", String(36), nullable=False, index=True),
        Column("home_account_id", String(200), nullable=False),
        Column("signed_in_at", DateTime(timezone=True), nullable=False),
    )
    op.drop_column("connections", "home_account_id")
