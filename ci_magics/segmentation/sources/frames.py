"""Convert any frame to Arrow: its column names, and the requested columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from ci_magics.advice import FRAME, NAME, Do, advise
from ci_magics.errors import SegmentError
from ci_magics.in_memory import IN_MEMORY
from ci_magics.segmentation.columns import names_equal_in_sql
from ci_magics.segmentation.key_text import text_of_value
from ci_magics.segmentation.sources.frame_kinds import is_frame as is_frame
from ci_magics.segmentation.sources.frame_kinds import is_spark as is_spark
from ci_magics.segmentation.sources.pandas_frames import is_pandas, pandas_column, pandas_names, plain_pandas
from ci_magics.segmentation.sources.reading import unreadable


def column_names(frame: Any) -> list[str]:
    """Return a frame's column names.

    Raises
    ------
    SegmentError
        It is not a frame, two columns share a name, or a name is not text.
    """
    names = _names(frame)
    require_different(names, "frame")
    if isinstance(frame, duckdb.DuckDBPyRelation):
        require_different_in_sql(names)  # a relation returns the first column for the second name too
    return names


def require_different(names: Sequence[str], what: str) -> None:
    """Require that column names are unique.

    Parameters
    ----------
    names
        The column names.
    what
        What has the columns, for the message.

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
    """Require that column names differ in more than case, because SQL ignores case; see `names_equal_in_sql`.

    Raises
    ------
    SegmentError
        Two names differ only in case.
    """
    if found := names_equal_in_sql(names):
        raise SegmentError(
            f"SQL cannot tell the columns {found[0]} and {found[1]} apart.",
            "Rename one of them.",
            code="repeated_column",
        )


def as_table(frame: Any, columns: Sequence[str] | None = None) -> pa.Table:
    """Convert columns of a frame to Arrow.

    Parameters
    ----------
    frame
        The frame; not Spark.
    columns
        The columns; by default all.

    Raises
    ------
    SegmentError
        A column's values have no common type.
    """
    wanted = column_names(frame) if columns is None else list(columns)
    _refuse_spark(frame)
    converted = _converter(frame, wanted)
    found = {name: _converted(converted, name) for name in wanted}
    return pa.table(found) if found else pa.table({}).select([])


def table_for_sql(frame: Any, names: Sequence[str], is_named: Callable[[str], bool]) -> pa.Table:
    """Convert the columns of a frame that DuckDB can read to Arrow.

    Parameters
    ----------
    frame
        The frame.
    names
        The columns.
    is_named
        Returns whether a column is requested by name. Other columns are left out if they cannot be read.

    Raises
    ------
    SegmentError
        A requested column cannot be read; the message names it.
    """
    _refuse_spark(frame)
    converted = _converter(frame, names)
    found: dict[str, pa.Array | pa.ChunkedArray] = {}
    for name in names:
        try:
            found[name] = _for_sql(_converted(converted, name), name)
        except SegmentError:
            if is_named(name):
                raise
    return pa.table(found)


def _refuse_spark(frame: Any) -> None:
    if is_spark(frame):
        raise SegmentError(
            "A query cannot read a Spark frame: all its rows would come into this notebook.",
            advise("Query it with Spark, then make the segment of what comes out: ", Do("segment", NAME, FRAME), "."),
            code="spark_in_query",
        )


_Converter = Callable[[str], pa.Array | pa.ChunkedArray]


def _converter(frame: Any, wanted: Sequence[str]) -> _Converter:
    """Return a function that converts columns one at a time, so that one bad column does not affect the others."""
    if isinstance(frame, pa.Table | pa.RecordBatch):
        return lambda name: frame.column(name)
    if is_pandas(frame):
        plain = plain_pandas(frame)
        return lambda name: pandas_column(plain, name)
    if isinstance(frame, duckdb.DuckDBPyRelation):
        return _of_relation(frame, wanted)
    if isinstance(frame, pl.LazyFrame):
        frame = frame.select(list(wanted)).collect(engine=IN_MEMORY)
    if isinstance(frame, pl.DataFrame):
        return lambda name: polars_column(frame.get_column(name))
    table = pa.table(frame.select(list(wanted)) if hasattr(frame, "select") else frame)
    return lambda name: table.column(name)


def _of_relation(relation: duckdb.DuckDBPyRelation, wanted: Sequence[str]) -> _Converter:
    try:
        table = selected(relation, wanted).to_arrow_table()
    except duckdb.IOException as error:
        raise unreadable("the relation", error) from None
    except duckdb.Error:  # a column has no Arrow type: one query per column
        return lambda name: selected(relation, [name]).to_arrow_table().column(0)
    return lambda name: table.column(name)


def _converted(convert: _Converter, name: str) -> pa.Array | pa.ChunkedArray:
    try:
        column = convert(name)
    except (pa.ArrowException, pl.exceptions.PolarsError, duckdb.Error, TypeError, ValueError, OverflowError):
        raise SegmentError(
            f"The column {name} mixes kinds of values.",
            "Give it one type, for example with DataFrame.convert_dtypes(), or leave it out.",
            code="mixed_column",
        ) from None
    return _as_plain(column, _plain_kind(column.type))


def polars_column(series: pl.Series) -> pa.Array:
    """Convert a Polars column to Arrow, which has neither 128-bit integers nor Python objects."""
    if series.dtype == pl.Object:
        return pa.array([text_of_value(each) for each in series.to_list()], pa.large_string())
    if series.dtype in (pl.Int128, pl.UInt128):
        numbers = series.cast(pl.Decimal(38, 0), strict=False)
        series = numbers if numbers.null_count() == series.null_count() else series.cast(pl.String)
    return series.to_arrow()


def _for_sql(column: pa.Array | pa.ChunkedArray, name: str) -> pa.Array | pa.ChunkedArray:
    """Convert a column to a form that DuckDB can read."""
    if pa.types.is_float16(column.type):
        return column.cast(pa.float32())
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not (pa.types.is_nested(kind) or pa.types.is_decimal256(kind) or _is_extension(kind)):
        return column
    if pa.types.is_dictionary(column.type):  # for example of lists: DuckDB reads past the end of such a dictionary
        chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
        column = pa.chunked_array([each.dictionary.take(each.indices) for each in chunks], kind)
    try:
        if pa.types.is_decimal256(column.type):
            return column.cast(pa.decimal128(38, column.type.scale))
        with duckdb.connect(":memory:", config={"temp_directory": ""}) as database:
            database.register("one", pa.table({"column": column.slice(0, 0)}))
            database.execute("FROM one")
    except (pa.ArrowException, duckdb.Error):
        raise SegmentError(
            f"The column {name} holds {column.type} values, which a query or condition cannot read.",
            "Convert it to numbers or text first, or leave it out.",
            code="unreadable_column",
        ) from None
    return column


def _is_extension(kind: pa.DataType) -> bool:
    return isinstance(kind, pa.BaseExtensionType)


def selected(relation: duckdb.DuckDBPyRelation, columns: Sequence[str]) -> duckdb.DuckDBPyRelation:
    """Select columns of a relation; whole numbers too large for Arrow become text.

    Parameters
    ----------
    relation
        The relation.
    columns
        The columns.
    """
    kinds = dict(zip(relation.columns, map(str, relation.types), strict=True))
    chosen = [
        duckdb.ColumnExpression(name).cast("VARCHAR").alias(name)
        if kinds.get(name) in ("UHUGEINT", "BIGNUM")
        else duckdb.ColumnExpression(name)
        for name in columns
    ]
    return relation.select(*chosen)


def fetched(relation: duckdb.DuckDBPyRelation) -> pa.Table:
    """Return the rows of a relation as a table."""
    result = relation.arrow()
    return plain_text(result.read_all() if isinstance(result, pa.RecordBatchReader) else result)


def _names(frame: Any) -> list[str]:
    if isinstance(frame, pa.Table | pa.RecordBatch):
        names = list(frame.schema.names)
    elif is_pandas(frame):
        names = pandas_names(frame)
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
            "A column of the frame has a name that is not text.",
            "Name the columns, for example with df.columns = [...].",
            code="unnamed_column",
        )
    return names


_Arrow = TypeVar("_Arrow", pa.Table, pa.RecordBatch)


def plain_text(table: _Arrow) -> _Arrow:
    """Convert string views and run-end encoded values to plain layouts, which all Arrow functions support."""
    kinds = [_plain_kind(column.type) for column in table.schema]
    if kinds == [column.type for column in table.schema]:
        return table
    columns = [_as_plain(table.column(index), kind) for index, kind in enumerate(kinds)]
    return type(table).from_arrays(columns, names=table.schema.names)


def _plain_kind(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_string_view(kind):
        return pa.large_string()
    if pa.types.is_binary_view(kind):
        return pa.large_binary()
    if pa.types.is_run_end_encoded(kind):
        return _plain_kind(kind.value_type)
    if isinstance(kind, pa.JsonType):
        return _plain_kind(kind.storage_type)
    return _dictionary(kind) if pa.types.is_dictionary(kind) and pa.types.is_string_view(kind.value_type) else kind


def _as_plain(column: pa.Array | pa.ChunkedArray, kind: pa.DataType) -> pa.Array | pa.ChunkedArray:
    if column.type == kind:
        return column
    if isinstance(column.type, pa.JsonType):
        return column.cast(kind)
    if pa.types.is_run_end_encoded(column.type):
        return _decoded(column, kind)
    if not pa.types.is_dictionary(kind):
        return column.cast(kind)
    if isinstance(column, pa.ChunkedArray):
        return pa.chunked_array([_plain_dictionary(chunk) for chunk in column.chunks], kind)
    return _plain_dictionary(column)


def _decoded(column: pa.Array | pa.ChunkedArray, kind: pa.DataType) -> pa.Array | pa.ChunkedArray:
    chunks = [pc.run_end_decode(each) for each in (column.chunks if isinstance(column, pa.ChunkedArray) else [column])]
    values = [_as_plain(each, kind) for each in chunks]
    return pa.chunked_array(values, kind) if isinstance(column, pa.ChunkedArray) else values[0]


def _plain_dictionary(array: pa.DictionaryArray) -> pa.DictionaryArray:
    words = array.dictionary.cast(pa.large_string())
    return pa.DictionaryArray.from_arrays(array.indices, words, ordered=array.type.ordered)


def _dictionary(kind: pa.DictionaryType) -> pa.DictionaryType:
    return pa.dictionary(kind.index_type, pa.large_string(), kind.ordered)
