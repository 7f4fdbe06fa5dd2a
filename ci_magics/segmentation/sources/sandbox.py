"""An isolated DuckDB that reads only what it is given, and writes nothing.

It never spills to disk, because intermediate data may hold addresses. A query that needs more memory fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import duckdb

from ci_magics.memory import memory_for_queries

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
    "temp_directory": "",
}


@contextmanager
def sandbox(
    paths: Sequence[str] = (), time_zone: str | None = None, attached: tuple[str, str] | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database for a while; see `open_sandbox`."""
    database = open_sandbox(paths, time_zone, attached)
    try:
        yield database
    finally:
        database.close()


def open_sandbox(
    paths: Sequence[str] = (), time_zone: str | None = None, attached: tuple[str, str] | None = None
) -> duckdb.DuckDBPyConnection:
    """Return a database that reads registered tables and the given files.

    Parameters
    ----------
    paths
        The only files that can be read; nothing can be written.
    time_zone
        The time zone for reading and writing timestamps; by default the machine's.
    attached
        Path and name of a DuckDB file to attach read-only.
    """
    database = duckdb.connect(":memory:", config={**_CONFIG, "memory_limit": memory_for_queries()})
    try:
        if attached:
            path, name = (each.replace("'", "''") for each in attached)
            quoted = name.replace('"', '""')
            database.execute(f"ATTACH '{path}' AS \"{quoted}\" (READ_ONLY, TYPE duckdb)")
            database.execute(f'USE "{quoted}"')
        if paths:
            database.execute("SET allowed_paths = ?", [list(paths)])
        database.execute("SET explain_output = 'all'")
        if time_zone:
            database.execute("SET TimeZone = ?", [time_zone])
        database.execute("SET enable_external_access = false")
        database.execute("SET lock_configuration = true")
    except duckdb.Error:
        database.close()
        raise
    return database
