"""Sources that need not fit in memory: files, datasets, and lazily evaluated frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from ci_magics.errors import SegmentError
from ci_magics.in_memory import IN_MEMORY, is_streamable
from ci_magics.segmentation.columns import PROFILES
from ci_magics.segmentation.sources.exact import TEXT
from ci_magics.segmentation.sources.files import Encoded, FileKind, FileSet, locate, refuse
from ci_magics.segmentation.sources.files import is_path as is_path
from ci_magics.segmentation.sources.frames import (
    as_table,
    plain_text,
    require_different,
    require_different_in_sql,
    selected,
)
from ci_magics.segmentation.sources.reading import reading, unreadable
from ci_magics.segmentation.sources.rows import BATCH, Rows
from ci_magics.segmentation.sources.sandbox import sandbox
from ci_magics.segmentation.sources.sql_errors import condition_error
from ci_magics.segmentation.sources.text_source import TextSource, text_source
from ci_magics.segmentation.sources.typed_sql import rows_where


def is_stream(value: Any) -> bool:
    """Return whether a value is read in batches rather than held in memory."""
    return is_path(value) or isinstance(value, pl.LazyFrame | ds.Dataset | duckdb.DuckDBPyRelation)


def text_of(source: Any) -> TextSource | None:
    """Return the text files that a path or pattern names; None for any other source.

    Raises
    ------
    SegmentError
        The files do not exist or cannot be read.
    """
    if not is_path(source):
        return None
    files = locate(source)
    if files.kind is FileKind.PARQUET:
        return None
    return text_source(files, source.encoding if isinstance(source, Encoded) else None)


def open_stream(source: Any, where: str | None, exact: Sequence[str] = (), written: Sequence[str] = ()) -> Rows:
    """Return the rows of a source that match a condition.

    Parameters
    ----------
    source
        A path or pattern of files, a polars LazyFrame, a pyarrow dataset or a DuckDB relation.
    where
        A condition in DuckDB's SQL, for files and datasets.
    exact
        Columns of text files to return as numbers, dates or Booleans if all values are; other columns are text.
    written
        Columns to return unchanged even if they are in ``exact``, unless they hold whole numbers, dates or Booleans.

    Raises
    ------
    SegmentError
        The files do not exist or cannot be read, or the condition cannot be evaluated.
    """
    text = text_of(source)
    if text is not None:
        return rows_where(text, where) if where is not None else _text(text, exact, written)
    if is_path(source):
        return _parquet(locate(source), where)
    if isinstance(source, ds.Dataset):
        return _dataset(source, where)
    if isinstance(source, pl.LazyFrame):
        return _lazy(source)
    return _relation(source)


def _text(source: TextSource, exact: Sequence[str], written: Sequence[str]) -> Rows:
    types = dict(source.types(exact))
    for name in written:
        if name in types and (pa.types.is_decimal(types[name]) or pa.types.is_floating(types[name])):
            types[name] = TEXT

    def read(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        with reading(f"the file {source.files.name}", source.files.paths):
            yield from source.typed([(name, name, types.get(name, TEXT)) for name in columns])[1]

    return Rows(pa.schema([(name, types.get(name, TEXT)) for name in source.names]), read)


def parquet_view(paths: Sequence[str]) -> str:
    """Return the SQL that reads Parquet files."""
    listed = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
    return f"FROM read_parquet([{listed}])"


def _parquet(files: FileSet, where: str | None) -> Rows:
    require_parquet(files.paths)

    def open_in(database: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
        return database.sql(parquet_view(files.paths))

    return _queried(open_in, where, list(files.paths), f"the file {files.name}")


def require_parquet(paths: Sequence[str]) -> None:
    """Require that Parquet files are complete, and that their column names differ in more than case.

    Raises
    ------
    SegmentError
        A file is truncated or damaged, or two columns have the same name.
    """
    for path in paths:
        try:
            names = pq.read_schema(path).names
        except (pa.ArrowException, OSError) as error:
            raise refuse(
                path, f"cannot be read: it is cut off or damaged ({type(error).__name__})", "Copy or export it again."
            ) from None
        require_different(names, "file")
        require_different_in_sql(names)


def _dataset(dataset: ds.Dataset, where: str | None) -> Rows:
    if where is None:

        def read(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
            with reading("the dataset"):
                yield from map(plain_text, dataset.to_batches(columns=list(columns), batch_size=BATCH))

        return Rows(plain_text(dataset.schema.empty_table()).schema, read)
    require_different_in_sql(dataset.schema.names)

    def open_in(database: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
        database.register(PROFILES, dataset)
        return database.table(PROFILES)

    return _queried(open_in, where, [], "the dataset")


def _queried(open_in: Any, where: str | None, paths: list[str], name: str) -> Rows:
    """Return rows that DuckDB reads; it can open only the given paths."""

    def read(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        with reading(name, paths, where), sandbox(paths) as database:
            chosen = _kept(open_in(database), where).select(*[duckdb.ColumnExpression(each) for each in columns])
            yield from map(plain_text, chosen.to_arrow_reader(BATCH))

    with sandbox(paths) as database:
        relation = _opened(open_in, database, name)
        try:
            empty = _kept(relation, where).limit(0).to_arrow_table()
        except duckdb.Error as error:
            raise condition_error(error, where or "", list(relation.columns)) from None
    return Rows(plain_text(empty).schema, read)


def _opened(open_in: Any, database: duckdb.DuckDBPyConnection, name: str) -> duckdb.DuckDBPyRelation:
    """Open a source; translate errors, because DuckDB's messages may quote its content."""
    try:
        relation: duckdb.DuckDBPyRelation = open_in(database)
    except duckdb.Error as error:
        if isinstance(error, duckdb.OutOfMemoryException):
            raise unreadable(name, error) from None
        raise SegmentError(
            f"{name[0].upper()}{name[1:]} cannot be read ({type(error).__name__}).",
            "Do the files have the same columns, is each complete, and may you read them?",
            code="unreadable_file",
        ) from None
    return relation


def _kept(relation: duckdb.DuckDBPyRelation, where: str | None) -> duckdb.DuckDBPyRelation:
    return relation if where is None else relation.filter(where)


def _lazy(frame: pl.LazyFrame) -> Rows:
    def read(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        with reading("the frame"):
            chosen = frame.select(list(columns))
            engine: Any = "streaming" if is_streamable(chosen) else IN_MEMORY
            for part in chosen.collect_batches(chunk_size=BATCH, maintain_order=True, engine=engine):
                yield from as_table(part).to_batches(max_chunksize=BATCH)

    with reading("the frame"):
        empty = as_table(frame.head(0).collect(engine=IN_MEMORY))
    return Rows(empty.schema, read)


def _relation(relation: duckdb.DuckDBPyRelation) -> Rows:
    def read(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        with reading("the relation"):
            yield from map(plain_text, selected(relation, columns).to_arrow_reader(BATCH))

    with reading("the relation"):
        empty = as_table(relation.limit(0))
    return Rows(empty.schema, read)
