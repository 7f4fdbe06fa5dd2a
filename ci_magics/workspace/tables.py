"""The tables of the workspace's database; how to change one is said in `schema`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

from ci_magics.workspace.append_only import refuse_changes
from ci_magics.workspace.uncompressed import keep_uncompressed


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC, also where the database knows no time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store a moment as UTC."""
        del dialect
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Return a moment with its time zone."""
        del dialect
        if value is None:
            return None
        moment: datetime = value if value.tzinfo else value.replace(tzinfo=UTC)
        return moment.astimezone(UTC)


metadata = MetaData()

#: Where programs from before Alembic look.
schema_versions = Table("schema_versions", metadata, Column("version", Integer, primary_key=True))

connections = Table(
    "connections",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("environment", String(20), nullable=False),
    Column("customer_id", String(30), nullable=False),
    Column("account_id", String(30), nullable=False),
    Column("account_name", String(200), nullable=False),
    Column("shared_with", JSON, nullable=False),
    Column("flow", String(20)),
    Column("client_id", String(100)),
    Column("tenant", String(100), nullable=False),
    Column("created_by", String(200), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

consents = Table(
    "consents",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("connection_id", String(36), ForeignKey("connections.id", ondelete="CASCADE"), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("text_version", String(20), nullable=False),
    Column("given_by", String(200), nullable=False),
    Column("given_at", UtcDateTime, nullable=False),
    Column("withdrawn_by", String(200)),
    Column("withdrawn_at", UtcDateTime),
)

segments = Table(
    "segments",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("definition", JSON, nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("rows", Integer, nullable=False),
    Column("domains", JSON, nullable=False),
    Column("examples", JSON, nullable=False),
    Column("consent", JSON, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("suppresses", Boolean, nullable=False),
    Column("tags", JSON, nullable=False),
    Column("created_by", String(200), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("previous", String(36)),
)

segment_versions = Table(
    "segment_versions",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("segment_name", String(200), nullable=False, index=True),
    Column("previous", String(36)),
    Column("rows", Integer, nullable=False),
    Column("record", JSON, nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime, nullable=False),
    Column("ended_by", String(200), nullable=False),
    Column("reason", String(20), nullable=False),
)

insights = Table(
    "insights",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("environment", String(20), nullable=False),
    Column("instance_id", String(100), nullable=False),
    Column("organization_url", String(300), nullable=False),
    Column("flow", String(20)),
    Column("client_id", String(100)),
    Column("tenant", String(100), nullable=False),
    Column("known_segments", JSON, nullable=False),
    Column("created_by", String(200), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

consent_choices = Table(
    "consent_choices",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("source", String(200), nullable=False, unique=True),
    Column("document", JSON, nullable=False),
    Column("chosen_by", String(200), nullable=False),
    Column("chosen_at", UtcDateTime, nullable=False),
)

segment_counts = Table(
    "segment_counts",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("segment_name", String(200), nullable=False, index=True),
    Column("rows", Integer, nullable=False),
    Column("counted_at", UtcDateTime, nullable=False),
)

audiences = Table(
    "audiences",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("environment", String(20), nullable=False),
    Column("account_id", String(30), nullable=False),
    Column("audience_id", String(30), nullable=False),
    Column("directory", String(100), nullable=False),
    Column("name", String(200), nullable=False),
    Column("segment_name", String(200), nullable=False),
    Column("normalization", String(20), nullable=False),
    Column("membership_days", Integer, nullable=False),
    Column("owned", Boolean, nullable=False),
    Column("chosen", Boolean, nullable=False),
    Column("members", Integer, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("full_send_at", UtcDateTime),
    Column("updated_at", UtcDateTime, nullable=False),
    UniqueConstraint("environment", "account_id", "audience_id"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("connection_id", String(36), nullable=False),
    Column("connection_name", String(200), nullable=False),
    Column("destination", String(300), nullable=False),
    Column("status", String(30), nullable=False),
    Column("results", JSON, nullable=False),
    Column("started_by", String(200), nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
)

pushes = Table(
    "pushes",
    metadata,
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

steps = Table(
    "steps",
    metadata,
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

locks = Table(
    "locks",
    metadata,
    Column("name", String(300), primary_key=True),
    Column("run_id", String(36), nullable=False),
    Column("holder", String(200), nullable=False),
    Column("host", String(200), nullable=False),
    Column("process", String(60), nullable=False),
    Column("taken_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
)

#: When schedulers and refreshes were seen last, one row for each kind, machine and user.
heartbeats = Table(
    "heartbeats",
    metadata,
    Column("id", String(300), primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("user", String(200), nullable=False),
    Column("host", String(200), nullable=False),
    Column("process", String(60), nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("seen_before", UtcDateTime),
)

user_roles = Table(
    "user_roles",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("role", String(20), nullable=False),
    Column("given_by", String(200), nullable=False),
    Column("given_at", UtcDateTime, nullable=False),
)

sign_ins = Table(
    "sign_ins",
    metadata,
    Column("id", String(250), primary_key=True),
    Column("user", String(200), nullable=False),
    Column("subject_id", String(36), nullable=False, index=True),
    Column("home_account_id", String(200), nullable=False),
    Column("signed_in_at", UtcDateTime, nullable=False),
)

forgotten_hashes = Table(
    "forgotten_hashes",
    metadata,
    Column("sha256", LargeBinary(32), primary_key=True),
    Column("forgotten_at", UtcDateTime, nullable=False),
)

audit_entries = Table(
    "audit_entries",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", String(36), nullable=False, unique=True),
    Column("at", UtcDateTime, nullable=False, index=True),
    Column("user", String(200), nullable=False),
    Column("verb", String(40), nullable=False),
    Column("subject", String(300), nullable=False),
    Column("facts", JSON, nullable=False),
)
refuse_changes(audit_entries)

#: Files of a team's workspace: which content a name stands for. Several names may stand for one content.
files = Table(
    "files",
    metadata,
    Column("folder", String(20), primary_key=True),
    Column("name", String(200), primary_key=True),
    Column("content_id", String(36), ForeignKey("file_contents.id"), nullable=False, index=True),
    Column("generation", Integer, nullable=False),
    Column("written_at", UtcDateTime, nullable=False),
)

file_contents = Table(
    "file_contents",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("bytes", BigInteger, nullable=False),
    Column("checksum", String(64), nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
)

file_chunks = Table(
    "file_chunks",
    metadata,
    Column("content_id", String(36), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("checksum", LargeBinary(32), nullable=False),
    Column("content", LargeBinary(2**20), nullable=False),
)
keep_uncompressed(file_chunks.c.content)

exports = Table(
    "exports",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("connection_id", String(36)),
    Column("connection_name", String(200), nullable=False),
    Column("document", JSON, nullable=False),
    Column("schedule", JSON(none_as_null=True)),
    Column("active", Boolean, nullable=False),
    Column("scheduled_at", UtcDateTime, nullable=False),
    Column("created_by", String(200), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("saved_by", String(200), nullable=False),
    Column("saved_at", UtcDateTime, nullable=False),
)

export_runs = Table(
    "export_runs",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("export_id", String(36), nullable=False, index=True),
    Column("export_name", String(200), nullable=False),
    Column("connection_name", String(200), nullable=False),
    Column("trigger", String(20), nullable=False),
    Column("due_at", UtcDateTime),
    Column("status", String(30), nullable=False),
    Column("reason", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("retry_at", UtcDateTime),
    Column("accepted", Integer, nullable=False),
    Column("rejected", Integer, nullable=False),
    Column("members", Integer, nullable=False),
    Column("started_by", String(200), nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    UniqueConstraint("export_id", "due_at"),
)

refreshes = Table(
    "refreshes",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("trigger", String(20), nullable=False),
    Column("due_at", UtcDateTime),
    Column("notebook", String(300), nullable=False),
    Column("status", String(30), nullable=False),
    Column("reason", Text, nullable=False),
    Column("segments", JSON, nullable=False),
    Column("exports", JSON, nullable=False),
    Column("started_by", String(200), nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
)

settings = Table(
    "settings",
    metadata,
    Column("id", String(100), primary_key=True),
    Column("value", JSON, nullable=False),
    Column("set_by", String(200), nullable=False),
    Column("set_at", UtcDateTime, nullable=False),
)

notices = Table(
    "notices",
    metadata,
    Column("id", String(100), primary_key=True),
    Column("export_id", String(36), nullable=False, index=True),
    Column("channel", String(20), nullable=False),
    Column("state", String(20), nullable=False),
    Column("told_at", UtcDateTime, nullable=False),
)
