"""Sources that need not fit into memory: files, datasets, and frames that are evaluated when they are read."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds

from ci_magics.errors import SegmentError
from ci_magics.segmentation.sources.excel import is_excel, read_excel
from ci_magics.segmentation.sources.frames import as_table, plain_text, selected
from ci_magics.segmentation.sources.reading import reading
from ci_magics.segmentation.sources.rows import BATCH, Rows
from ci_magics.segmentation.sources.sandbox import sandbox
from ci_magics.segmentation.sources.sql_errors import condition_error

_READERS = {".parquet": "read_parquet", ".pq": "read_parquet", ".csv": "read_csv", ".tsv": "read_csv"}
_FILE = re.compile(r"(\.parquet|\.pq|\.csv|\.tsv)(\.gz|\.zst)?\Z", re.IGNORECASE)
_PROFILES = "profiles"


def is_path(value: Any) -> bool:
    """Tell whether a value names files that a segment can be built from."""
    if isinstance(value, Path):
        return True
    return isinstance(value, str) and (_FILE.search(value.strip()) is not None or is_excel(value.strip()))


def is_stream(value: Any) -> bool:
    """Tell whether a value is read in batches rather than held in memory."""
    return is_path(value) or isinstance(value, pl.LazyFrame | ds.Dataset | duckdb.DuckDBPyRelation)


def files_of(pattern: str) -> list[str]:
    """Return the CSV or Parquet files that a path or pattern names.

    Raises
    ------
    SegmentError
        There is none.
    """
    paths = sorted(glob.glob(pattern, recursive=True)) if glob.has_magic(pattern) else [pattern]  # noqa: PTH207 - absolute patterns
    paths = [path for path in paths if Path(path).is_file()]
    if not paths:
        raise SegmentError(
            f"There is no file '{Path(pattern).name}'.",
            "Check the path; patterns such as part-*.parquet work too.",
            code="no_file",
        )
    return paths


def reader_of(paths: Sequence[str]) -> str:
    """Return the name of DuckDB's function that reads such files."""
    found = _FILE.search(paths[0])
    return _READERS[found.group(1).lower()] if found else "read_parquet"


def open_stream(source: Any, where: str | None) -> Rows:
    """Return the rows of a source that fulfil a condition.

    Parameters
    ----------
    source
        A path or pattern of CSV or Parquet files, a polars LazyFrame, a pyarrow dataset or a DuckDB relation.
    where
        A condition in DuckDB's SQL, for files and datasets.

    Raises
    ------
    SegmentError
        There are no such files, they cannot be read, or the condition cannot be evaluated.
    """
    if is_path(source):
        name = str(source).strip()
        return _table(read_excel(name), where) if is_excel(name) else _files(name, where)
    if isinstance(source, ds.Dataset):
        return _dataset(source, where)
    if isinstance(source, pl.LazyFrame):
        return _lazy(source)
    return _relation(source)


def _files(pattern: str, where: str | None) -> Rows:
    paths = files_of(pattern)

    def open_in(database: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
        return database.sql(f"FROM {reader_of(paths)}(?)", params=[paths])

    return _queried(open_in, where, paths, f"the file {Path(pattern).name}")


def _table(table: pa.Table, where: str | None) -> Rows:
    if where is None:
        return Rows.of(plain_text(table))

    def open_in(database: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
        database.register(_PROFILES, table)
        return database.table(_PROFILES)

    return _queried(open_in, where, [], "the sheet")


def _dataset(dataset: ds.Dataset, where: str | None) -> Rows:
    if where is None:

        def read(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
            with reading("the dataset"):
                yield from map(plain_text, dataset.to_batches(columns=list(columns), batch_size=BATCH))

        return Rows(plain_text(dataset.schema.empty_table()).schema, read)

    def open_in(database: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
        database.register(_PROFILES, dataset)
        return database.table(_PROFILES)

    return _queried(open_in, where, [], "the dataset")


def _queried(open_in: Any, where: str | None, paths: list[str], name: str) -> Rows:
    """Return rows that DuckDB reads; it opens the declared paths and nothing else."""

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
    """Return a source, or say that it cannot be read; DuckDB's own words may quote its content."""
    try:
        relation: duckdb.DuckDBPyRelation = open_in(database)
    except duckdb.Error as error:
        raise SegmentError(
            f"{name[0].upper()}{name[1:]} cannot be read ({type(error).__name__}).",
            "Is it CSV or Parquet, and whole?",
            code="unreadable_file",
        ) from None
    return relation


def _kept(relation: duckdb.DuckDBPyRelation, where: str | None) -> duckdb.DuckDBPyRelation:
    return relation if where is None else relation.filter(where)


def _lazy(frame: pl.LazyFrame) -> Rows:
    def read(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        with reading("the frame"):
            for part in frame.select(list(columns)).collect_batches(chunk_size=BATCH, maintain_order=True):
                yield from as_table(part).to_batches(max_chunksize=BATCH)

    with reading("the frame"):
        empty = as_table(frame.head(0).collect())
    return Rows(empty.schema, read)


def _relation(relation: duckdb.DuckDBPyRelation) -> Rows:
    def read(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        with reading("the relation"):
            yield from map(plain_text, selected(relation, columns).to_arrow_reader(BATCH))

    with reading("the relation"):
        empty = as_table(relation.limit(0))
    return Rows(empty.schema, read)
