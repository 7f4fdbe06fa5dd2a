"""How thorough tests are: fast while you edit, or as many examples as a machine can try.

``CI_MAGICS_TESTS=thorough`` tries five times as many examples of each rule, and lets Polars use all cores.
"""

from __future__ import annotations

import os
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

_COMPILED: dict[Any, Any] = {}
THOROUGH = os.environ.get("CI_MAGICS_TESTS") == "thorough"


def examples(most: int) -> int:
    """Return how many examples hypothesis tries of a rule.

    Parameters
    ----------
    most
        The number if tests are thorough.
    """
    return most if THOROUGH else max(8, most // 5)


def share_the_machine() -> None:
    """Let Polars use one core, in this process and in those that it starts.

    Tests run in parallel and hash a few rows: threads that wait for each other cost more than they save.
    """
    if not THOROUGH:
        os.environ.setdefault("POLARS_MAX_THREADS", "1")


def do_not_wait_for_the_disk() -> None:
    """Do not wait for disk writes: tests kill processes, which loses no written data, but not machines."""
    os.fsync = lambda _file: None
    event.listen(Engine, "connect", _do_not_wait)


def compile_statements_once() -> None:
    """Let all SQLite workspaces of a process share the SQL that SQLAlchemy made of a statement.

    SQLAlchemy keeps it for each engine. Every test opens a workspace with its own engine, which runs each
    statement once or twice, so that compiling it takes longer than running it.
    """
    dialect = SQLiteDialect_pysqlite
    dialect.__eq__ = lambda one, other: type(one) is type(other)  # type: ignore[method-assign]
    dialect.__hash__ = lambda one: hash(type(one))  # type: ignore[method-assign]
    event.listen(Engine, "engine_connect", _share_compiled)


def _share_compiled(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.execution_options(compiled_cache=_COMPILED)


def _do_not_wait(connection: Any, _record: object) -> None:
    if type(connection).__module__.startswith("sqlite3"):
        connection.execute("PRAGMA synchronous=OFF")
