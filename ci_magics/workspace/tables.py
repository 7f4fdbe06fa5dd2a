"""The tables of the workspace's database; `schema` explains how to change one."""

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
    Identity,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.types import TypeEngine

from ci_magics.workspace.append_only import refuse_changes
from ci_magics.workspace.uncompressed import keep_uncompressed


class UtcDateTime(TypeDecorator[datetime]):
    """A time in UTC, also in databases without time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert a time to UTC for storage."""
        del dialect
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Return a stored time with its time zone."""
        del dialect
        if value is None:
            return None
        moment: datetime = value if value.tzinfo else value.replace(tzinfo=UTC)
        return moment.astimezone(UTC)


def _id() -> Column[Any]:
    """Return the primary key column: an id made by `uuid`."""
    return Column("id", String(36), primary_key=True)


def _required(
    name: str, kind: TypeEngine[Any] | type[TypeEngine[Any]], *more: ForeignKey, **options: Any
) -> Column[Any]:
    """Return a column that may not be null."""
    return Column(name, kind, *more, nullable=False, **options)


def _by_and_at(done: str) -> tuple[Column[Any], Column[Any]]:
    """Return the columns for who did something, and when."""
    return _required(f"{done}_by", String(200)), _required(f"{done}_at", UtcDateTime)


def _sign_in() -> tuple[Column[Any], ...]:
    """Return the columns for how a user signs in."""
    return Column("flow", String(20)), Column("client_id", String(100)), _required("tenant", String(100))


metadata = MetaData()

#: The table that versions before Alembic read.
schema_versions = Table("schema_versions", metadata, Column("version", Integer, primary_key=True))

connections = Table(
    "connections",
    metadata,
    _id(),
    _required("name", String(200), unique=True),
    _required("environment", String(20)),
    _required("customer_id", String(30)),
    _required("account_id", String(30)),
    _required("account_name", String(200)),
    _required("shared_with", JSON),
    *_sign_in(),
    *_by_and_at("created"),
)

consents = Table(
    "consents",
    metadata,
    _id(),
    _required("connection_id", String(36), ForeignKey("connections.id", ondelete="CASCADE")),
    _required("kind", String(40)),
    _required("text_version", String(20)),
    *_by_and_at("given"),
    Column("withdrawn_by", String(200)),
    Column("withdrawn_at", UtcDateTime),
)

segments = Table(
    "segments",
    metadata,
    _id(),
    _required("name", String(200), unique=True),
    _required("definition", JSON),
    _required("fingerprint", String(64)),
    _required("rows", Integer),
    _required("domains", JSON),
    _required("examples", JSON),
    _required("consent", JSON),
    _required("active", Boolean),
    _required("suppresses", Boolean),
    _required("tags", JSON),
    *_by_and_at("created"),
    Column("previous", String(36)),
    _required("kept_counts", JSON, server_default="{}"),
)

segment_versions = Table(
    "segment_versions",
    metadata,
    _id(),
    _required("segment_name", String(200), index=True),
    Column("previous", String(36)),
    _required("rows", Integer),
    _required("record", JSON),
    _required("made_at", UtcDateTime),
    _required("ended_at", UtcDateTime),
    _required("ended_by", String(200)),
    _required("reason", String(20)),
)

insights = Table(
    "insights",
    metadata,
    _id(),
    _required("name", String(200), unique=True),
    _required("environment", String(20)),
    _required("instance_id", String(100)),
    _required("organization_url", String(300)),
    *_sign_in(),
    _required("known_segments", JSON),
    *_by_and_at("created"),
)

consent_choices = Table(
    "consent_choices",
    metadata,
    _id(),
    _required("source", String(200), unique=True),
    _required("document", JSON),
    *_by_and_at("chosen"),
)

segment_counts = Table(
    "segment_counts",
    metadata,
    _id(),
    _required("segment_name", String(200), index=True),
    _required("rows", Integer),
    _required("counted_at", UtcDateTime),
)

audiences = Table(
    "audiences",
    metadata,
    _id(),
    _required("environment", String(20)),
    _required("account_id", String(30)),
    _required("audience_id", String(30)),
    _required("directory", String(100)),
    _required("name", String(200)),
    _required("segment_name", String(200)),
    _required("normalization", String(20)),
    _required("membership_days", Integer),
    _required("owned", Boolean),
    _required("chosen", Boolean),
    _required("members", Integer),
    _required("generation", Integer),
    Column("full_send_at", UtcDateTime),
    _required("updated_at", UtcDateTime),
    UniqueConstraint("environment", "account_id", "audience_id"),
)

runs = Table(
    "runs",
    metadata,
    _id(),
    _required("connection_id", String(36)),
    _required("connection_name", String(200)),
    _required("destination", String(300)),
    _required("status", String(30)),
    _required("results", JSON),
    *_by_and_at("started"),
    Column("finished_at", UtcDateTime),
)

pushes = Table(
    "pushes",
    metadata,
    Column("id", String(50), primary_key=True),
    _required("run_id", String(36), index=True),
    _required("number", Integer),
    _required("environment", String(20)),
    _required("account_id", String(30)),
    _required("customer_id", String(30)),
    _required("segment_name", String(200)),
    _required("audience_name", String(200)),
    _required("audience_id", String(30)),
    _required("audience_key", String(200)),
    _required("directory", String(100)),
    _required("chosen", Boolean),
    _required("marker", String(40)),
    _required("mode", String(20)),
    _required("normalization", String(20)),
    _required("scope", String(20)),
    _required("membership_days", Integer),
    _required("transport", String(20)),
    _required("adds", Integer),
    _required("removes", Integer),
    _required("unchanged", Integer),
    _required("add_parts", JSON),
    _required("remove_parts", JSON),
    _required("full", Boolean),
    _required("base_generation", Integer),
    _required("finished", Boolean),
)

steps = Table(
    "steps",
    metadata,
    Column("id", String(60), primary_key=True),
    _required("push_id", String(50), index=True),
    _required("number", Integer),
    _required("kind", String(10)),
    _required("action", String(10)),
    _required("start", Integer),
    _required("stop", Integer),
    _required("state", String(10)),
    _required("maybe", Boolean),
    _required("request_id", String(60)),
    _required("rejected", Integer),
    _required("code", String(30)),
    _required("error_name", String(100)),
    _required("tracking_ids", JSON),
)

locks = Table(
    "locks",
    metadata,
    Column("name", String(300), primary_key=True),
    _required("run_id", String(36)),
    _required("holder", String(200)),
    _required("host", String(200)),
    _required("process", String(60)),
    _required("taken_at", UtcDateTime),
    _required("seen_at", UtcDateTime),
    _required("identity", String(36)),
    _required("beat", Integer),
    _required("place", String(200)),
)

#: When schedulers and refreshes were last seen, one row for each kind, machine, and user.
heartbeats = Table(
    "heartbeats",
    metadata,
    Column("id", String(300), primary_key=True),
    _required("kind", String(20)),
    _required("user", String(200)),
    _required("host", String(200)),
    _required("process", String(60)),
    _required("seen_at", UtcDateTime),
    Column("seen_before", UtcDateTime),
    _required("place", String(200)),
)

user_roles = Table(
    "user_roles",
    metadata,
    Column("id", String(200), primary_key=True),
    _required("role", String(20)),
    *_by_and_at("given"),
)

sign_ins = Table(
    "sign_ins",
    metadata,
    Column("id", String(250), primary_key=True),
    _required("user", String(200)),
    _required("subject_id", String(36), index=True),
    _required("home_account_id", String(200)),
    _required("signed_in_at", UtcDateTime),
)

forgotten_hashes = Table(
    "forgotten_hashes",
    metadata,
    Column("sha256", LargeBinary(32), primary_key=True),
    _required("forgotten_at", UtcDateTime),
)

audit_entries = Table(
    "audit_entries",
    metadata,
    Column("number", Integer, Identity(), primary_key=True),
    _required("id", String(36), unique=True),
    _required("at", UtcDateTime, index=True),
    _required("user", String(200)),
    _required("verb", String(40)),
    _required("subject", String(300)),
    _required("facts", JSON),
)
refuse_changes(audit_entries)

#: Files of a team's workspace: the content of each name. Several names may share a content. Owners are
#: processes that write files; see `locks.Locks.own_files`.
files = Table(
    "files",
    metadata,
    Column("folder", String(20), primary_key=True),
    Column("name", String(200), primary_key=True),
    _required("content_id", String(36), ForeignKey("file_contents.id"), index=True),
    _required("generation", Integer),
    _required("written_at", UtcDateTime),
    _required("owner", String(36), server_default=""),
)

#: Checksums of private files, see `checksums`; two rows while a file is being replaced.
file_checksums = Table(
    "file_checksums",
    metadata,
    Column("folder", String(20), primary_key=True),
    Column("name", String(200), primary_key=True),
    Column("version", String(32), primary_key=True),
    Column("bytes", BigInteger, nullable=False),
    Column("chunks", LargeBinary(2**24), nullable=False),
    Column("owner", String(50), nullable=False),
    Column("settled", Boolean, nullable=False),
    Column("written_at", UtcDateTime, nullable=False),
)

file_contents = Table(
    "file_contents",
    metadata,
    _id(),
    _required("bytes", BigInteger),
    _required("checksum", String(64)),
    _required("made_at", UtcDateTime),
    _required("owner", String(36), server_default=""),
)

file_chunks = Table(
    "file_chunks",
    metadata,
    Column("content_id", String(36), primary_key=True),
    Column("number", Integer, primary_key=True),
    _required("checksum", LargeBinary(32)),
    _required("content", LargeBinary(2**20)),
)
keep_uncompressed(file_chunks.c.content)

exports = Table(
    "exports",
    metadata,
    _id(),
    _required("name", String(200), unique=True),
    Column("connection_id", String(36)),
    _required("connection_name", String(200)),
    _required("document", JSON),
    Column("schedule", JSON(none_as_null=True)),
    _required("active", Boolean),
    _required("scheduled_at", UtcDateTime),
    *_by_and_at("created"),
    *_by_and_at("saved"),
)

export_runs = Table(
    "export_runs",
    metadata,
    _id(),
    _required("export_id", String(36), index=True),
    _required("export_name", String(200)),
    _required("connection_name", String(200)),
    _required("trigger", String(20)),
    Column("due_at", UtcDateTime),
    _required("status", String(30)),
    _required("reason", Text),
    _required("attempts", Integer),
    Column("retry_at", UtcDateTime),
    _required("accepted", Integer),
    _required("rejected", Integer),
    _required("members", Integer),
    *_by_and_at("started"),
    Column("finished_at", UtcDateTime),
    UniqueConstraint("export_id", "due_at"),
)

refreshes = Table(
    "refreshes",
    metadata,
    _id(),
    _required("trigger", String(20)),
    Column("due_at", UtcDateTime),
    _required("notebook", String(300)),
    _required("status", String(30)),
    _required("reason", Text),
    _required("segments", JSON),
    _required("exports", JSON),
    *_by_and_at("started"),
    Column("finished_at", UtcDateTime),
)

settings = Table(
    "settings",
    metadata,
    Column("id", String(100), primary_key=True),
    _required("value", JSON),
    *_by_and_at("set"),
)

notices = Table(
    "notices",
    metadata,
    Column("id", String(100), primary_key=True),
    _required("export_id", String(36), index=True),
    _required("channel", String(20)),
    _required("state", String(20)),
    _required("told_at", UtcDateTime),
)
