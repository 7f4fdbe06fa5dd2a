"""Convert JSON objects or CSV lines to Arrow: all columns are text, except Booleans."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

_BLOCK = 1 << 20
_TRUE = ("true", "True", "TRUE", "1")


def record_schema(columns: Mapping[str, bool]) -> pa.Schema:
    """Return the schema of columns, each given with whether it is Boolean."""
    return pa.schema([(name, pa.bool_() if is_boolean else pa.large_string()) for name, is_boolean in columns.items()])


def batch_of_records(rows: Sequence[Mapping[str, Any]], names: Sequence[str], schema: pa.Schema) -> pa.RecordBatch:
    """Convert rows to a batch.

    Parameters
    ----------
    rows
        JSON objects; a missing value is null.
    names
        The rows' names for the columns of the schema, in its order.
    schema
        The schema of the result.
    """
    arrays = [_column([row.get(name) for row in rows], field.type) for name, field in zip(names, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def csv_batches(
    stream: Any, schema: pa.Schema, names: Sequence[str] | None = None, wanted: Sequence[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield the lines of a CSV file as batches, as they arrive.

    Parameters
    ----------
    stream
        The file.
    schema
        The schema of the result; a column that the file lacks is null.
    names
        The columns of a file without a header row; None if it has one.
    wanted
        The file's names for the columns of the schema, if they differ.
    """
    failed_query = list(wanted or schema.names)
    reader = pa_csv.open_csv(
        stream,
        # With its own threads, Arrow would read far ahead; the caller already reads several files in parallel.
        read_options=pa_csv.ReadOptions(
            use_threads=False, block_size=_BLOCK, column_names=list(names) if names else None
        ),
        parse_options=pa_csv.ParseOptions(newlines_in_values=True),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict.fromkeys(failed_query, pa.string()),
            include_columns=failed_query,
            include_missing_columns=True,
            null_values=[""],
            strings_can_be_null=True,
        ),
    )
    for batch in reader:
        arrays = [_typed(batch.column(name), field.type) for name, field in zip(failed_query, schema, strict=True)]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _typed(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if kind != pa.bool_():
        return column.cast(kind)
    return pc.if_else(pc.is_null(column), pa.scalar(None, pa.bool_()), pc.is_in(column, pa.array(_TRUE)))


def _column(values: list[Any], kind: pa.DataType) -> pa.Array:
    try:
        return pa.array(values, kind)
    except (pa.ArrowException, UnicodeError):
        return pa.array([_value(each, kind) for each in values], kind)  # for example a number in a text column


def _value(value: Any, kind: pa.DataType) -> Any:
    if value is None:
        return None
    if kind == pa.bool_():
        return value if isinstance(value, bool) else str(value) in _TRUE
    # A lone surrogate has no UTF-8 encoding. Escaped with a backslash, it is still not a valid address.
    return str(value).encode("utf-8", "backslashreplace").decode("utf-8")


def csv_columns(stream: Any) -> list[str]:
    """Return the header row of a CSV file."""
    return list(pa_csv.open_csv(stream, read_options=pa_csv.ReadOptions(block_size=_BLOCK)).schema.names)
