"""Conditions and queries over frames, in a DuckDB that reads nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa

from ci_magics.errors import SegmentError
from ci_magics.segmentation.columns import mentions, twins
from ci_magics.segmentation.sources.earlier import register_keys
from ci_magics.segmentation.sources.excel import is_excel, read_excel
from ci_magics.segmentation.sources.frames import (
    as_table,
    column_names,
    fetched,
    plain_text,
    require_different,
    require_different_in_sql,
    table_for_sql,
)
from ci_magics.segmentation.sources.frames import is_frame as is_frame
from ci_magics.segmentation.sources.one_select import require_one_select, without_end
from ci_magics.segmentation.sources.reading import FAILURES, require_files, unreadable
from ci_magics.segmentation.sources.rows import BATCH, Rows
from ci_magics.segmentation.sources.sandbox import sandbox
from ci_magics.segmentation.sources.sql_errors import condition_error, query_error
from ci_magics.segmentation.sources.streams import files_of, is_path, is_stream, open_stream, reader_of

_PROFILES = "profiles"


def read_columns(frame: Any, columns: Sequence[str], where: str | None) -> Rows:
    """Return some columns of the rows that fulfil a condition, in the frame's order.

    Parameters
    ----------
    frame
        pandas, polars, pyarrow, a DuckDB relation or dataset, or a path of files.
    columns
        The columns to read.
    where
        A condition in DuckDB's SQL over any column of the frame; None for all rows.

    Raises
    ------
    SegmentError
        The condition cannot be evaluated.
    """
    if is_stream(frame) and (where is None or not isinstance(frame, duckdb.DuckDBPyRelation | pl.LazyFrame)):
        refuse_parameters(where)
        return open_stream(frame, where)
    if where is None:
        return Rows.of(as_table(frame, columns))
    refuse_parameters(where)
    with sandbox() as database:
        try:
            _register(database, _PROFILES, frame, where, columns)
            kept = database.table(_PROFILES).filter(where)
            return Rows.of(fetched(kept.select(*[duckdb.ColumnExpression(name) for name in columns])))
        except duckdb.Error as error:
            raise condition_error(error, where, column_names(frame)) from None


def refuse_parameters(where: str | None) -> None:
    """Refuse ``$name`` in a condition: nothing is bound there.

    Raises
    ------
    SegmentError
        There is one.
    """
    for name in parameter_names(f"SELECT {where}") if where else ():
        raise SegmentError(
            f"A condition has no value for ${name}.",
            f"Write the query in a cell of %%ci_segment: there ${name} is bound.",
            code="no_parameter",
        )


def columns_of(frame: Any) -> list[str]:
    """Return the names of a source's columns.

    Raises
    ------
    SegmentError
        It is not a frame, two columns share a name, or a name is not text.
    """
    if is_path(frame) or (not is_frame(frame) and is_stream(frame)):
        names = list(open_stream(frame, None).schema.names)
        require_different(names, "file")
        return names
    return column_names(frame)


def query(
    sql: str,
    frames: Mapping[str, Any],
    parameters: Mapping[str, Any],
    earlier: Mapping[str, pa.Table] | None = None,
) -> Rows:
    """Run one SELECT over named frames and over files that it names itself, as in ``FROM 'part-*.parquet'``.

    Parameters
    ----------
    sql
        One SELECT in DuckDB's SQL.
    frames
        Frames by the name that the query uses.
    parameters
        Values for ``$name`` in the query; bound, never pasted.
    earlier
        Earlier segments by name, each as a table of its keys; see `register_keys`.

    Raises
    ------
    SegmentError
        It is not one SELECT, or cannot be run.
    """
    files = {name: files_of(name) for name in referenced_tables(sql) if is_path(name) and not is_excel(name)}
    sheets = {name: read_excel(name) for name in referenced_tables(sql) if is_excel(name)}
    tables, keys = {**sheets, **frames}, earlier or {}
    if not files:
        with _result(sql, tables, files, keys, parameters) as relation:
            return Rows.of(fetched(relation))
    with _result(sql, tables, files, keys, parameters) as relation:
        schema = plain_text(relation.limit(0).to_arrow_table()).schema

    def read(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        with _result(sql, tables, files, keys, parameters) as relation:
            chosen = relation.select(*[duckdb.ColumnExpression(each) for each in columns])
            yield from map(plain_text, chosen.to_arrow_reader(BATCH))

    return Rows(schema, read)


@contextmanager
def _result(
    sql: str,
    tables: Mapping[str, Any],
    files: Mapping[str, list[str]],
    keys: Mapping[str, pa.Table],
    parameters: Mapping[str, Any],
) -> Iterator[duckdb.DuckDBPyRelation]:
    """Run a query in a database that holds its tables and may open its files, and nothing else."""
    columns = [name for table in (*tables.values(), *keys.values()) for name in column_names(table)]
    with sandbox([path for paths in files.values() for path in paths]) as database:
        try:
            wanted = require_one_select(database, sql).named_parameters
            values = {name: _bindable(name, parameters) for name in wanted}
            for name, table in tables.items():
                _register(database, name, table, sql)
            for name, paths in files.items():
                database.execute(_view(name, paths))
            register_keys(database, keys, [*tables, *files])
            yield database.sql(without_end(sql), params=values or None)
        except FAILURES as error:
            require_files([path for paths in files.values() for path in paths])
            if not isinstance(error, duckdb.Error):
                raise unreadable("a file of the query", error) from None
            raise query_error(error, sql, columns, [*tables, *files, *keys]) from None


def _view(name: str, paths: Sequence[str]) -> str:
    """Return the statement that lets a query read files by the name that it uses for them."""
    listed = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
    quoted = name.replace('"', '""')
    return f'CREATE VIEW "{quoted}" AS FROM {reader_of(paths)}([{listed}])'


def referenced_tables(sql: str) -> set[str]:
    """Return the names of the tables that a query reads; empty when it cannot be parsed."""
    with sandbox() as database:
        try:
            row = database.execute("SELECT json_serialize_sql(?)", [sql]).fetchone()
        except duckdb.Error:
            return set()  # running it will say what is wrong
    tree = json.loads(row[0]) if row else {}
    own = {each["key"] for node in _nodes(tree) for each in node.get("cte_map", {}).get("map", [])}
    return {str(node["table_name"]) for node in _nodes(tree) if node.get("type") == "BASE_TABLE"} - own


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
    for part in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from _nodes(part)


def parameter_names(sql: str) -> list[str]:
    """Return the names of the ``$name`` in a query, in order; empty when it cannot be parsed."""
    with sandbox() as database:
        try:
            return sorted({name for each in database.extract_statements(sql) for name in each.named_parameters})
        except duckdb.Error:
            return []  # running it will say what is wrong


def _register(
    database: duckdb.DuckDBPyConnection, name: str, frame: Any, text: str, needed: Sequence[str] = ()
) -> None:
    """Let the database read a frame. A relation is fetched first: its own database has no such limits.

    Parameters
    ----------
    name
        What the query or condition calls it.
    text
        The query or condition. A column that it does not mention is left out if DuckDB cannot read its values.
    needed
        Columns that are read besides.
    """

    def is_named(column: str) -> bool:
        return column in needed or mentions(text, column)

    table = table_for_sql(frame, is_named)
    while (found := twins(table.schema.names)) and not any(map(is_named, found)):
        table = table.drop_columns(found[1])  # DuckDB would rename it
    require_different_in_sql(table.schema.names)
    database.register(name, table)


def _bindable(name: str, parameters: Mapping[str, Any]) -> Any:
    if name not in parameters:
        raise SegmentError(
            f"The query has no value for {f'${name}' if name.isidentifier() else 'a question mark'}.",
            "Write $name, and make a variable of that name first.",
            code="no_parameter",
        )
    value = parameters[name]
    if is_frame(value):
        raise SegmentError(f"${name} is a frame, not a value.", f"Read it by its name: FROM {name}.", code="parameter")
    number = isinstance(value, np.integer | np.floating | np.bool_ | np.str_)
    return value.item() if number else value
