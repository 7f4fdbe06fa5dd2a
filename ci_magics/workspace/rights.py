"""Workspace roles as PostgreSQL privileges: plain SQL allows no more than ci-magics does.

``ci-magics roles enforce`` creates three database roles, named after the database: for a database ``team`` these are
``team_viewer``, ``team_contributor``, and ``team_administrator``, each with the rights of those before it. Each person
needs a database user with the name from JupyterHub or the operating system. That user becomes a member of the role that
``ci-magics roles`` shows, and of no other. To run the command, you must own the tables and be able to create roles.

`policies` defines which rows each role reads and writes. Two views depend on the current user: `SHARED` contains the
connections shared with that user, with all their ids; `EXPORTS` contains the saved exports, but hides the account of an
export whose connection is not shared. Only the owner of the database can change the audit log: the database itself sets
the user and time of an entry.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, MetaData, Table, func, select, text

from ci_magics.errors import WorkspaceError
from ci_magics.workspace import tables
from ci_magics.workspace.access import Role
from ci_magics.workspace.policies import TABLES, RowRights
from ci_magics.workspace.policy_functions import functions, triggers
from ci_magics.workspace.transactions import change, read_transaction

#: The view of connections shared with the current user; same columns as the table.
SHARED = tables.connections.to_metadata(MetaData(), name="shared_connections")
#: The view of saved exports; same columns as the table.
EXPORTS = tables.exports.to_metadata(MetaData(), name="visible_exports")


@dataclass(frozen=True)
class Enforced:
    """The result of enforcing the roles.

    Parameters
    ----------
    members
        The role of each database user.
    without_user
        Users with a role in the workspace but no database user of that name.
    """

    members: dict[str, str]
    without_user: tuple[str, ...]

    def __repr__(self) -> str:
        lines = [f"{user}: {role}" for user, role in self.members.items()]
        return "\n".join([*lines, *(f"{user} has no database user of that name" for user in self.without_user)])


def connections_of(engine: Engine) -> Table:
    """Return where the current user reads connections: the table, or the view of shared ones."""
    return _readable(engine, tables.connections, SHARED)


def exports_of(engine: Engine) -> Table:
    """Return where the current user reads saved exports: the table or the view."""
    return _readable(engine, tables.exports, EXPORTS)


def _readable(engine: Engine, table: Table, view: Table) -> Table:
    if engine.dialect.name != "postgresql":
        return table
    with read_transaction(engine) as database:
        is_readable = database.execute(select(func.has_table_privilege(table.name, "SELECT"))).scalar()
    return table if is_readable else view


def roles_are_enforced(engine: Engine) -> bool:
    """Return whether roles are privileges of the database."""
    if engine.dialect.name != "postgresql":
        return False
    with read_transaction(engine) as database:
        return _role(database, Role.VIEWER) in _all_roles(database)


def may_read_files(engine: Engine) -> bool:
    """Return whether the database lets the current user read files of keys and hashes."""
    if engine.dialect.name != "postgresql":
        return True
    with read_transaction(engine) as database:
        return bool(database.execute(select(func.has_table_privilege("file_chunks", "SELECT"))).scalar())


def enforce_roles(engine: Engine) -> Enforced:
    """Make the workspace's roles database privileges; repeat this after a role was given or taken.

    Raises
    ------
    AccessError
        The database user lacks the privileges for this.
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
    """Grant the privileges again after tables have changed, if they were granted before."""
    if database.dialect.name == "postgresql" and _role(database, Role.VIEWER) in _all_roles(database):
        _grant(database)


def _enforce(database: Connection) -> Enforced:
    existing = _all_roles(database)
    for role in Role:
        if _role(database, role) not in existing:
            _run(database, f"CREATE ROLE {_quoted(database, _role(database, role))} NOLOGIN")
    _grant(database)
    listed = {row.id: Role(row.role) for row in database.execute(select(tables.user_roles))}
    wanted = dict.fromkeys(_members(database), Role.VIEWER) | listed
    for user in sorted(wanted.keys() & existing):
        for role in Role:
            member, granted = _quoted(database, user), _quoted(database, _role(database, role))
            statement = f"GRANT {granted} TO {member}" if role is wanted[user] else f"REVOKE {granted} FROM {member}"
            _run(database, statement)
    members = {user: role.value for user, role in sorted(wanted.items()) if user in existing}
    return Enforced(members, tuple(sorted(wanted.keys() - existing)))


def _grant(database: Connection) -> None:
    roles = {role: _quoted(database, _role(database, role)) for role in Role}
    for statement in (*_revoke_all(database, roles), *_definitions(database), *_rights(roles)):
        _run(database, statement)


def _revoke_all(database: Connection, roles: dict[Role, str]) -> Iterator[str]:
    """Yield statements that revoke earlier privileges, so that only those granted again remain."""
    all_roles = ", ".join(roles.values())
    ours = ", ".join(f"public.{table}" for table in (*TABLES, "alembic_version"))
    yield f"REVOKE ALL ON {ours} FROM {all_roles}, PUBLIC"
    yield f"REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM {all_roles}"
    yield "REVOKE CREATE ON SCHEMA public FROM PUBLIC"  # protects security definer functions from users' objects
    policies = text(
        "SELECT policyname, tablename FROM pg_policies WHERE schemaname = 'public' AND tablename = ANY(:ours)"
    )
    for policy, table in database.execute(policies, {"ours": list(TABLES)}).all():
        yield f"DROP POLICY {_quoted(database, policy)} ON public.{table}"
    for view in (EXPORTS, SHARED):
        yield f"DROP VIEW IF EXISTS public.{view.name}"
    yield f"GRANT {roles[Role.VIEWER]} TO {roles[Role.CONTRIBUTOR]}"
    yield f"GRANT {roles[Role.CONTRIBUTOR]} TO {roles[Role.ADMINISTRATOR]}"


def _definitions(database: Connection) -> Iterator[str]:
    """Yield statements that create views, functions, and triggers; they use the rights of the database's owner."""
    viewer = _quoted(database, _role(database, Role.VIEWER))
    yield _shared(database)
    yield _exports()
    yield f"GRANT SELECT ON public.{SHARED.name}, public.{EXPORTS.name}, public.alembic_version TO {viewer}"
    for signature, statement in functions(_literal(_role(database, Role.ADMINISTRATOR))).items():
        yield statement
        yield f"REVOKE ALL ON FUNCTION public.{signature} FROM PUBLIC"
        yield f"GRANT EXECUTE ON FUNCTION public.{signature} TO {viewer}"
    for (table, name), statement in triggers().items():
        yield statement
        yield f"ALTER TABLE public.{table} ENABLE ALWAYS TRIGGER {name}"


def _rights(roles: dict[Role, str]) -> Iterator[str]:
    """Yield statements for the rights on each table: privileges for columns, policies for rows."""
    administrator = roles[Role.ADMINISTRATOR]
    for table, rights in TABLES.items():
        yield f"ALTER TABLE public.{table} ENABLE ROW LEVEL SECURITY"
        columns = f" ({', '.join(rights.columns)})" if rights.columns else ""
        yield f"GRANT SELECT{columns} ON public.{table} TO {roles[rights.read_by]}"
        yield f"CREATE POLICY reads ON public.{table} FOR SELECT TO {roles[rights.read_by]} USING ({rights.read})"
        yield f"GRANT SELECT ON public.{table} TO {administrator}"
        yield f"CREATE POLICY reads_all ON public.{table} FOR SELECT TO {administrator} USING (true)"
        yield from _writing(table, rights, roles)
        for verb in rights.administered:
            condition = "WITH CHECK (true)" if verb == "INSERT" else "USING (true)"
            chosen = _written_columns(table) if verb == "INSERT" else ""
            yield f"GRANT {verb}{chosen} ON public.{table} TO {administrator}"
            yield f"CREATE POLICY {verb.lower()}s_all ON public.{table} FOR {verb} TO {administrator} {condition}"


def _writing(table: str, rights: RowRights, roles: dict[Role, str]) -> Iterator[str]:
    writer = roles[rights.write_by]
    if rights.insert:
        yield f"GRANT INSERT{_written_columns(table)} ON public.{table} TO {writer}"
        yield f"CREATE POLICY inserts ON public.{table} FOR INSERT TO {writer} WITH CHECK ({rights.insert})"
    if rights.update:
        after = rights.after or rights.insert
        yield f"GRANT UPDATE ON public.{table} TO {writer}"
        yield (
            f"CREATE POLICY updates ON public.{table} FOR UPDATE TO {writer} USING ({rights.update}) "
            f"WITH CHECK ({after})"
        )
    if rights.delete:
        deleter = roles[rights.delete_by or rights.write_by]
        yield f"GRANT DELETE ON public.{table} TO {deleter}"
        yield f"CREATE POLICY deletes ON public.{table} FOR DELETE TO {deleter} USING ({rights.delete})"


def _written_columns(table: str) -> str:
    """Return the columns to set in a new row; no one may choose the number of an entry of the audit log."""
    columns = tables.metadata.tables[table].columns
    if not any(column.identity for column in columns):
        return ""
    return " (" + ", ".join(f'"{column.name}"' for column in columns if not column.identity) + ")"


def _shared(database: Connection) -> str:
    """Return the statement that creates the view of shared connections."""
    names = {role: _role(database, role) for role in Role}
    cases = " ".join(
        f"WHEN '{role}' THEN pg_has_role(session_user, {_literal(names[role])}, 'MEMBER')" for role in Role
    )
    columns = ", ".join(column.name for column in SHARED.columns)
    return (
        f"CREATE VIEW public.{SHARED.name} WITH (security_barrier) AS SELECT {columns} FROM public.connections "  # noqa: S608 - our own names
        f"WHERE pg_has_role(session_user, {_literal(names[Role.ADMINISTRATOR])}, 'MEMBER') OR EXISTS ("
        "SELECT 1 FROM json_array_elements_text(shared_with) AS shared(who) "
        f"WHERE who = session_user OR CASE who {cases} ELSE false END)"
    )


def _exports() -> str:
    """Return the statement that creates the view of saved exports; it hides accounts of unshared connections."""
    nowhere = """(document -> 'order')::jsonb || '{"account_id": null, "customer_id": null}'"""
    hidden = f"(document::jsonb || jsonb_build_object('order', {nowhere}))::json"
    shown = f"CASE WHEN connection_id IN (SELECT s.id FROM public.{SHARED.name} s) THEN document ELSE {hidden} END"  # noqa: S608 - our own names
    columns = ", ".join(f"{shown} AS document" if each.name == "document" else each.name for each in EXPORTS.columns)
    return f"CREATE VIEW public.{EXPORTS.name} WITH (security_barrier) AS SELECT {columns} FROM public.exports"  # noqa: S608 - our own names


def _role(database: Connection, role: Role) -> str:
    return f"{database.engine.url.database}_{role}"


def _members(database: Connection) -> set[str]:
    """Return the users who are already members of one of the roles."""
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
