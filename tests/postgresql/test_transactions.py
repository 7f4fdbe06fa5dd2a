from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import URL, Connection, Engine, create_engine, text

from ci_magics.errors import AccessError, WorkspaceError
from ci_magics.workspace.transactions import change, read_transaction


@pytest.fixture
def counts_table(database_url: URL) -> Iterator[Engine]:
    engine = create_engine(database_url)
    with engine.begin() as database:
        database.execute(text("CREATE TABLE counts (id INTEGER PRIMARY KEY, value INTEGER)"))
        database.execute(text("INSERT INTO counts VALUES (1, 0), (2, 0)"))
    yield engine
    engine.dispose()


def add(database: Connection, number: int) -> None:
    read = database.execute(text("SELECT value FROM counts WHERE id = :n"), {"n": number}).scalar_one()
    database.execute(text("UPDATE counts SET value = :new WHERE id = :n"), {"n": number, "new": read + 1})


def values(engine: Engine) -> list[int]:
    with read_transaction(engine) as database:
        return list(database.execute(text("SELECT value FROM counts ORDER BY id")).scalars())


def test_concurrent_change_is_not_overwritten(counts_table: Engine) -> None:
    tries = []

    def work(database: Connection) -> None:
        database.execute(text("SELECT 1 FROM counts"))
        if not tries:
            change(counts_table, lambda other: add(other, 1))
        tries.append(None)
        add(database, 1)

    change(counts_table, work)
    assert (values(counts_table), len(tries)) == ([2, 0], 2)


def test_reader_sees_one_snapshot(counts_table: Engine) -> None:
    with read_transaction(counts_table) as database:
        before = database.execute(text("SELECT sum(value) FROM counts")).scalar()
        change(counts_table, lambda other: add(other, 1))
        assert database.execute(text("SELECT sum(value) FROM counts")).scalar() == before
    assert values(counts_table) == [1, 0]


def test_change_gives_up_on_a_transaction_that_never_ends(
    counts_table: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ci_magics.workspace.transactions.PATIENCE", 0.3)
    monkeypatch.setattr("ci_magics.workspace.transactions.LOCK_TIMEOUT", "50ms")
    with counts_table.connect() as other:
        add(other, 1)  # and leaves the transaction open
        with pytest.raises(WorkspaceError, match="another program has locked its database"):
            change(counts_table, lambda database: add(database, 1))
        change(counts_table, lambda database: add(database, 2))
    change(counts_table, lambda database: add(database, 1))
    assert values(counts_table) == [1, 1]


def test_missing_right_is_explained(counts_table: Engine) -> None:
    def work(database: Connection) -> None:
        database.execute(text("SET LOCAL ROLE pg_monitor"))
        database.execute(text("UPDATE counts SET value = 5"))

    with pytest.raises(AccessError, match="database does not allow your user") as refused:
        change(counts_table, work)
    assert "counts" not in str(refused.value)
