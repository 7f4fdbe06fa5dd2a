"""Any frame as Arrow: which columns it has, and those that are asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeVar

import duckdb
import pyarrow as pa

from ci_magics.errors import SegmentError
from ci_magics.segmentation.sources.frame_kinds import is_frame as is_frame
from ci_magics.segmentation.sources.frame_kinds import is_spark as is_spark


def column_names(frame: Any) -> list[str]:
    """Return a frame's column names.

    Raises
    ------
    SegmentError
        It is not a frame, two columns share a name, or a name is not text.
    """
    names = _names(frame)
    require_different(names, "frame")
    return names


def require_different(names: Sequence[str], what: str) -> None:
    """Refuse columns of one name: nobody could say which is meant.

    Raises
    ------
    SegmentError
        Two columns share a name.
    """
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise SegmentError(
            f"Two columns of the {what} are named '{twice}'.", "Rename one of them.", code="repeated_column"
        )


def require_different_in_sql(names: Sequence[str]) -> None:
    """Refuse columns whose names differ in case only: SQL would take one for the other.

    Raises
    ------
    SegmentError
        There are two of them.
    """
    by_folded: dict[str, str] = {}
    for column in names:
        other = by_folded.setdefault(column.casefold(), column)
        if other != column:
            raise SegmentError(
                f"SQL cannot tell the columns {other} and {column} apart.",
                "Rename one of them.",
                code="repeated_column",
            )


def as_table(frame: Any, columns: Sequence[str] | None = None) -> pa.Table:
    """Return some columns of a frame, or all, as Arrow.

    Raises
    ------
    SegmentError
        A column cannot be brought into one type.
    """
    if is_spark(frame):
        raise SegmentError(
            "A query cannot read a Spark frame: all its rows would come into this notebook.",
            "Query it with Spark, then make the segment of what comes out: %ci_segment NAME FRAME.",
            code="spark_in_query",
        )
    wanted = column_names(frame) if columns is None else list(columns)
    if isinstance(frame, pa.RecordBatch):
        frame = pa.Table.from_batches([frame])
    try:
        if isinstance(frame, duckdb.DuckDBPyRelation):
            return fetched(frame.select(*[duckdb.ColumnExpression(name) for name in wanted]))
        if type(frame).__module__.startswith("pandas"):
            return pa.table({name: _pandas_column(frame[name]) for name in wanted})
        chosen = frame.select(wanted)
        return plain_text(pa.table(chosen.collect() if hasattr(chosen, "collect") else chosen))
    except (pa.ArrowException, duckdb.Error, TypeError, ValueError):
        raise SegmentError(
            "A column of the frame mixes kinds of values that cannot stand together.",
            "Give each column one type, for example with DataFrame.convert_dtypes().",
            code="mixed_column",
        ) from None


def fetched(relation: duckdb.DuckDBPyRelation) -> pa.Table:
    """Return what a relation holds."""
    result = relation.arrow()
    return plain_text(result.read_all() if isinstance(result, pa.RecordBatchReader) else result)


def _names(frame: Any) -> list[str]:
    if isinstance(frame, pa.Table | pa.RecordBatch):
        names = list(frame.schema.names)
    elif is_frame(frame):
        lazy = not is_spark(frame) and hasattr(frame, "collect_schema")
        names = list(frame.collect_schema().names() if lazy else frame.columns)
    else:
        raise SegmentError(
            f"A {type(frame).__name__} is not a frame.",
            "Give a pandas, polars or pyarrow table, or a DuckDB relation.",
            code="not_a_frame",
        )
    if not all(isinstance(name, str) and name for name in names):
        raise SegmentError(
            "A column of the frame has no name in words.",
            "Name the columns, for example with df.columns = [...].",
            code="unnamed_column",
        )
    return names


def _pandas_column(series: Any) -> pa.ChunkedArray:
    """Convert a column by itself, so that an odd one does not spoil the others."""
    try:
        array = pa.array(series, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        # An object column of texts and numbers, say: the texts stay, the rest becomes text.
        array = pa.array([_as_text(value) for value in series], pa.string())
    return array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])


def _as_text(value: Any) -> str | None:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, float) and value != value:  # NaN is not equal to itself
        return None
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    # Half of a surrogate pair has no UTF-8; written out with a backslash it is no legal address either.
    return str(value).encode("utf-8", "backslashreplace").decode("utf-8")


_Arrow = TypeVar("_Arrow", pa.Table, pa.RecordBatch)


def plain_text(table: _Arrow) -> _Arrow:
    """Give text in views a plain layout: few of Arrow's functions know views."""
    kinds = [_plain_kind(column.type) for column in table.schema]
    if kinds == [column.type for column in table.schema]:
        return table
    columns = [_as_plain(table.column(index), kind) for index, kind in enumerate(kinds)]
    return type(table).from_arrays(columns, names=table.schema.names)


def _plain_kind(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_string_view(kind):
        return pa.large_string()
    return _dictionary(kind) if pa.types.is_dictionary(kind) and pa.types.is_string_view(kind.value_type) else kind


def _as_plain(column: pa.Array | pa.ChunkedArray, kind: pa.DataType) -> pa.Array | pa.ChunkedArray:
    if column.type == kind:
        return column
    if not pa.types.is_dictionary(kind):
        return column.cast(kind)
    if isinstance(column, pa.ChunkedArray):
        return pa.chunked_array([_plain_dictionary(chunk) for chunk in column.chunks], kind)
    return _plain_dictionary(column)


def _plain_dictionary(array: pa.DictionaryArray) -> pa.DictionaryArray:
    words = array.dictionary.cast(pa.large_string())
    return pa.DictionaryArray.from_arrays(array.indices, words, ordered=array.type.ordered)


def _dictionary(kind: pa.DictionaryType) -> pa.DictionaryType:
    return pa.dictionary(kind.index_type, pa.large_string(), kind.ordered)
