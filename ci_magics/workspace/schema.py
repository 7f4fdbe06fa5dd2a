"""Migrate a workspace's database to the schema of this version.

To change a table, change it in ``tables.py``, and add a migration to ``migrations/versions`` that makes the same change
to the tables of existing workspaces. Its file name is a number and a few words, ``0012_runs_have_a_cost.py``. It
contains ``revision = "0012"``, ``down_revision = "0011"``, and ``upgrade()`` with Alembic's operations, for SQLite
(``op.batch_alter_table`` for anything but a new column) and PostgreSQL alike. A new column that may not be null needs a
``server_default`` for existing rows. Downgrades are not supported.

Add a new table to ``rights.py`` too, with the role that writes to it. The number occurs nowhere else;
``tests/workspace/test_schema.py`` shows whether and how tables and migrations differ.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Column, Connection, Engine, MetaData, String, Table, func, insert, inspect, select
from sqlalchemy.exc import OperationalError

from ci_magics.errors import WorkspaceError
from ci_magics.workspace import tables

SCRIPTS = Path(__file__).parent / "migrations"

#: Alembic's own table with the current revision of the database.
_alembic_version = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))

#: Before Alembic, versions 1 to 4 were in another table; version 5 there makes older programs refuse to open it.
_ALEMBIC = 5


def revisions() -> list[str]:
    """Return the revisions that this version knows, oldest first."""
    return sorted(path.name.partition("_")[0] for path in (SCRIPTS / "versions").glob("[0-9]*.py"))


def bring_up_to_date(engine: Engine, then: Callable[[Connection], None]) -> None:
    """Create the tables, or migrate those of an earlier version, to match `tables`.

    Alembic is imported only if something has to change.

    Parameters
    ----------
    engine
        The database.
    then
        Called in the transaction that created or changed the tables.

    Raises
    ------
    WorkspaceError
        The database was written by a newer version.
    """
    if is_up_to_date(engine):
        return
    with engine.begin() as database:
        _wait_for_others(database)
        found = earlier = _revision(database)
        if found is None:
            _create_tables(database)
        elif found not in revisions():
            raise WorkspaceError(
                "The workspace was written by a newer version of ci-magics.",
                "Install that version, or set CI_MAGICS_WORKSPACE to another folder.",
                code="workspace_newer",
            )
        elif found != revisions()[-1]:
            upgrade(database, found)
        then(database)
    if earlier is not None:
        _overwrite_deleted_data(engine)


def is_up_to_date(engine: Engine) -> bool:
    """Return whether a database contains a workspace with this version's schema."""
    with engine.connect() as database:
        return _revision(database) == revisions()[-1]


def upgrade(database: Connection, found: str | None = None, *, to: str = "head") -> None:
    """Run pending revisions in the open transaction.

    Parameters
    ----------
    database
        The connection with the open transaction.
    found
        The current revision; None for a database without tables.
    to
        The revision to stop at.
    """
    from alembic import command
    from alembic.config import Config

    _set_revision(database, found)
    config = Config(attributes={"database": database})
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    command.upgrade(config, to)


def _overwrite_deleted_data(engine: Engine) -> None:
    """Erase data that a revision removed from the pages of a SQLite file; a server does this itself over time."""
    if engine.dialect.name != "sqlite":
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as database, suppress(OperationalError):
        database.exec_driver_sql("VACUUM")  # fails while another kernel is reading; then the pages stay until reused
        database.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def _wait_for_others(database: Connection) -> None:
    """Make other kernels wait until the tables exist."""
    if database.dialect.name == "sqlite":
        database.exec_driver_sql("BEGIN IMMEDIATE")
    elif database.dialect.name == "postgresql":
        database.execute(select(func.pg_advisory_xact_lock(0x63695F6D61676963)))


def _revision(database: Connection) -> str | None:
    """Return the revision of a database, or None if it contains no workspace."""
    inspector = inspect(database)
    if inspector.has_table(_alembic_version.name):
        return database.execute(select(_alembic_version.c.version_num)).scalar()
    if not inspector.has_table(tables.schema_versions.name):
        return None
    version = database.execute(select(func.max(tables.schema_versions.c.version))).scalar()
    return None if version is None else f"{version:04}"


def _create_tables(database: Connection) -> None:
    """Create all tables at once, with the same result as the revisions."""
    tables.metadata.create_all(database)
    database.execute(insert(tables.schema_versions).values(version=_ALEMBIC))
    _set_revision(database, revisions()[-1])


def _set_revision(database: Connection, revision: str | None) -> None:
    _alembic_version.create(database, checkfirst=True)
    if revision and not database.execute(select(_alembic_version)).first():
        database.execute(insert(_alembic_version).values(version_num=revision))
