"""The tables of the workspace's database; `schema` explains how to change one.

A table of records has a column for each stored field of its data class. The other tables are declared here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

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
from ci_magics.workspace.export_models import Export, ExportRun, Heartbeat, Notice, Refresh, Setting
from ci_magics.workspace.insights_record import InsightsRecord
from ci_magics.workspace.models import (
    AudienceRecord,
    Connection,
    Consent,
    ConsentChoiceRecord,
    PushRecord,
    RunRecord,
    SegmentCount,
    SegmentRecord,
    SegmentVersion,
    SignInRecord,
    StepRecord,
    UserRole,
)
from ci_magics.workspace.stored import NOT_STORED, Stored
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


_TYPES: dict[Any, type[TypeEngine[Any]]] = {int: Integer, bool: Boolean, datetime: UtcDateTime}

metadata = MetaData()


def _required(
    name: str, kind: TypeEngine[Any] | type[TypeEngine[Any]], *more: ForeignKey, **options: Any
) -> Column[Any]:
    """Return a column that may not be null."""
    return Column(name, kind, *more, nullable=False, **options)


def table_of(kind: type, name: str, *constraints: UniqueConstraint, last: Sequence[str] = ()) -> Table:
    """Return the table of a data class, with a column for each stored field; the primary key is ``id``.

    Parameters
    ----------
    kind
        The data class. The annotation of a field gives its column's type and whether it may be null; `Stored` gives the
        rest.
    name
        The table's name.
    *constraints
        Constraints over several columns.
    last
        Columns at the end of the table, which are elsewhere in the data class.
    """
    hints = get_type_hints(kind, include_extras=True)
    stored = [each.name for each in fields(kind) if NOT_STORED not in get_args(hints[each.name])]
    in_order = [*(each for each in stored if each not in last), *last]
    return Table(name, metadata, *(_column(each, hints[each]) for each in in_order), *constraints)


def _column(name: str, hint: Any) -> Column[Any]:
    """Return the column of a field with an annotation such as ``Annotated[str, Stored(200)] | None``."""
    optional = get_origin(hint) in (Union, UnionType)
    kind: Any = next(each for each in get_args(hint) if each is not type(None)) if optional else hint
    how = Stored()
    if get_origin(kind) is Annotated:
        kind, how = get_args(kind)
    return Column(
        name,
        _type_of(kind, how, optional=optional),
        *([ForeignKey(how.part_of, ondelete="CASCADE")] if how.part_of else []),
        primary_key=name == "id",
        nullable=optional,
        unique=how.unique or None,
        index=how.index or None,
        server_default=how.server_default,
    )


def _type_of(kind: Any, how: Stored, *, optional: bool) -> TypeEngine[Any] | type[TypeEngine[Any]]:
    if kind is str:
        return Text() if how.length is None else String(how.length)
    return _TYPES.get(kind) or JSON(none_as_null=optional)


#: The table that versions before Alembic read.
schema_versions = Table("schema_versions", metadata, Column("version", Integer, primary_key=True))

connections = table_of(Connection, "connections")
consents = table_of(Consent, "consents")
segments = table_of(SegmentRecord, "segments", last=("created_by", "created_at", "previous", "kept_counts"))
segment_versions = table_of(SegmentVersion, "segment_versions")
insights = table_of(InsightsRecord, "insights")
consent_choices = table_of(ConsentChoiceRecord, "consent_choices")
segment_counts = table_of(SegmentCount, "segment_counts")
audiences = table_of(AudienceRecord, "audiences", UniqueConstraint("environment", "account_id", "audience_id"))
runs = table_of(RunRecord, "runs")
pushes = table_of(PushRecord, "pushes")
steps = table_of(StepRecord, "steps")

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
heartbeats = table_of(Heartbeat, "heartbeats")
user_roles = table_of(UserRole, "user_roles")
sign_ins = table_of(SignInRecord, "sign_ins")

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
    Column("id", String(36), primary_key=True),
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

exports = table_of(Export, "exports")
export_runs = table_of(ExportRun, "export_runs", UniqueConstraint("export_id", "due_at"))
refreshes = table_of(Refresh, "refreshes")
settings = table_of(Setting, "settings")
notices = table_of(Notice, "notices")
