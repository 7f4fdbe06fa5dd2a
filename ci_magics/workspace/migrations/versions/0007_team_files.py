"""Files of a team's workspace, in the database."""

from alembic import op
from sqlalchemy import BigInteger, Column, DateTime, ForeignKey, Integer, LargeBinary, MetaData, String, Table

from ci_magics.workspace.uncompressed import keep_uncompressed

revision = "0007"
down_revision = "0006"

_MOMENT = DateTime(timezone=True)


def upgrade() -> None:
    """Add names, contents, and the chunks of contents."""
    op.create_table(
        "file_contents",
        Column("id", String(36), primary_key=True),
        Column("bytes", BigInteger, nullable=False),
        Column("checksum", String(64), nullable=False),
        Column("made_at", _MOMENT, nullable=False),
    )
    op.create_table(
        "files",
        Column("folder", String(20), primary_key=True),
        Column("name", String(200), primary_key=True),
        Column("content_id", String(36), ForeignKey("file_contents.id"), nullable=False, index=True),
        Column("generation", Integer, nullable=False),
        Column("written_at", _MOMENT, nullable=False),
    )
    chunks = Table(
        "file_chunks",
        MetaData(),
        Column("content_id", String(36), primary_key=True),
        Column("number", Integer, primary_key=True),
        Column("checksum", LargeBinary(32), nullable=False),
        Column("content", LargeBinary(2**20), nullable=False),
    )
    keep_uncompressed(chunks.c.content)
    chunks.create(op.get_bind())
