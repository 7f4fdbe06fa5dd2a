"""Checksums of private files, and a suppression list that does not hold the hashes themselves."""

import hashlib

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, DateTime, LargeBinary, MetaData, String, Table

revision = "0016"
down_revision = "0015"

_PREFIX = 3


def upgrade() -> None:
    """Add the table of checksums; replace each hash of a forgotten person by a mark."""
    op.create_table(
        "file_checksums",
        Column("folder", String(20), primary_key=True),
        Column("name", String(200), primary_key=True),
        Column("version", String(32), primary_key=True),
        Column("bytes", BigInteger, nullable=False),
        Column("chunks", LargeBinary(2**24), nullable=False),
        Column("owner", String(50), nullable=False),
        Column("settled", Boolean, nullable=False),
        Column("written_at", DateTime(timezone=True), nullable=False),
    )
    forgotten = Table("forgotten_hashes", MetaData(), Column("sha256", LargeBinary(32), primary_key=True))
    database = op.get_bind()
    for value in database.execute(forgotten.select()).scalars().all():
        sha256 = bytes(value)
        mark = sha256[:_PREFIX] + hashlib.sha256(b"ci-magics suppression list\0" + sha256).digest()[_PREFIX:]
        database.execute(forgotten.update().where(forgotten.c.sha256 == value).values(sha256=mark))
