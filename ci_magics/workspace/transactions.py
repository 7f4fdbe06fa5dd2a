"""The only access to the workspace's database, which many kernels share.

A change reads what it depends on and writes within one transaction. On SQLite it takes the write lock at once, so that
it cannot fail halfway. On PostgreSQL it works on one snapshot of the database, and is retried if another transaction
changed the same rows. Error messages of the database are not passed on: they quote values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from tenacity import RetryCallState, Retrying, retry_if_exception, wait_random_exponential

from ci_magics.advice import Do, advise
from ci_magics.errors import AccessError, CiError, WorkspaceError
from ci_magics.workspace.storage_errors import cause_of_database_error

T = TypeVar("T")

#: Maximum attempts after conflicts, and after finding a row with the same name or id.
_TRIES, _TRIES_IF_DUPLICATE = 50, 20
#: Seconds for which a change is retried while another one holds a lock that it needs. A process that was suspended in
#: the middle of a change, or lost its network, holds the lock indefinitely.
PATIENCE = 180.0
#: How long PostgreSQL waits for a lock in each attempt; for SQLite, this is set when connecting.
LOCK_TIMEOUT = "30s"

#: SQLSTATE of PostgreSQL: serialization failure, deadlock; lock timeout; insufficient privilege.
_CONFLICTS = ("40001", "40P01")
_LOCK_TIMED_OUT = "55P03"
_FORBIDDEN = "42501"
#: The first byte of SQLite's result codes: busy, locked.
_BUSY = (5, 6)


def change(engine: Engine, work: Callable[[Connection], T]) -> T:
    """Run work in its own transaction, and return its result.

    Parameters
    ----------
    engine
        The workspace's database.
    work
        What to do; called again if another kernel's change conflicts.

    Raises
    ------
    AccessError
        The database does not allow this user to do it.
    WorkspaceError
        The database does not respond, or rejects the change.
    """
    retrying = Retrying(
        retry=retry_if_exception(_is_conflict),
        wait=wait_random_exponential(multiplier=0.01, max=1),
        stop=_is_exhausted,
        reraise=True,
    )
    with translating_errors():
        done: T = retrying(_attempt, engine, work)
        return done


@contextmanager
def read_transaction(engine: Engine) -> Iterator[Connection]:
    """Read a consistent snapshot of the database; raises the errors of `change`."""
    with translating_errors(), _connected(engine) as database:
        yield database


def overwrite_deleted(engine: Engine) -> None:
    """Erase deleted data from the files of a SQLite database, including data that earlier versions deleted.

    Raises
    ------
    WorkspaceError
        Others use the database all the time.
    """
    with translating_errors(), engine.connect().execution_options(isolation_level="AUTOCOMMIT") as database:
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


def _is_conflict(error: BaseException) -> bool:
    # Another transaction may have inserted the same name or id; a retry sees its row.
    if isinstance(error, IntegrityError):
        return True
    return isinstance(error, DBAPIError) and (_state(error) in _CONFLICTS or _is_locked(error))


def _is_locked(error: BaseException | None) -> bool:
    """Return whether another change holds a lock that this one needs."""
    return isinstance(error, DBAPIError) and (
        _state(error) == _LOCK_TIMED_OUT or getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in _BUSY
    )


def _is_exhausted(state: RetryCallState) -> bool:
    failed = state.outcome.exception() if state.outcome else None
    if _is_locked(failed):
        return (state.seconds_since_start or 0.0) >= PATIENCE
    return state.attempt_number >= (_TRIES_IF_DUPLICATE if isinstance(failed, IntegrityError) else _TRIES)


def _state(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", "") or "")


@contextmanager
def translating_errors() -> Iterator[None]:
    """Translate database errors into ours; see `change`."""
    try:
        yield
    except SQLAlchemyError as error:
        raise _translate(error) from None


def _translate(error: SQLAlchemyError) -> CiError:
    state = _state(error) if isinstance(error, DBAPIError) else ""
    if state == _FORBIDDEN:
        return AccessError(
            "The database does not allow your user to do that in this workspace.",
            "Ask an administrator to give your database user the role it needs.",
            code="database_rights",
        )
    why, step = cause_of_database_error(error) or (
        "the database did not execute it",
        advise("Run it again; if that fails too, ", Do("doctor"), " checks the workspace."),
    )
    return WorkspaceError(f"The workspace cannot be used now: {why}.", step, code=state or type(error).__name__)
