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
def counts_table(engine: Engine) -> Engine:
    with engine.begin() as database:
        database.execute(text("CREATE TABLE counts (id INTEGER PRIMARY KEY, value INTEGER)"))
        database.execute(text("INSERT INTO counts VALUES (1, 0)"))
    return engine


def value(engine: Engine) -> int:
    with read_transaction(engine) as database:
        return int(database.execute(text("SELECT value FROM counts WHERE id = 1")).scalar_one())


def test_change_returns_the_result_of_the_work(counts_table: Engine) -> None:
    assert change(counts_table, lambda database: database.execute(text("SELECT value + 5 FROM counts")).scalar()) == 5


def test_failed_change_is_rolled_back(counts_table: Engine) -> None:
    def work(database: Connection) -> None:
        database.execute(text("UPDATE counts SET value = 1"))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        change(counts_table, work)
    assert value(counts_table) == 0


def test_conflicting_insert_is_retried(counts_table: Engine) -> None:
    tries = []

    def work(database: Connection) -> str:
        tries.append(None)
        if len(tries) < 3:
            database.execute(text("INSERT INTO counts VALUES (1, 0)"))
        return "seen"

    assert change(counts_table, work) == "seen"
    assert len(tries) == 3


def test_database_error_quotes_nothing(counts_table: Engine) -> None:
    with pytest.raises(WorkspaceError, match="cannot be used now") as refused:
        change(counts_table, lambda database: database.execute(text("SELECT 'jan@contoso.com' FROM nowhere")))
    assert "contoso" not in str(refused.value)
    assert refused.value.__suppress_context__


def test_change_gives_up_on_a_writer_that_never_ends(
    tmp_path: Path, counts_table: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ci_magics.workspace.transactions.PATIENCE", 0.3)
    other = sqlite3.connect(tmp_path / "x.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    engine = create_engine(counts_table.url, connect_args={"timeout": 0.05})
    with pytest.raises(WorkspaceError, match="another program has locked its database"):
        change(engine, lambda database: database.execute(text("UPDATE counts SET value = 1")))
    other.execute("ROLLBACK")
    change(engine, lambda database: database.execute(text("UPDATE counts SET value = 1")))
    assert value(engine) == 1
    other.close()


def test_writer_waits_for_the_previous_writer(tmp_path: Path, counts_table: Engine) -> None:
    other = sqlite3.connect(tmp_path / "x.sqlite", timeout=0)
    other.isolation_level = None
    tries = []

    def work(database: Connection) -> None:
        tries.append(None)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")  # the work starts with the write lock
        database.execute(text("UPDATE counts SET value = value + 1"))

    change(counts_table, work)
    assert (value(counts_table), len(tries)) == (1, 1)
    other.close()
