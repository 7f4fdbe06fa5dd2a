"""Rows of each table that each role may read and write, as PostgreSQL conditions.

A row that belongs to an account can be read and written by the users who share a connection to that account. Files of
keys and hashes are for contributors; a viewer reads only their names. `rights` turns this into policies.
"""

from __future__ import annotations

from dataclasses import dataclass

from ci_magics.workspace.access import Role

#: Lock holders that have been silent for this long may be replaced by another user. The processes decide earlier and
#: know more; this only keeps plain SQL from taking the lock of a live holder.
_SILENT = "abs(extract(epoch FROM clock_timestamp() - seen_at)) > 40"

_OF_ACCOUNT = "(environment, account_id) IN (SELECT s.environment, s.account_id FROM public.shared_connections s)"
_OF_CONNECTION = "connection_id IN (SELECT s.id FROM public.shared_connections s)"
_OF_PUSH = "push_id IN (SELECT p.id FROM public.pushes p)"
_OF_EXPORT = (
    "export_id IN (SELECT e.id FROM public.exports e WHERE e.connection_id IS NULL OR "
    "e.connection_id IN (SELECT s.id FROM public.shared_connections s))"
)
_OF_RUN = (
    "connection_id IN (SELECT s.id FROM public.shared_connections s) OR id IN (SELECT p.run_id FROM public.pushes p)"
)
_OWN_LOCK = (
    "(split_part(name, ':', 3) = '' OR (split_part(name, ':', 1), split_part(name, ':', 2)) IN "
    "(SELECT s.environment, s.account_id FROM public.shared_connections s))"
)
_BY_CONTRIBUTORS = "pg_has_role(session_user, current_database() || '_contributor', 'MEMBER')"
_NAMED = "EXISTS (SELECT FROM public.files f WHERE f.content_id = {content})"
_READABLE_CHUNK = (
    "NOT EXISTS (SELECT FROM public.files f WHERE f.content_id = file_chunks.content_id) OR EXISTS (SELECT FROM "
    "public.files f WHERE f.content_id = file_chunks.content_id AND public.ci_magics_may_use_file(f.folder, f.name))"
)


@dataclass(frozen=True)
class RowRights:
    """The rights of the roles on a table's rows; administrators have them for all rows.

    Parameters
    ----------
    read
        Condition for rows that may be read.
    read_by
        The minimum role for reading.
    columns
        Columns that roles below administrator may read; all if empty.
    insert, update, delete
        Conditions for rows that roles below administrator may add, change, and delete; none if empty.
    after
        Condition that a changed row must meet; that of ``insert`` if empty.
    write_by
        The minimum role for writing.
    delete_by
        The minimum role for deleting; `write_by` if None.
    administered
        What administrators may do besides reading.
    """

    read: str = "true"
    read_by: Role = Role.VIEWER
    columns: tuple[str, ...] = ()
    insert: str = ""
    update: str = ""
    delete: str = ""
    after: str = ""
    write_by: Role = Role.CONTRIBUTOR
    delete_by: Role | None = None
    administered: tuple[str, ...] = ("INSERT", "UPDATE", "DELETE")


def _written(condition: str = "true", *, read: str = "true") -> RowRights:
    """Return the rights on a table that contributors write under a single condition."""
    return RowRights(read, insert=condition, update=condition, delete=condition)


_OWN_SIGN_IN = '"user" = session_user'
_FOR_ADMINISTRATORS = RowRights()

TABLES: dict[str, RowRights] = {
    "audiences": _written(_OF_ACCOUNT, read=_OF_ACCOUNT),
    "audit_entries": RowRights(
        read_by=Role.CONTRIBUTOR, columns=("number",), insert="true", administered=("INSERT",)
    ),  # RETURNING needs this to give the number of a new entry
    "connections": RowRights(columns=("id", "name", "environment")),
    "consent_choices": _written(),
    "consents": RowRights(_OF_CONNECTION),
    "export_runs": RowRights(
        insert="started_by = session_user",
        update=f"started_by = session_user OR status IN ('Running', 'Queued') OR {_OF_EXPORT}",
        after="true",
        delete=_OF_EXPORT,
    ),
    "exports": RowRights(
        columns=(
            *("id", "name", "connection_id", "connection_name", "schedule", "active", "scheduled_at"),
            *("created_by", "created_at", "saved_by", "saved_at"),
        ),
        insert=f"connection_id IS NULL OR {_OF_CONNECTION}",
        update=f"connection_id IS NULL OR {_OF_CONNECTION}",
        delete=f"connection_id IS NULL OR {_OF_CONNECTION}",
    ),
    "file_checksums": _FOR_ADMINISTRATORS,  # used only for files beside a SQLite database
    "file_chunks": RowRights(
        _READABLE_CHUNK,
        Role.CONTRIBUTOR,
        insert="NOT EXISTS (SELECT FROM public.file_contents c WHERE c.id = file_chunks.content_id)",
        delete=f"NOT {_NAMED.format(content='file_chunks.content_id')}",
        administered=("INSERT", "DELETE"),
    ),
    "file_contents": RowRights(
        read_by=Role.CONTRIBUTOR,
        insert="true",
        delete=f"NOT {_NAMED.format(content='file_contents.id')}",
        administered=("INSERT", "DELETE"),
    ),
    "files": RowRights(
        insert="public.ci_magics_may_change_file(folder, name) AND public.ci_magics_may_use_content(content_id)",
        update="public.ci_magics_may_change_file(folder, name)",
        delete="public.ci_magics_may_change_file(folder, name)",
    ),
    "forgotten_hashes": RowRights(read_by=Role.CONTRIBUTOR),
    "heartbeats": _written('"user" = session_user'),
    "insights": _written(read=_BY_CONTRIBUTORS),  # viewers do not see them in lists
    "locks": RowRights(
        f"holder = session_user OR {_OWN_LOCK}",
        insert=f"holder = session_user AND {_OWN_LOCK}",
        update=f"(holder = session_user OR {_SILENT}) AND {_OWN_LOCK}",
        delete=f"holder = session_user OR {_SILENT} AND {_OWN_LOCK} AND {_BY_CONTRIBUTORS}",
        delete_by=Role.VIEWER,
    ),
    "notices": _written(),
    "pushes": _written(_OF_ACCOUNT, read=_OF_ACCOUNT),
    "refreshes": _written("started_by = session_user"),
    "runs": RowRights(
        _OF_RUN,
        insert=_OF_CONNECTION,
        update=_OF_RUN,
        after="true",
        delete=_OF_CONNECTION,
    ),
    "schema_versions": RowRights(administered=()),
    "segment_counts": _written(),
    "segment_versions": _written(),
    "segments": _written(),
    "settings": _FOR_ADMINISTRATORS,
    "sign_ins": RowRights(
        _OWN_SIGN_IN, insert=_OWN_SIGN_IN, update=_OWN_SIGN_IN, delete=_OWN_SIGN_IN, write_by=Role.VIEWER
    ),
    "steps": _written(_OF_PUSH, read=_OF_PUSH),
    "user_roles": _FOR_ADMINISTRATORS,
}
