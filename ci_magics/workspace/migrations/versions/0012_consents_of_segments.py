"""Consents of segments, and the columns that were chosen for each source."""

import json

from alembic import op
from sqlalchemy import JSON, Column, DateTime, String, text

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Store a document instead of the names of unused consent columns; early snapshots hold the columns themselves."""
    op.create_table(
        "consent_choices",
        Column("id", String(36), primary_key=True),
        Column("source", String(200), nullable=False, unique=True),
        Column("document", JSON, nullable=False),
        Column("chosen_by", String(200), nullable=False),
        Column("chosen_at", DateTime(timezone=True), nullable=False),
    )
    op.add_column("segments", Column("consent", JSON, nullable=False, server_default="{}"))
    database = op.get_bind()
    for identity, unused in database.execute(text("SELECT id, unused_consent FROM segments")).all():
        columns = json.loads(unused) if isinstance(unused, str) else unused
        if columns:
            document = json.dumps({"columns": columns, "in_old_form": True})
            database.execute(
                text("UPDATE segments SET consent = :consent WHERE id = :id"), {"consent": document, "id": identity}
            )
    with op.batch_alter_table("segments") as segments:
        segments.drop_column("unused_consent")
