"""The one door to the workspace's database, which many kernels share.

A change reads what it depends on and writes within one transaction. On SQLite it takes the writer's lock at once, so
that it cannot be refused halfway; on PostgreSQL it sees one moment of the database, and is done again when somebody
else changed a row that it changes. Nothing of what a database says about an error goes further: it quotes values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from tenacity import RetryCallState, Retrying, retry_if_exception, wait_random_exponential

from ci_magics.errors import AccessError, CiError, WorkspaceError
from ci_magics.workspace.storage_errors import told_of_database

T = TypeVar("T")

#: How often a change is tried when others come in between, and when a row of the same name or id is there already.
_TRIES, _TRIES_IF_THERE = 50, 20
#: Seconds for which a change is tried when another one holds what it needs: a process that was suspended in the middle
#: of its change, or lost its network there, holds it without end.
PATIENCE = 180.0
#: How long PostgreSQL waits for a lock at each try; SQLite's wait is set with its connections.
LOCK_TIMEOUT = "30s"

#: SQLSTATE of PostgreSQL: serialization failure, deadlock; a lock that was not given in time; insufficient privilege.
_CONFLICTS = ("40001", "40P01")
_HELD = "55P03"
_FORBIDDEN = "42501"
#: The first byte of SQLite's result codes: busy, locked.
_BUSY = (5, 6)


def change(engine: Engine, work: Callable[[Connection], T]) -> T:
    """Do some work in its own transaction, and return what it returns.

    Parameters
    ----------
    engine
        The workspace's database.
    work
        What to do; called again when another kernel's change came in between.

    Raises
    ------
    AccessError
        The database does not allow this user to do it.
    WorkspaceError
        The database does not answer, or refuses the change.
    """
    retrying = Retrying(
        retry=retry_if_exception(_came_between),
        wait=wait_random_exponential(multiplier=0.01, max=1),
        stop=_tried_enough,
        reraise=True,
    )
    with said():
        done: T = retrying(_attempt, engine, work)
        return done


@contextmanager
def at_one_moment(engine: Engine) -> Iterator[Connection]:
    """Read the database as it is at one moment, whatever others do meanwhile; see `change`."""
    with said(), _connected(engine) as database:
        yield database


def overwrite_deleted(engine: Engine) -> None:
    """Leave nothing in the files of a SQLite database that was deleted from it, by whatever version.

    Raises
    ------
    WorkspaceError
        Others use the database all the time.
    """
    with said(), engine.connect().execution_options(isolation_level="AUTOCOMMIT") as database:
        database.exec_driver_sql("VACUUM")
        database.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def _attempt(engine: Engine, work: Callable[[Connection], T]) -> T:
    with _connected(engine) as database, database.begin():
        if engine.dialect.name == "sqlite":
            database.exec_driver_sql("BEGIN IMMEDIATE")
        elif engine.dialect.name == "postgresql":
            database.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
        return work(database)


def _connected(engine: Engine) -> Connection:
    database = engine.connect()
    if engine.dialect.name == "postgresql":
        return database.execution_options(isolation_level="REPEATABLE READ")
    return database


def _came_between(error: BaseException) -> bool:
    if isinstance(error, IntegrityError):
        return True
    return isinstance(error, DBAPIError) and (_state(error) in _CONFLICTS or _is_held(error))


def _is_held(error: BaseException | None) -> bool:
    """Tell whether another change holds what this one needs."""
    return isinstance(error, DBAPIError) and (
        _state(error) == _HELD or getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in _BUSY
    )


def _tried_enough(state: RetryCallState) -> bool:
    failed = state.outcome.exception() if state.outcome else None
    if _is_held(failed):
        return (state.seconds_since_start or 0.0) >= PATIENCE
    return state.attempt_number >= (_TRIES_IF_THERE if isinstance(failed, IntegrityError) else _TRIES)


def _state(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", "") or "")


@contextmanager
def said() -> Iterator[None]:
    """Say errors of the database in words of ours; see `change`."""
    try:
        yield
    except SQLAlchemyError as error:
        raise _as_ours(error) from None


def _as_ours(error: SQLAlchemyError) -> CiError:
    state = _state(error) if isinstance(error, DBAPIError) else ""
    if state == _FORBIDDEN:
        return AccessError(
            "The database does not allow your user to do that in this workspace.",
            "Ask an administrator to give your database user the role it needs.",
            code="database_rights",
        )
    why, step = told_of_database(error) or (
        "the database did not carry it out",
        "Run it again; if it stays, %ci_doctor checks the workspace.",
    )
    return WorkspaceError(f"The workspace cannot be used now: {why}.", step, code=state or type(error).__name__)
