"""Earlier segments as tables of a query: their keys, in the type of the columns that they are compared with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from ci_magics.segmentation.columns import same_key
from ci_magics.segmentation.key_text import can_be_key, key_text

_TEXTS = "texts of keys"


def register_keys(database: duckdb.DuckDBPyConnection, earlier: Mapping[str, pa.Table], others: Iterable[str]) -> None:
    """Let a query read earlier segments, so that their keys meet those of the other tables by value.

    SQL compares values of one type. A query has to see the keys of a segment in the type that its other tables give
    the column of that name: the ids ``"1001"`` of a segment are the numbers 1001 where the frame holds numbers. A key
    that no value of that type can be, such as ``"0012345"`` among numbers, meets nobody and is left out; SQL itself
    would take it for 12345.

    Parameters
    ----------
    database
        Where the query runs; the other tables are there.
    earlier
        The keys of each segment as a table of one column, by the name of the segment.
    others
        The names of the other tables that the query reads.
    """
    columns = [
        column
        for name in others
        for relation in [database.sql(f"FROM {_quoted(name)}")]
        for column in zip(relation.columns, relation.types, strict=True)
    ]
    for name, table in earlier.items():
        key = table.column_names[0]
        kind = next((str(kind) for column, kind in columns if same_key(column, key)), None)
        database.register(name, table if kind is None else pa.table({key: _as(database, table.column(0), kind)}))


def _as(database: duckdb.DuckDBPyConnection, keys: pa.ChunkedArray, kind: str) -> pa.Array | pa.ChunkedArray:
    """Return the keys that values of a type of DuckDB can be, in that type; text where it is none of a key."""
    texts = key_text(keys)
    if kind == "VARCHAR":
        return texts
    database.register(_TEXTS, pa.table({"key": texts}))
    try:
        cast = database.sql(f'SELECT TRY_CAST("key" AS {kind}) AS "key" FROM {_quoted(_TEXTS)}')  # noqa: S608 - a type
        values = cast.to_arrow_table().column(0)
    except duckdb.Error:  # a list, say, that no text can be cast to
        return texts
    finally:
        database.unregister(_TEXTS)
    if not can_be_key(values.type):
        return texts
    return values.filter(pc.fill_null(pc.equal(key_text(values), texts), False))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
