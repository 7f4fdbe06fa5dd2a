"""The tests of `tests/scenarios/test_nothing_leaks.py`, with rows and server files of PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from scanning import as_bytes
from scenarios.test_nothing_leaks import *  # noqa: F403
from sqlalchemy import URL, Engine, create_engine, inspect, text


@pytest.fixture
def place(database_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "workspace"))
    return database_url.render_as_string(hide_password=False)


@pytest.fixture
def kept_elsewhere(database_url: URL, postgresql: Engine) -> Callable[[], dict[str, bytes]]:
    def kept() -> dict[str, bytes]:
        engine = create_engine(database_url)
        found = {}
        with engine.connect() as database:
            for table in inspect(engine).get_table_names():
                order = "ORDER BY content_id, number" if table == "file_chunks" else ""
                found[table] = as_bytes(database.execute(text(f"SELECT * FROM {table} {order}")))
            files = "SELECT string_agg(content, ''::bytea ORDER BY number) FROM file_chunks GROUP BY content_id"
            found["whole files"] = as_bytes(database.execute(text(files)))
        engine.dispose()
        assert len(found) > 15
        assert len(found["whole files"]) > 500_000
        with postgresql.connect() as server:
            data = Path(server.execute(text("SHOW data_directory")).scalar_one())
            number = server.execute(
                text("SELECT oid FROM pg_database WHERE datname = :name"), {"name": database_url.database}
            ).scalar_one()
            server.execute(text("CHECKPOINT"))
        files = [*(data / "base" / str(number)).iterdir(), *(data / "pg_wal").glob("0*"), data.parent / "log"]
        assert len(files) > 100
        return found | {path.name: path.read_bytes() for path in files}

    return kept
