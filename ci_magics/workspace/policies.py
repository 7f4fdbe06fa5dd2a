"""Which rows of each table each role may read and write, as conditions of PostgreSQL.

A row that belongs to an account can be read and written by the people that share a connection to that account.
Files of keys and hashes are for contributors; a viewer reads their names only. `rights` makes policies of this.
"""

from __future__ import annotations

from dataclasses import dataclass

from ci_magics.workspace.access import Role

#: A holder of a lock that the database has not heard of for so long may be replaced by another person. The processes
#: decide earlier and with more knowledge; this keeps SQL from taking the lock of somebody who lives.
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
    """What the roles may do with the rows of a table; an administrator may do it with all rows.

    Parameters
    ----------
    read
        Which rows are read.
    read_by
        The least role that reads them.
    columns
        What those below administrators read of them; all columns unless given.
    insert, update, delete
        Which rows may be added, changed and deleted below administrators; none where it is empty.
    after
        What a changed row has to be; as an inserted one unless given.
    write_by
        The least role that writes them.
    delete_by
        The least role that deletes them; as `write_by` unless given.
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
    """Return the rights on a table whose rows contributors add, change and delete under one condition."""
    return RowRights(read, insert=condition, update=condition, delete=condition)


_OWN_SIGN_IN = '"user" = session_user'
_FOR_ADMINISTRATORS = RowRights()

TABLES: dict[str, RowRights] = {
    "audiences": _written(_OF_ACCOUNT, read=_OF_ACCOUNT),
    "audit_entries": RowRights(
        read_by=Role.CONTRIBUTOR, columns=("number",), insert="true", administered=("INSERT",)
    ),  # the person who adds an entry gets its number
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
    "file_checksums": _FOR_ADMINISTRATORS,  # only files beside a SQLite database are in it
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
    "insights": _written(read=_BY_CONTRIBUTORS),  # a viewer's lists are without them
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
