"""SQL as each role: every table of the catalog and every verb, on a row that is shared with the user and on one that
is not. A table without expectations or without a policy makes a test fail.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Column, Connection, Engine, Table, create_engine, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from ci_magics.workspace.access import Role
from ci_magics.workspace.store import Workspace
from ci_magics.workspace.tables import UtcDateTime, file_chunks, file_contents, files, metadata

PEOPLE = {"vera_": Role.VIEWER, "carl_": Role.CONTRIBUTOR, "ada_": Role.ADMINISTRATOR, "zed_": None}
VERBS = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE")
OURS, THEIRS = "ours", "theirs"

#: For each table and role, the rows that a verb reaches: ``o`` is shared with the user or belongs to them, ``t`` is
#: the other one. A verb that is not listed is refused or finds nothing.
READ_BY_ALL = "SELECT ot"
ALL = "SELECT ot INSERT ot UPDATE ot DELETE ot"
OWN = "SELECT o INSERT o UPDATE o DELETE o"
OWN_OF_ALL = "SELECT ot INSERT o UPDATE o DELETE o"
EXPECTED = {
    "alembic_version": (READ_BY_ALL, READ_BY_ALL, READ_BY_ALL),
    "audiences": ("SELECT o", OWN, ALL),
    "audit_entries": ("", "INSERT ot", "SELECT ot INSERT ot"),
    "connections": ("", "", ALL),  # some columns can be read, see below
    "consent_choices": (READ_BY_ALL, ALL, ALL),
    "consents": ("SELECT o", "SELECT o", ALL),
    "export_runs": (READ_BY_ALL, OWN_OF_ALL, "SELECT ot INSERT o UPDATE ot DELETE ot"),
    "exports": ("", "INSERT o UPDATE o DELETE o", "SELECT ot INSERT o UPDATE ot DELETE ot"),
    "file_chunks": ("", "SELECT o", "SELECT ot INSERT ot DELETE ot"),
    "file_checksums": (READ_BY_ALL, READ_BY_ALL, ALL),  # empty here: for files next to a SQLite database
    "file_contents": ("", "SELECT ot INSERT ot", "SELECT ot INSERT ot"),  # a file name needs its content
    "files": (READ_BY_ALL, OWN_OF_ALL, ALL),
    "forgotten_hashes": ("", READ_BY_ALL, ALL),
    "heartbeats": (READ_BY_ALL, OWN_OF_ALL, ALL),
    "insights": ("", ALL, ALL),
    "locks": ("SELECT o DELETE o", OWN, ALL),  # a user can always release their own
    "notices": (READ_BY_ALL, ALL, ALL),
    "pushes": ("SELECT o", OWN, ALL),
    "refreshes": (READ_BY_ALL, OWN_OF_ALL, "SELECT ot INSERT o UPDATE ot DELETE ot"),
    "runs": ("SELECT o", OWN, "SELECT ot INSERT o UPDATE ot DELETE ot"),
    "schema_versions": (READ_BY_ALL, READ_BY_ALL, READ_BY_ALL),
    "segment_counts": (READ_BY_ALL, ALL, ALL),
    "segment_versions": (READ_BY_ALL, ALL, ALL),
    "segments": (READ_BY_ALL, "SELECT ot INSERT o UPDATE ot DELETE o", ALL),  # the other one is the suppression segment
    "settings": (READ_BY_ALL, READ_BY_ALL, ALL),
    "shared_connections": ("SELECT o", "SELECT o", READ_BY_ALL),
    "sign_ins": (OWN, OWN, ALL),
    "steps": ("SELECT o", OWN, ALL),
    "user_roles": (READ_BY_ALL, READ_BY_ALL, ALL),
    "visible_exports": (READ_BY_ALL, READ_BY_ALL, READ_BY_ALL),
}


REFUSED = "42501"
#: Insufficient privilege; a read-only view; a foreign key; an append-only table; no table.
EXPECTED_STATES = (REFUSED, "55000", "0A000", "23503", "P0001", "42809")


@pytest.fixture(scope="module")
def server(postgresql: Engine) -> Iterator[Engine]:
    """Return a server with a workspace whose roles are enforced."""
    name = f"rows_{uuid.uuid4().hex[:8]}"
    plain = postgresql.execution_options(isolation_level="AUTOCOMMIT")
    with plain.connect() as database:
        database.execute(text(f"CREATE DATABASE {name}"))
        for person in PEOPLE:
            database.execute(text(f"CREATE ROLE {person} LOGIN"))
    engine = create_engine(postgresql.url.set(database=name))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("JUPYTERHUB_USER", "owner")
        workspace = _workspace(engine)
        with engine.begin() as database:
            roles = metadata.tables["user_roles"]
            for person, role in PEOPLE.items():
                if role:
                    row = {"id": person, "role": role.value, "given_by": "owner", "given_at": func.now()}
                    database.execute(insert(roles).values(row))
        workspace.enforce_roles()
    try:
        yield engine
    finally:
        engine.dispose()
        with plain.connect() as database:
            database.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
            for role in (*PEOPLE, *(f"{name}_{role}" for role in Role)):
                database.execute(text(f"DROP ROLE {role}"))


def _workspace(engine: Engine) -> Workspace:
    from ci_magics.workspace.store import open_workspace

    return open_workspace(engine.url.render_as_string(hide_password=False))


@contextmanager
def as_person(server: Engine, person: str) -> Iterator[Connection]:
    """Return a rolled-back session of a user, in a workspace with the two rows in every table."""
    with server.connect() as database:
        transaction = database.begin()
        database.execute(
            text("SET LOCAL session_replication_role = replica")
        )  # for rows in any order and with any name
        for table in metadata.sorted_tables:
            for whose in (OURS, THEIRS):
                database.execute(insert(table).values(row_of(table, whose, person)))
        database.execute(text("SET LOCAL session_replication_role = origin"))
        database.execute(text(f"SET LOCAL SESSION AUTHORIZATION {person}"))
        try:
            yield database
        finally:
            transaction.rollback()


def row_of(table: Table, whose: str, person: str, *, again: str = "") -> dict[str, Any]:
    """Return a row; ``again`` makes it a different one of the same kind."""
    account = "111" if whose == OURS else "112"
    named = {
        **dict.fromkeys(("user", "holder", "started_by", "saved_by"), person if whose == OURS else "another"),
        **dict.fromkeys(("connection_id", "push_id", "run_id", "export_id", "content_id"), whose),
        **({"environment": "sandbox", "account_id": account} if "account_id" in table.columns else {}),
    }
    of_table: dict[str, dict[str, Any]] = {
        "audiences": {"audience_id": f"{whose}{again}"},
        "connections": {"shared_with": ["viewer"] if whose == OURS else ["administrator"]},
        "export_runs": {"status": "Completed", "due_at": None},
        "exports": {"document": {"order": {"account_id": "112", "customer_id": "9"}, "segments": []}},
        "file_chunks": {"number": 7} if again else {},
        "files": _file(whose, again),
        "locks": {"name": f"sandbox:{account}:all{again}", "seen_at": func.now()},
        "segments": {"suppresses": whose == THEIRS},
    }
    columns = [column for column in table.columns if column.identity is None]
    values = {column.name: named.get(column.name, _value(column, whose, again)) for column in columns}
    return values | of_table.get(table.name, {})


def _file(whose: str, again: str) -> dict[str, Any]:
    """Return a ledger's file name, for new content or for content that is not shared."""
    if not again:
        return {"folder": "ledgers", "name": f"{whose}.parquet"}
    return {"folder": "segments", "name": again, "content_id": f"{OURS}{again}" if whose == OURS else THEIRS}


def _value(column: Column[Any], whose: str, again: str) -> Any:
    if isinstance(column.type, UtcDateTime):
        return datetime.now(UTC)
    kind = column.type.python_type
    if column.name in ("id", "name") and kind is str:
        return f"{whose}{again}"
    if column.primary_key or column.unique:
        number = (1 if whose == OURS else 2) + (10 if again else 0)
        return {int: number, bytes: bytes([number]) * 32}.get(kind, f"{whose}{again}")
    return {int: 1, bool: False, bytes: b"\0" * 32, str: "x"}.get(kind, {} if kind is dict else [])


def state_of(error: DBAPIError) -> str:
    """Return the SQLSTATE of an error."""
    return str(getattr(error.orig, "sqlstate", ""))


def reached(database: Connection, table: str, verb: str, person: str) -> str:
    """Return which of the two rows a verb reaches."""
    found = ""
    for whose in (OURS, THEIRS):
        with database.begin_nested() as attempt:
            try:
                found += whose[0] * _count(database, table, verb, whose, person)
            except DBAPIError as error:
                if state_of(error) not in EXPECTED_STATES:
                    raise
            attempt.rollback()
    return found


def _count(database: Connection, name: str, verb: str, whose: str, person: str) -> int:
    table = metadata.tables.get(name)
    if verb == "TRUNCATE":
        database.execute(text(f"TRUNCATE {name} CASCADE"))
        return 1
    if table is None:  # a view, or a table of another program
        if verb == "SELECT" and name != "alembic_version":
            return len(database.execute(text(f"SELECT * FROM {name} WHERE id = '{whose}'")).all())
        statement = {
            "SELECT": f"SELECT * FROM {name}",
            "INSERT": f"INSERT INTO {name} SELECT * FROM {name}",
            "UPDATE": f"UPDATE {name} SET id = id"
            if name != "alembic_version"
            else f"UPDATE {name} SET version_num = '1'",
            "DELETE": f"DELETE FROM {name}",
        }[verb]
        return min(database.execute(text(statement)).rowcount, 1)
    row = row_of(table, whose, person)
    key = next(iter(table.primary_key.columns)) if "number" not in row or name == "file_chunks" else table.c.id
    if name == "audit_entries":
        key = table.c.id
    match = key == row[key.name] if name != "files" else table.c.name == row["name"]
    if name == "locks":
        match = table.c.name == row["name"]
    if verb == "SELECT":
        return len(database.execute(select(table).where(match)).all())
    if verb == "INSERT":
        if name == "files" and whose == OURS:
            new = row_of(file_contents, whose, person, again="2")
            database.execute(insert(file_contents).values(new))
        database.execute(insert(table).values(row_of(table, whose, person, again="2")).inline())
        return 1
    if verb == "UPDATE":
        changed = database.execute(update(table).where(match).values({key.name: key}))
        return changed.rowcount
    return database.execute(table.delete().where(match)).rowcount


def test_every_table_and_view_has_expectations(server: Engine) -> None:
    with server.connect() as database:
        query = (
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace "
            "AND relkind IN ('r', 'v', 'p', 'm', 'f')"
        )
        assert set(database.execute(text(query)).scalars()) == set(EXPECTED)


def test_every_table_has_row_security_and_a_policy(server: Engine) -> None:
    query = (
        "SELECT relname FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' "
        "AND relname <> 'alembic_version' "
        "AND NOT (relrowsecurity AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid))"
    )
    with server.connect() as database:
        assert list(database.execute(text(query)).scalars()) == []


@pytest.mark.parametrize("person", [each for each, role in PEOPLE.items() if role])
@pytest.mark.parametrize("table", EXPECTED)
def test_role_reaches_only_its_rows(server: Engine, table: str, person: str) -> None:
    role = PEOPLE[person]
    assert role is not None
    words = EXPECTED[table][list(Role).index(role)].split()
    expected = dict(zip(words[::2], words[1::2], strict=True))
    with as_person(server, person) as database:
        found = {verb: rows for verb in VERBS if (rows := reached(database, table, verb, person))}
    assert found == expected


@pytest.mark.parametrize("table", EXPECTED)
def test_user_without_a_role_reaches_nothing(server: Engine, table: str) -> None:
    with as_person(server, "zed_") as database:
        assert {verb: reached(database, table, verb, "zed_") for verb in VERBS} == dict.fromkeys(VERBS, "")


def test_functions_are_only_for_roles_and_set_their_search_path(server: Engine) -> None:
    query = (
        "SELECT proname, prosecdef, proconfig, has_function_privilege('zed_', oid, 'EXECUTE') AS open FROM pg_proc "
        "WHERE pronamespace = 'public'::regnamespace AND proname LIKE 'ci_magics%'"
    )
    with server.connect() as database:
        found = database.execute(text(query)).all()
    assert len(found) > 5
    for each in found:
        assert not each.open, each.proname
        assert each.proconfig == ["search_path=pg_catalog, pg_temp"], each.proname


#: Users and statements: each one is refused, or changes and shows nothing.
ATTACKS: list[tuple[str, str]] = [
    ("vera_", "SELECT account_id FROM connections"),
    ("vera_", "SELECT shared_with FROM connections"),
    ("vera_", "COPY connections TO STDOUT"),
    ("vera_", "COPY file_chunks TO STDOUT"),
    ("vera_", "SELECT account_id FROM pushes WHERE account_id = '112'"),
    ("vera_", "SELECT destination FROM runs WHERE id = 'theirs'"),
    ("vera_", "SELECT name FROM locks WHERE name LIKE '%:112:%'"),
    ("vera_", "SELECT document FROM exports"),
    ("vera_", "SELECT 1 FROM visible_exports WHERE document::text LIKE '%112%' AND id = 'theirs'"),
    ("vera_", "SELECT content FROM file_chunks"),
    ("vera_", "SELECT sha256 FROM forgotten_hashes"),
    ("vera_", "SELECT * FROM pg_stats WHERE tablename IN ('pushes', 'connections', 'file_chunks')"),
    ("vera_", "SET ROLE {administrator}"),
    ("vera_", "SET ROLE {contributor}"),
    ("vera_", "GRANT {administrator} TO vera_"),
    (
        "vera_",
        "INSERT INTO audit_entries (id, at, \"user\", verb, subject, facts) VALUES ('x', now(), 'a', 'b', 'c', '{{}}')",
    ),
    ("carl_", "SET ROLE {administrator}"),
    ("carl_", "GRANT {administrator} TO carl_"),
    ("carl_", "UPDATE segments SET suppresses = false WHERE id = 'theirs'"),
    ("carl_", "UPDATE segments SET suppresses = true WHERE id = 'ours'"),
    ("carl_", "DELETE FROM segments WHERE suppresses"),
    ("carl_", "UPDATE segments SET id = 'ours2' WHERE suppresses"),
    ("carl_", "UPDATE segments SET definition = '{{\"source\": 1}}' WHERE suppresses"),
    ("carl_", "UPDATE exports SET connection_id = 'theirs', saved_by = 'carl_' WHERE id = 'ours'"),
    ("carl_", "UPDATE exports SET active = true, saved_by = 'ada_' WHERE id = 'ours'"),
    ("carl_", "UPDATE exports SET active = true WHERE id = 'theirs'"),
    ("carl_", "UPDATE runs SET started_by = 'ada_' WHERE id = 'ours'"),
    ("carl_", "UPDATE runs SET connection_id = 'ours' WHERE id = 'theirs'"),
    ("carl_", "UPDATE pushes SET account_id = '112' WHERE id = 'ours'"),
    ("carl_", "UPDATE audiences SET account_id = '111' WHERE id = 'theirs'"),
    ("carl_", "UPDATE locks SET holder = 'carl_' WHERE holder = 'another'"),
    ("carl_", "UPDATE file_chunks SET content = 'x'"),
    ("carl_", "UPDATE file_contents SET checksum = 'x'"),
    ("carl_", "UPDATE files SET content_id = 'theirs' WHERE name = 'ours.parquet'"),
    ("carl_", "UPDATE audit_entries SET subject = 'x'"),
    ("carl_", "SELECT subject FROM audit_entries"),
    ("carl_", "INSERT INTO audit_entries VALUES (1000000, 'x', now(), 'carl_', 'b', 'c', '{{}}')"),
    ("carl_", "SELECT setval('audit_entries_number_seq', 1)"),
    ("carl_", "SELECT nextval('audit_entries_number_seq')"),
    ("carl_", "ALTER TABLE segments DISABLE ROW LEVEL SECURITY"),
    ("carl_", "DROP TRIGGER ci_magics_suppression ON segments"),
    ("carl_", "CREATE FUNCTION public.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'"),
    ("carl_", "SET session_replication_role = replica"),
    ("ada_", "TRUNCATE audit_entries"),
    ("ada_", "DELETE FROM audit_entries"),
    ("ada_", "UPDATE audit_entries SET subject = 'x'"),
    ("ada_", "ALTER TABLE audit_entries DISABLE TRIGGER ALL"),
    ("ada_", "DROP TABLE audit_entries"),
    ("ada_", "CREATE TRIGGER mine BEFORE INSERT ON segments EXECUTE FUNCTION ci_magics_suppression()"),
    ("ada_", "DROP POLICY reads ON pushes"),
    ("ada_", "CREATE OR REPLACE VIEW shared_connections AS SELECT * FROM connections"),
    ("ada_", "UPDATE alembic_version SET version_num = '1'"),
    ("ada_", "SET ROLE postgres"),
]


@pytest.mark.parametrize(("person", "statement"), ATTACKS)
def test_attack_finds_and_changes_nothing(server: Engine, person: str, statement: str) -> None:
    roles = {role.value: f"{server.url.database}_{role}" for role in Role}
    with as_person(server, person) as database:
        try:
            done = database.execute(text(statement.format(**roles)))
        except DBAPIError as error:
            found = 0 if state_of(error) in (REFUSED, "55000", "42809", "0LP01") else state_of(error)
        else:
            found = len(done.all()) if done.returns_rows else done.rowcount
    assert found == 0


@pytest.mark.parametrize("statement", ["SET SESSION AUTHORIZATION ada_", "SET ROLE ada_", "SET ROLE postgres"])
def test_user_cannot_become_another_user(server: Engine, statement: str) -> None:
    engine = create_engine(server.url.set(username="carl_"))
    with engine.connect() as database, pytest.raises(DBAPIError, match="permission denied"):
        database.execute(text(statement))
    engine.dispose()


@pytest.mark.parametrize("person", ["vera_", "carl_"])
def test_name_and_type_of_every_connection_can_be_read(server: Engine, person: str) -> None:
    with as_person(server, person) as database:
        found = database.execute(text("SELECT id, name, environment FROM connections ORDER BY id")).all()
    assert [tuple(each) for each in found] == [("ours", "ours", "sandbox"), ("theirs", "theirs", "sandbox")]


@pytest.mark.parametrize("person", ["carl_", "ada_"])
def test_audit_entry_gets_the_current_user_and_time(server: Engine, person: str) -> None:
    with as_person(server, person) as database:
        database.execute(
            text(
                'INSERT INTO audit_entries (id, at, "user", verb, subject, facts) '
                "VALUES ('forged', '2001-01-01', 'somebody', 'forget_person', 'x', '{}')"
            )
        )
        database.execute(text("RESET SESSION AUTHORIZATION"))
        query = (
            "SELECT \"user\", at BETWEEN now() AND clock_timestamp() AS is_now FROM audit_entries WHERE id = 'forged'"
        )
        assert tuple(database.execute(text(query)).one()) == (person, True)


@pytest.mark.parametrize("schema", ["pg_temp", "public"])
def test_functions_ignore_tables_with_the_same_names(server: Engine, schema: str) -> None:
    """Users can create temporary tables, which come first in the default search path."""
    with as_person(server, "carl_") as database:
        for name in ("shared_connections", "audiences", "pushes", "segments", "connections", "pg_class"):
            with database.begin_nested() as attempt:
                try:
                    database.execute(text(f"CREATE TABLE {schema}.{name} AS SELECT 1 AS id"))
                except DBAPIError as error:
                    if schema != "public" or state_of(error) not in (REFUSED, "42P07"):
                        raise
                    attempt.rollback()
        database.execute(text("SET search_path = pg_temp, public"))
        assert (
            database.execute(text("SELECT public.ci_magics_may_use_file('ledgers', 'theirs.parquet')")).scalar()
            is False
        )
        assert (
            database.execute(text("SELECT public.ci_magics_may_change_file('segments', 'theirs.parquet')")).scalar()
            is False
        )
        assert not database.execute(text("SELECT FROM public.file_chunks WHERE content_id = 'theirs'")).all()


def test_operators_of_a_user_do_not_see_hidden_rows(server: Engine) -> None:
    """Without a security barrier, a cheap function in a condition would be called before the policy."""
    with as_person(server, "carl_") as database:
        database.execute(
            text(
                "CREATE FUNCTION pg_temp.tell(value text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS "
                "$$ BEGIN RAISE EXCEPTION 'saw %', value; END $$"
            )
        )
        for table, column in (("pushes", "account_id"), ("shared_connections", "account_id")):
            with database.begin_nested() as attempt:
                with pytest.raises(DBAPIError, match="saw 111"):
                    database.execute(text(f"SELECT * FROM {table} WHERE pg_temp.tell({column})"))
                attempt.rollback()


def test_content_that_is_not_shared_cannot_get_another_name(server: Engine) -> None:
    with as_person(server, "carl_") as database:
        row = {"folder": "segments", "name": "mine.parquet", "content_id": "theirs", "generation": 1}
        with pytest.raises(DBAPIError, match="row-level security"):
            database.execute(insert(files).values(row | {"written_at": func.now()}))


def test_chunks_can_only_be_added_to_new_content(server: Engine) -> None:
    with as_person(server, "carl_") as database:
        row = {"number": 5, "checksum": b"x", "content": b"x"}
        database.execute(insert(file_chunks).values(row | {"content_id": "new"}))
        with pytest.raises(DBAPIError, match="row-level security"):
            database.execute(insert(file_chunks).values(row | {"content_id": "ours"}))


def test_stale_lock_can_be_taken_over(server: Engine) -> None:
    with as_person(server, "carl_") as database:
        database.execute(text("RESET SESSION AUTHORIZATION"))
        database.execute(
            text("UPDATE locks SET name = 'export:1', seen_at = now() - interval '1 minute' WHERE holder = 'another'")
        )
        database.execute(text("SET LOCAL SESSION AUTHORIZATION carl_"))
        done = database.execute(text("UPDATE locks SET holder = 'carl_' WHERE name = 'export:1'"))
        assert done.rowcount == 1
