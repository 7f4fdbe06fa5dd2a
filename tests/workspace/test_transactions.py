from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, create_engine, text

from ci_magics.errors import WorkspaceError
from ci_magics.workspace.transactions import change, read_transaction


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return create_engine(f"sqlite:///{tmp_path}/x.sqlite")


@pytest.fixture
def counted(engine: Engine) -> Engine:
    with engine.begin() as database:
        database.execute(text("CREATE TABLE counts (id INTEGER PRIMARY KEY, value INTEGER)"))
        database.execute(text("INSERT INTO counts VALUES (1, 0)"))
    return engine


def value(engine: Engine) -> int:
    with read_transaction(engine) as database:
        return int(database.execute(text("SELECT value FROM counts WHERE id = 1")).scalar_one())


def test_what_the_work_returns_is_returned(counted: Engine) -> None:
    assert change(counted, lambda database: database.execute(text("SELECT value + 5 FROM counts")).scalar()) == 5


def test_a_change_that_fails_changes_nothing(counted: Engine) -> None:
    def work(database: Connection) -> None:
        database.execute(text("UPDATE counts SET value = 1"))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        change(counted, work)
    assert value(counted) == 0


def test_a_row_that_somebody_else_made_meanwhile_is_seen_the_second_time(counted: Engine) -> None:
    tries = []

    def work(database: Connection) -> str:
        tries.append(None)
        if len(tries) < 3:
            database.execute(text("INSERT INTO counts VALUES (1, 0)"))
        return "seen"

    assert change(counted, work) == "seen"
    assert len(tries) == 3


def test_an_error_of_the_database_quotes_nothing(counted: Engine) -> None:
    with pytest.raises(WorkspaceError, match="cannot be used now") as refused:
        change(counted, lambda database: database.execute(text("SELECT 'jan@contoso.com' FROM nowhere")))
    assert "contoso" not in str(refused.value)
    assert refused.value.__suppress_context__


def test_a_writer_that_never_ends_is_not_waited_for_without_end(
    tmp_path: Path, counted: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ci_magics.workspace.transactions.PATIENCE", 0.3)
    other = sqlite3.connect(tmp_path / "x.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    engine = create_engine(counted.url, connect_args={"timeout": 0.05})
    with pytest.raises(WorkspaceError, match="another program has locked its database"):
        change(engine, lambda database: database.execute(text("UPDATE counts SET value = 1")))
    other.execute("ROLLBACK")
    change(engine, lambda database: database.execute(text("UPDATE counts SET value = 1")))
    assert value(engine) == 1
    other.close()


def test_a_writer_waits_for_the_writer_before_it(tmp_path: Path, counted: Engine) -> None:
    other = sqlite3.connect(tmp_path / "x.sqlite", timeout=0)
    other.isolation_level = None
    tries = []

    def work(database: Connection) -> None:
        tries.append(None)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")  # the work begins with the writer's lock
        database.execute(text("UPDATE counts SET value = value + 1"))

    change(counted, work)
    assert (value(counted), len(tries)) == (1, 1)
    other.close()
