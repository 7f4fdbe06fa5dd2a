"""Any frame, read as Arrow through DuckDB: only the rows and columns that are asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb
import pyarrow as pa

from ci_magics.errors import CiError, SegmentError
from ci_magics.segmentation.columns import require_column

_PROFILES = "profiles"
_PARAMETER = re.compile(r"\$[A-Za-z_]\w*")
_MISSING_COLUMN = re.compile(r'Referenced column "([^"]+)" (?:was )?not found|column named "?([^"]+?)"? ')


def column_names(frame: Any) -> list[str]:
    """Return a frame's column names.

    Raises
    ------
    SegmentError
        It is not a frame, two columns share a name, or a name is not text.
    """
    names = _names(frame)
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise SegmentError(
            f"Two columns of the frame are named '{twice}'.", "Rename one of them.", code="repeated_column"
        )
    return names


def is_frame(value: Any) -> bool:
    """Tell whether a value is a frame that a segment can be built from."""
    return isinstance(value, pa.Table | pa.RecordBatch) or (
        hasattr(value, "collect_schema") or (hasattr(value, "__arrow_c_stream__") and hasattr(value, "columns"))
    )


def read_columns(frame: Any, columns: Sequence[str], where: str | None) -> pa.Table:
    """Return some columns of the rows that fulfil a condition, in the frame's order.

    Parameters
    ----------
    frame
        pandas, polars, pyarrow or a DuckDB relation.
    columns
        The columns to read.
    where
        A condition in DuckDB's SQL over any column of the frame; None for all rows.

    Raises
    ------
    SegmentError
        The condition cannot be evaluated.
    """
    if where is None and not isinstance(frame, duckdb.DuckDBPyRelation):
        return _arrow(frame, columns)
    with _sandbox() as database:
        relation = _relation(database, frame)
        try:
            kept = relation.filter(where) if where is not None else relation
            return _chunked(kept.select(*[duckdb.ColumnExpression(name) for name in columns]))
        except duckdb.Error as error:
            raise _condition_error(error, column_names(frame)) from None


def query(sql: str, frames: Mapping[str, Any], parameters: Mapping[str, Any]) -> pa.Table:
    """Run one SELECT over named frames.

    Parameters
    ----------
    sql
        One SELECT in DuckDB's SQL.
    frames
        Frames by the name that the query uses.
    parameters
        Values for ``$name`` in the query; bound, never pasted.

    Raises
    ------
    SegmentError
        It is not one SELECT, or cannot be run.
    """
    with _sandbox() as database:
        _require_select(database, sql)
        for name, frame in frames.items():
            database.register(name, _registrable(frame))
        try:
            return _chunked(database.sql(sql, params=dict(parameters) or None))
        except duckdb.Error as error:
            raise _query_error(error) from None


def referenced_tables(sql: str) -> set[str]:
    """Return the names of the tables that a query reads; empty when it cannot be parsed."""
    with _sandbox() as database:
        try:
            return set(database.get_table_names(_PARAMETER.sub("NULL", sql)))  # it does not know parameters
        except duckdb.Error:
            return set()  # running it will say what is wrong


@contextmanager
def _sandbox() -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database that reads nothing but what is registered in it."""
    database = duckdb.connect(
        ":memory:",
        config={
            "enable_external_access": "false",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "python_enable_replacements": "false",
            "lock_configuration": "true",
        },
    )
    try:
        yield database
    finally:
        database.close()


def _relation(database: duckdb.DuckDBPyConnection, frame: Any) -> duckdb.DuckDBPyRelation:
    if isinstance(frame, duckdb.DuckDBPyRelation):
        return frame
    database.register(_PROFILES, _registrable(frame))
    return database.table(_PROFILES)


def _registrable(frame: Any) -> Any:
    """Return what DuckDB scans by itself; anything else is brought into Arrow first."""
    if isinstance(frame, pa.RecordBatch):
        return pa.Table.from_batches([frame])
    if isinstance(frame, duckdb.DuckDBPyRelation):
        return _chunked(frame)
    if isinstance(frame, pa.Table):
        return frame
    return _arrow(frame, column_names(frame))


def _arrow(frame: Any, columns: Sequence[str]) -> pa.Table:
    if isinstance(frame, pa.RecordBatch):
        frame = pa.Table.from_batches([frame])
    try:
        if type(frame).__module__.startswith("pandas"):
            return _from_pandas(frame, columns)
        chosen = frame.select(list(columns))
        return _without_views(pa.table(chosen.collect() if hasattr(chosen, "collect") else chosen))
    except (pa.ArrowException, TypeError, ValueError):
        raise SegmentError(
            "A column of the frame mixes kinds of values that cannot stand together.",
            "Give each column one type, for example with DataFrame.convert_dtypes().",
            code="mixed_column",
        ) from None


def _from_pandas(frame: Any, columns: Sequence[str]) -> pa.Table:
    """Convert column by column, so that one odd column does not spoil the others."""
    return pa.table({name: _pandas_column(frame[name]) for name in columns})


def _pandas_column(series: Any) -> pa.ChunkedArray:
    try:
        array = pa.array(series, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        # An object column of texts and numbers: the texts stay, the rest becomes text.
        array = pa.array([_as_text(value) for value in series], pa.string())
    return array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])


def _as_text(value: Any) -> str | None:
    if value is None or value != value or type(value).__name__ == "NAType":  # NaN is not equal to itself
        return None
    return value if isinstance(value, str) else str(value)


def _chunked(relation: duckdb.DuckDBPyRelation) -> pa.Table:
    result = relation.arrow()
    return _without_views(result.read_all() if isinstance(result, pa.RecordBatchReader) else result)


def _without_views(table: pa.Table) -> pa.Table:
    """Give text in views a plain layout: few of Arrow's functions know views."""
    views = [index for index, column in enumerate(table.schema) if pa.types.is_string_view(column.type)]
    for index in views:
        column = table.schema.field(index)
        table = table.set_column(index, column.name, table.column(index).cast(pa.large_string()))
    return table


def _names(frame: Any) -> list[str]:
    if isinstance(frame, pa.Table | pa.RecordBatch):
        return list(frame.schema.names)
    if not is_frame(frame):
        raise SegmentError(
            f"A {type(frame).__name__} is not a frame.",
            "Give a pandas, polars or pyarrow table, or a DuckDB relation.",
            code="not_a_frame",
        )
    names = list(frame.collect_schema().names() if hasattr(frame, "collect_schema") else frame.columns)
    if any(not isinstance(name, str) for name in names):
        raise SegmentError(
            "A column of the frame has no name in words.", "Name the columns, for example with df.columns = [...]."
        )
    return names


def _require_select(database: duckdb.DuckDBPyConnection, sql: str) -> None:
    try:
        statements = database.extract_statements(sql)
    except duckdb.Error as error:
        raise _query_error(error) from None
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise SegmentError("A segment is one SELECT.", "Write one query that begins with SELECT.", code="not_select")


def _condition_error(error: duckdb.Error, columns: Sequence[str]) -> CiError:
    missing = _MISSING_COLUMN.search(str(error))
    if missing:
        name = missing.group(1) or missing.group(2)
        try:
            require_column(columns, name)
        except SegmentError as better:
            return better
    return SegmentError(
        f"The condition cannot be used: {_kind(error)}.",
        "Write it in SQL, for example --where \"TotalSpend > 500 and Country = 'NL'\".",
        code=type(error).__name__,
    )


def _query_error(error: duckdb.Error) -> CiError:
    return SegmentError(
        f"The query cannot be run: {_kind(error)}.", "Check its names and its grammar.", code=type(error).__name__
    )


def _kind(error: duckdb.Error) -> str:
    """Say what kind of error it is. DuckDB's own words may quote a value of the data, so only some are repeated."""
    if isinstance(error, duckdb.ParserException):
        near = re.search(r'at or near "([^"@]{1,40})"', str(error))
        return f"a mistake in the grammar near '{near.group(1)}'" if near else "a mistake in the grammar"
    if isinstance(error, duckdb.CatalogException):
        name = re.search(r"(?:Table|Function) with name (\w{1,60})", str(error), re.IGNORECASE)
        return f"there is no table or function '{name.group(1)}'" if name else "a name does not exist"
    if isinstance(error, duckdb.BinderException):
        return "a name or a type does not fit"
    if isinstance(error, duckdb.ConversionException):
        return "a value cannot be compared with that type"
    return "the database refused it"
