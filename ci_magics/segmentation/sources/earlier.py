"""Earlier segments as tables in a query: convert their keys to the type of the columns that they are compared with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from ci_magics.segmentation.columns import same_key
from ci_magics.segmentation.key_text import can_be_key, key_text

_TEXTS = "texts of keys"


def register_keys(
    database: duckdb.DuckDBPyConnection, earlier: Mapping[str, pa.Table], other_tables: Iterable[str]
) -> None:
    """Register earlier segments as tables, with keys that can be compared with the other tables by value.

    SQL compares values of one type. A query must see the keys of a segment in the type that its other tables give the
    column of the same name: the ids ``"1001"`` of a segment become the numbers 1001 if the frame holds numbers. A key
    that cannot be a value of that type, such as ``"0012345"`` among numbers, matches nothing and is left out; SQL
    itself would convert it to 12345.

    Parameters
    ----------
    database
        Where the query runs; it already has the other tables.
    earlier
        The keys of each segment as a one-column table, by the segment's name.
    other_tables
        The names of the other tables in the query.
    """
    columns = [
        column
        for name in other_tables
        for relation in [database.sql(f"FROM {_quoted(name)}")]
        for column in zip(relation.columns, relation.types, strict=True)
    ]
    for name, table in earlier.items():
        key = table.column_names[0]
        kind = next((str(kind) for column, kind in columns if same_key(column, key)), None)
        database.register(name, table if kind is None else pa.table({key: _as(database, table.column(0), kind)}))


def _as(database: duckdb.DuckDBPyConnection, keys: pa.ChunkedArray, kind: str) -> pa.Array | pa.ChunkedArray:
    """Return the keys that exist in a DuckDB type, in that type; as text if the type cannot be a key."""
    texts = key_text(keys)
    if kind == "VARCHAR":
        return texts
    database.register(_TEXTS, pa.table({"key": texts}))
    try:
        cast = database.sql(f'SELECT TRY_CAST("key" AS {kind}) AS "key" FROM {_quoted(_TEXTS)}')  # noqa: S608 - a type
        values = cast.to_arrow_table().column(0)
    except duckdb.Error:  # for example a list, to which no text can be cast
        return texts
    finally:
        database.unregister(_TEXTS)
    if not can_be_key(values.type):
        return texts
    return values.filter(pc.fill_null(pc.equal(key_text(values), texts), False))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
