"""A DuckDB that reads nothing but what it is given, and writes nothing.

What does not fit into memory is not put on disk either: it may hold addresses. A query that needs more fails.
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
    """Open a database that reads what is registered in it, and the files of some paths.

    Parameters
    ----------
    paths
        Files that may be read; no other, and nothing may be written.
    time_zone
        What moments are read and written in; the machine's own unless given.
    attached
        Path and name of a DuckDB file whose tables can be read, and not written.
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
        yield database
    finally:
        database.close()
