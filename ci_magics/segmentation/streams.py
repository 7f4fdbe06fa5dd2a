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
from ci_magics.segmentation.frames import plain_text
from ci_magics.segmentation.rows import BATCH, Rows
from ci_magics.segmentation.sandbox import sandbox
from ci_magics.segmentation.sql_errors import condition_error

_READERS = {".parquet": "read_parquet", ".pq": "read_parquet", ".csv": "read_csv", ".tsv": "read_csv"}
_FILE = re.compile(r"(\.parquet|\.pq|\.csv|\.tsv)(\.gz|\.zst)?\Z", re.IGNORECASE)
_PROFILES = "profiles"


def is_path(value: Any) -> bool:
    """Tell whether a value names files that a segment can be built from."""
    return isinstance(value, Path) or (isinstance(value, str) and _FILE.search(value.strip()) is not None)


def is_stream(value: Any) -> bool:
    """Tell whether a value is read in batches rather than held in memory."""
    return is_path(value) or isinstance(value, pl.LazyFrame | ds.Dataset | duckdb.DuckDBPyRelation)


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
        return _files(str(source).strip(), where)
    if isinstance(source, ds.Dataset):
        return _dataset(source, where)
    if isinstance(source, pl.LazyFrame):
        return _lazy(source)
    return _relation(source)


def _files(pattern: str, where: str | None) -> Rows:
    paths = sorted(glob.glob(pattern, recursive=True)) if glob.has_magic(pattern) else [pattern]  # noqa: PTH207 - absolute patterns
    paths = [path for path in paths if Path(path).is_file()]
    if not paths:
        raise SegmentError(
            f"There is no file '{Path(pattern).name}'.",
            "Check the path; patterns such as part-*.parquet work too.",
            code="no_file",
        )
    found = _FILE.search(paths[0])
    function = _READERS[found.group(1).lower()] if found else "read_parquet"

    def open_in(database: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
        return database.sql(f"FROM {function}(?)", params=[paths])

    return _queried(open_in, where, paths, Path(pattern).name)


def _dataset(dataset: ds.Dataset, where: str | None) -> Rows:
    if where is None:

        def read(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
            yield from map(plain_text, dataset.to_batches(columns=list(columns), batch_size=BATCH))

        return Rows(plain_text(pa.RecordBatch.from_pylist([], dataset.schema)).schema, read)

    def open_in(database: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
        database.register(_PROFILES, dataset)
        return database.table(_PROFILES)

    return _queried(open_in, where, [], "the dataset")


def _queried(open_in: Any, where: str | None, paths: list[str], name: str) -> Rows:
    """Return rows that DuckDB reads; it opens the declared paths and nothing else."""

    def read(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        with sandbox(paths) as database:
            chosen = _kept(open_in(database), where).select(*[duckdb.ColumnExpression(each) for each in columns])
            yield from map(plain_text, chosen.to_arrow_reader(BATCH))

    with sandbox(paths) as database:
        names = _opened(open_in, database, name)
        try:
            empty = _kept(open_in(database), where).limit(0).to_arrow_table()
        except duckdb.Error as error:
            raise condition_error(error, where or "", names) from None
    return Rows(plain_text(empty).schema, read)


def _opened(open_in: Any, database: duckdb.DuckDBPyConnection, name: str) -> list[str]:
    """Return the columns of a source, or say that it cannot be read; DuckDB's own words may quote its content."""
    try:
        return list(open_in(database).columns)
    except duckdb.Error as error:
        raise SegmentError(
            f"The file {name} cannot be read ({type(error).__name__}).",
            "Is it CSV or Parquet, and whole?",
            code="unreadable_file",
        ) from None


def _kept(relation: duckdb.DuckDBPyRelation, where: str | None) -> duckdb.DuckDBPyRelation:
    return relation if where is None else relation.filter(where)


def _lazy(frame: pl.LazyFrame) -> Rows:
    def read(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        for part in frame.select(list(columns)).collect_batches(chunk_size=BATCH, maintain_order=True):
            for batch in part.to_arrow(compat_level=pl.CompatLevel.oldest()).to_batches(max_chunksize=BATCH):
                yield plain_text(batch)

    empty = frame.head(0).collect().to_arrow(compat_level=pl.CompatLevel.oldest())
    return Rows(plain_text(empty).schema, read)


def _relation(relation: duckdb.DuckDBPyRelation) -> Rows:
    def read(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        chosen = relation.select(*[duckdb.ColumnExpression(each) for each in columns])
        yield from map(plain_text, chosen.to_arrow_reader(BATCH))

    return Rows(plain_text(relation.limit(0).to_arrow_table()).schema, read)
