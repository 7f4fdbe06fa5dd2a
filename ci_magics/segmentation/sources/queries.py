"""Run conditions and queries over frames, in an isolated DuckDB."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa

from ci_magics.errors import SegmentError
from ci_magics.forking import require_threads
from ci_magics.segmentation.columns import (
    PROFILES,
    columns_in_sql,
    email_candidates,
    key_candidates,
    mentions,
    names_equal_in_sql,
)
from ci_magics.segmentation.sources.earlier import register_keys
from ci_magics.segmentation.sources.exact import TEXT
from ci_magics.segmentation.sources.files import encoded_text, locate, no_text, require_files
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
from ci_magics.segmentation.sources.one_select import nodes, require_one_select, without_end
from ci_magics.segmentation.sources.reading import FAILURES, unreadable
from ci_magics.segmentation.sources.rows import BATCH, Rows
from ci_magics.segmentation.sources.sandbox import sandbox
from ci_magics.segmentation.sources.sql_errors import condition_error, query_error
from ci_magics.segmentation.sources.streams import (
    is_path,
    is_stream,
    open_stream,
    parquet_view,
    require_parquet,
    text_of,
)
from ci_magics.segmentation.sources.text_source import TextSource
from ci_magics.segmentation.sources.typed_sql import (
    TypedTable,
    Types,
    chosen_types,
    naming_failed_rows,
    parsed,
    plan_of,
)


def read_columns(
    frame: Any, columns: Sequence[str], where: str | None, *, exact: Sequence[str] = (), written: Sequence[str] = ()
) -> Rows:
    """Return some columns of the rows that match a condition, in the frame's order.

    Parameters
    ----------
    frame
        pandas, polars, pyarrow, a DuckDB relation or dataset, or a path of files.
    columns
        The columns to read.
    where
        A condition in DuckDB's SQL over any column of the frame; None for all rows.
    exact, written
        For text files: the columns to return as numbers, dates or Booleans, and those to keep unchanged; see
        `open_stream`.

    Raises
    ------
    SegmentError
        The condition cannot be evaluated.
    """
    require_threads()
    if is_stream(frame) and (where is None or not isinstance(frame, duckdb.DuckDBPyRelation | pl.LazyFrame)):
        refuse_parameters(where)
        return open_stream(frame, where, exact, written)
    if where is None:
        return Rows.of(as_table(frame, columns))
    refuse_parameters(where)
    with sandbox() as database:
        try:
            _register(database, PROFILES, frame, where, columns)
            kept = database.table(PROFILES).filter(where)
            return Rows.of(fetched(kept.select(*[duckdb.ColumnExpression(name) for name in columns])))
        except duckdb.Error as error:
            raise condition_error(error, where, column_names(frame)) from None


def refuse_parameters(where: str | None) -> None:
    """Reject ``$name`` in a condition, where no parameters are bound.

    Raises
    ------
    SegmentError
        The condition has a parameter.
    """
    for name in parameter_names(f"SELECT {where}") if where else ():
        raise SegmentError(
            f"A condition has no value for ${name}.",
            f"Write a whole query instead of a condition: there ${name} is bound.",
            code="no_parameter",
        )


def columns_of(frame: Any) -> list[str]:
    """Return the column names of a source.

    Raises
    ------
    SegmentError
        It is not a frame, two columns share a name, or a name is not text.
    """
    require_threads()
    text = text_of(frame)
    if text is not None:
        return list(text.names)
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
    *,
    written: Sequence[str] = (),
    encoding: str | None = None,
) -> Rows:
    """Run one SELECT over named frames and over files that the query itself names, as in ``FROM 'part-*.parquet'``.

    Parameters
    ----------
    sql
        One SELECT in DuckDB's SQL.
    frames
        Frames by the names in the query.
    parameters
        Values for ``$name`` in the query; bound, never interpolated.
    earlier
        Earlier segments by name, each as a table of its keys; see `register_keys`.
    written
        Result columns that are keys or addresses: values from text files stay unchanged.
    encoding
        The encoding of the text files, if the user named it.

    Raises
    ------
    SegmentError
        It is not one SELECT, or cannot be run.
    """
    require_threads()
    files = files_in(sql, encoding)
    tables = _Tables(frames, files, earlier or {})
    if not files:
        with _result(sql, tables, parameters) as relation:
            return Rows.of(fetched(relation))
    types = _types(sql, tables, parameters, written)
    with _result(sql, tables, parameters, types, empty=True) as relation:
        schema = plain_text(relation.limit(0).to_arrow_table()).schema

    def read(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        with _result(sql, tables, parameters, types) as relation, naming_failed_rows(list(tables.texts.values())):
            chosen = relation.select(*[duckdb.ColumnExpression(each) for each in columns])
            yield from map(plain_text, chosen.to_arrow_reader(BATCH))

    return Rows(schema, read)


@dataclass(frozen=True)
class _Tables:
    """The tables of a query, by the names in the query.

    Parameters
    ----------
    frames
        The notebook's frames.
    files
        Text files, or the paths of Parquet files.
    earlier
        The keys of earlier segments.
    """

    frames: Mapping[str, Any]
    files: Mapping[str, TextSource | tuple[str, ...]]
    earlier: Mapping[str, pa.Table]

    @property
    def texts(self) -> dict[str, TextSource]:
        """The text files."""
        return {name: each for name, each in self.files.items() if isinstance(each, TextSource)}

    @property
    def parquet(self) -> dict[str, tuple[str, ...]]:
        """The paths of Parquet files."""
        return {name: each for name, each in self.files.items() if not isinstance(each, TextSource)}

    @property
    def paths(self) -> list[str]:
        """The paths of all files."""
        texts = (path for each in self.texts.values() for path in each.files.paths)
        return [*texts, *(path for paths in self.parquet.values() for path in paths)]

    @property
    def names(self) -> list[str]:
        """The names of all tables."""
        return [*self.frames, *self.files, *self.earlier]

    @property
    def columns(self) -> list[str]:
        """The columns that a query can name, for errors about an unknown one."""
        frames = [name for each in (*self.frames.values(), *self.earlier.values()) for name in column_names(each)]
        return [*frames, *(name for each in self.texts.values() for name in each.names)]


def files_in(sql: str, encoding: str | None = None) -> dict[str, TextSource | tuple[str, ...]]:
    """Return the files that a query reads, by their names in the query.

    Parameters
    ----------
    sql
        The query.
    encoding
        The encoding of the text files, if the user named it.

    Raises
    ------
    SegmentError
        The files do not exist or cannot be read.
    ArgumentError
        An encoding is given, and no file is text.
    """
    found: dict[str, TextSource | tuple[str, ...]] = {}
    names = sorted(filter(is_path, referenced_tables(sql)))
    if encoding is not None and not any(locate(name).kind.has_encoding for name in names):
        raise no_text()
    for name in names:
        text = text_of(encoded_text(name, encoding))
        found[name] = text if text is not None else locate(name).paths
        if text is None:
            require_parquet(locate(name).paths)
    return found


def _types(sql: str, tables: _Tables, parameters: Mapping[str, Any], written: Sequence[str]) -> Types:
    """Return the column types of text files."""
    texts = tables.texts
    if not texts:
        return {}
    used = {name: columns_in_sql(sql, each.names) for name, each in texts.items()}
    handed_on = _handed_on(sql, [name for each in texts.values() for name in each.names], written)

    def attempt(types: Types) -> str:
        with _database(sql, tables, parameters, types, empty=True) as (database, values):
            return plan_of(database, without_end(sql), values)

    try:
        return chosen_types(texts, used, attempt, sql, handed_on)
    except duckdb.Error as error:
        raise query_error(error, sql, tables.columns, tables.names) from None


def _handed_on(sql: str, columns: Sequence[str], written: Sequence[str]) -> set[str]:
    """Return the file columns that a query returns as keys or addresses, possibly under another name."""
    found = {*written, *key_candidates(columns), *email_candidates(columns)}
    for node in nodes(parsed(sql)):
        alias = node.get("alias")
        if node.get("class") == "COLUMN_REF" and alias and (alias in written or key_candidates([alias])):
            found.add(node["column_names"][-1])
    return found


@contextmanager
def _result(
    sql: str,
    tables: _Tables,
    parameters: Mapping[str, Any],
    types: Types | None = None,
    *,
    empty: bool = False,
) -> Iterator[duckdb.DuckDBPyRelation]:
    """Run a query in a database that has its tables and can open its files, and nothing else."""
    try:
        with _database(sql, tables, parameters, types or {}, empty=empty) as (database, values):
            relation = database.sql(without_end(sql), params=values or None)
            require_different(relation.columns, "query")
            require_different_in_sql(relation.columns)
            yield relation
    except FAILURES as error:
        require_files(tables.paths)
        if not isinstance(error, duckdb.Error):
            raise unreadable("a file of the query", error) from None
        raise query_error(error, sql, tables.columns, tables.names) from None


@contextmanager
def _database(
    sql: str, tables: _Tables, parameters: Mapping[str, Any], types: Types, *, empty: bool
) -> Iterator[tuple[duckdb.DuckDBPyConnection, dict[str, Any]]]:
    """Open a database with the tables of a query; yields it and the values of the query's parameters."""
    with sandbox([path for paths in tables.parquet.values() for path in paths]) as database:
        wanted = require_one_select(database, sql).parameters
        values = {name: _bindable(name, parameters) for name in wanted}
        for name, frame in tables.frames.items():
            _register(database, name, frame, sql)
        for name, paths in tables.parquet.items():
            quoted = name.replace('"', '""')
            database.execute(f'CREATE VIEW "{quoted}" AS {parquet_view(paths)}')
        for name, text in tables.texts.items():
            columns = [(each, each, types.get((name, each), TEXT)) for each in text.names]
            database.register(name, TypedTable(text, columns, empty))
        register_keys(database, tables.earlier, [*tables.frames, *tables.files])
        yield database, values


def referenced_tables(sql: str) -> set[str]:
    """Return the names of the tables that a query reads; empty if it cannot be parsed."""
    tree = parsed(sql)
    own = {each["key"] for node in nodes(tree) for each in node.get("cte_map", {}).get("map", [])}
    return {str(node["table_name"]) for node in nodes(tree) if node.get("type") == "BASE_TABLE"} - own


def parameter_names(sql: str) -> list[str]:
    """Return the names of ``$name`` parameters in a query, sorted; empty if it cannot be parsed."""
    return list(_parameter_names(sql)) if "$" in sql or "?" in sql else []


@lru_cache(maxsize=32)  # see `parsed`
def _parameter_names(sql: str) -> tuple[str, ...]:
    with sandbox() as database:
        try:
            names = {name for each in database.extract_statements(sql) for name in each.named_parameters}
        except duckdb.Error:
            return ()  # running the query reports the error
    return tuple(sorted(names))


def _register(
    database: duckdb.DuckDBPyConnection, name: str, frame: Any, text: str, needed: Sequence[str] | None = None
) -> None:
    """Register a frame. A relation is fetched first, because its own database is not isolated.

    Parameters
    ----------
    name
        The frame's name in the query or condition.
    text
        The query or condition. A column that it does not mention is left out if DuckDB cannot read its values.
    needed
        For a condition, the columns to read in addition to those that it may use. A query reads all columns.
    """
    names = column_names(frame)

    def is_named(column: str) -> bool:
        return column in (needed or ()) or mentions(text, column)

    while (found := names_equal_in_sql(names)) and not any(map(is_named, found)):
        names.remove(found[1])  # DuckDB would rename it
    require_different_in_sql(names)
    if needed is not None:
        used = {*needed, *columns_in_sql(text, names)}
        names = [each for each in names if each in used]
    database.register(name, table_for_sql(frame, names, is_named))


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
