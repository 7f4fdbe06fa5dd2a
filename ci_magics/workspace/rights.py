"""The roles of a workspace as rights of PostgreSQL: whoever goes past ci-magics may do no more than within it.

``ci-magics roles --enforce`` makes three roles of the database, named after it: with a database ``team`` these are
``team_viewer``, ``team_contributor`` and ``team_administrator``, each with the rights of those before it. Each person
needs a database user with the name that JupyterHub or the operating system gives him; it becomes a member of the role
that ``ci-magics roles`` says, and of no other. Whoever runs the command must own the tables and may make roles.

A connection's numbers, client id and tenant are in a view, `SHARED`, of those that are shared with the person who asks:
a kernel that pushes cannot do without them. Of all other connections, name and type can be read. Who signed in as whom
can be read and written by that person only; it is the one thing that a viewer may write.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, MetaData, Table, func, select, text

from ci_magics.errors import WorkspaceError
from ci_magics.workspace import tables
from ci_magics.workspace.access import Role
from ci_magics.workspace.transactions import at_one_moment, change

#: Tables that contributors write to; all others are for administrators.
CONTRIBUTED = frozenset(
    {
        "audiences",
        "consent_choices",
        "export_runs",
        "exports",
        "file_chunks",
        "file_contents",
        "files",
        "heartbeats",
        "insights",
        "locks",
        "notices",
        "pushes",
        "refreshes",
        "runs",
        "segment_counts",
        "segment_versions",
        "segments",
        "steps",
    }
)
#: Tables that only administrators change, and everybody reads.
ADMINISTERED = frozenset({"consents", "forgotten_hashes", "schema_versions", "settings", "user_roles"})
#: Tables of which not everybody reads everything.
GUARDED = frozenset({"audit_entries", "connections", "sign_ins"})

#: What everybody may read of every connection.
OPEN_COLUMNS = ("id", "name", "environment", "shared_with", "created_by", "created_at")

#: The view of the connections that are shared with whoever asks; it has the columns of the table.
SHARED = tables.connections.to_metadata(MetaData(), name="shared_connections")


@dataclass(frozen=True)
class Enforced:
    """Who has which rights now.

    Parameters
    ----------
    members
        The role of each database user.
    without_user
        Who has a role in the workspace but no database user of that name.
    """

    members: dict[str, str]
    without_user: tuple[str, ...]


def connections_of(engine: Engine) -> Table:
    """Return where whoever works here finds connections: the table, or the view of those shared with him."""
    if engine.dialect.name != "postgresql":
        return tables.connections
    with at_one_moment(engine) as database:
        whole = database.execute(select(func.has_table_privilege(tables.connections.name, "SELECT"))).scalar()
    return tables.connections if whole else SHARED


def enforce_roles(engine: Engine) -> Enforced:
    """Make the roles of the workspace rights of its database; again after a role was given or taken.

    Raises
    ------
    AccessError
        The database user may not do that.
    WorkspaceError
        The workspace is not on PostgreSQL.
    """
    if engine.dialect.name != "postgresql":
        raise WorkspaceError(
            "Only PostgreSQL can enforce roles; on SQLite they are guidance.",
            "Move the workspace of your team to PostgreSQL: set CI_MAGICS_WORKSPACE to its address.",
            code="no_rights",
        )
    return change(engine, _enforce)


def renew_rights(database: Connection) -> None:
    """Give the rights anew where they were given: tables have changed."""
    if database.dialect.name == "postgresql" and _role(database, Role.VIEWER) in _all_roles(database):
        _grant(database)


def _enforce(database: Connection) -> Enforced:
    existing = _all_roles(database)
    for role in Role:
        if _role(database, role) not in existing:
            _run(database, f"CREATE ROLE {_quoted(database, _role(database, role))} NOLOGIN")
    _grant(database)
    told = {row.id: Role(row.role) for row in database.execute(select(tables.user_roles))}
    wanted = dict.fromkeys(_members(database), Role.VIEWER) | told
    for user in sorted(wanted.keys() & existing):
        for role in Role:
            member, granted = _quoted(database, user), _quoted(database, _role(database, role))
            statement = f"GRANT {granted} TO {member}" if role is wanted[user] else f"REVOKE {granted} FROM {member}"
            _run(database, statement)
    members = {user: role.value for user, role in sorted(wanted.items()) if user in existing}
    return Enforced(members, tuple(sorted(wanted.keys() - existing)))


def _grant(database: Connection) -> None:
    roles = [_quoted(database, _role(database, role)) for role in Role]
    viewer, contributor, administrator = roles
    everybody = ", ".join(roles)
    _run(database, f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {everybody}")
    _run(database, f"GRANT {viewer} TO {contributor}")
    _run(database, f"GRANT {contributor} TO {administrator}")
    for statement in _view(database):
        _run(database, statement)
    for statement in _own_rows(viewer, administrator):
        _run(database, statement)
    readable = ", ".join(sorted(CONTRIBUTED | ADMINISTERED))
    _run(database, f"GRANT SELECT ON {readable}, alembic_version, {SHARED.name} TO {viewer}")
    _run(database, f"GRANT SELECT ({', '.join(OPEN_COLUMNS)}) ON connections TO {viewer}")
    _run(database, f"GRANT INSERT, UPDATE, DELETE ON {', '.join(sorted(CONTRIBUTED))} TO {contributor}")
    _run(database, f"GRANT INSERT, SELECT (number) ON audit_entries TO {contributor}")
    _run(database, f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {contributor}")
    _run(database, f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {administrator}")


def _own_rows(viewer: str, administrator: str) -> Iterator[str]:
    """Yield how everybody gets rights on the rows of his own sign-ins."""
    yield "ALTER TABLE sign_ins ENABLE ROW LEVEL SECURITY"
    for name, who, which in (("own", viewer, '"user" = session_user'), ("every", administrator, "true")):
        yield f"DROP POLICY IF EXISTS {name} ON sign_ins"
        yield f"CREATE POLICY {name} ON sign_ins TO {who} USING ({which}) WITH CHECK ({which})"
    yield f"GRANT SELECT, INSERT, UPDATE, DELETE ON sign_ins TO {viewer}"


def _view(database: Connection) -> Iterator[str]:
    """Yield how the view is made; its owner reads the table, so that whoever asks need not."""
    names = {role: _role(database, role) for role in Role}
    cases = " ".join(
        f"WHEN '{role}' THEN pg_has_role(session_user, {_literal(names[role])}, 'MEMBER')" for role in Role
    )
    columns = ", ".join(column.name for column in SHARED.columns)
    yield f"DROP VIEW IF EXISTS {SHARED.name}"
    yield (
        f"CREATE VIEW {SHARED.name} WITH (security_barrier) AS SELECT {columns} FROM connections "  # noqa: S608 - names of ours
        f"WHERE pg_has_role(session_user, {_literal(names[Role.ADMINISTRATOR])}, 'MEMBER') OR EXISTS ("
        "SELECT 1 FROM json_array_elements_text(shared_with) AS shared(who) "
        f"WHERE who = session_user OR CASE who {cases} ELSE false END)"
    )


def _role(database: Connection, role: Role) -> str:
    return f"{database.engine.url.database}_{role}"


def _members(database: Connection) -> set[str]:
    """Return who was given one of the roles before."""
    ours = [_role(database, role) for role in Role]
    query = text(
        "SELECT m.rolname FROM pg_auth_members JOIN pg_roles r ON r.oid = roleid JOIN pg_roles m ON m.oid = member "
        "WHERE r.rolname = ANY(:ours) AND m.rolcanlogin"
    )
    return set(database.execute(query, {"ours": ours}).scalars())


def _all_roles(database: Connection) -> set[str]:
    return set(database.execute(text("SELECT rolname FROM pg_roles")).scalars())


def _run(database: Connection, statement: str) -> None:
    database.exec_driver_sql(statement)


def _quoted(database: Connection, name: str) -> str:
    return str(database.dialect.identifier_preparer.quote_identifier(name))


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
