"""Translate errors during reading without other libraries' messages, which quote lines of the data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import duckdb
import polars as pl
import pyarrow as pa

from ci_magics.errors import SegmentError
from ci_magics.segmentation.sources.files import require_files, vanished
from ci_magics.segmentation.sources.sql_errors import condition_error, lacks_memory, out_of_memory

#: Exceptions of DuckDB, Arrow and Polars if a source has changed or ends early.
FAILURES = (duckdb.Error, pa.ArrowException, pl.exceptions.PolarsError, OSError)


@contextmanager
def reading(what: str, paths: Sequence[str] = (), where: str | None = None) -> Iterator[None]:
    """Translate errors while a source is read.

    Parameters
    ----------
    what
        The source, in words.
    paths
        Its files.
    where
        The condition on its rows, if any.

    Raises
    ------
    SegmentError
        A file no longer exists, or the source cannot be read to the end.
    """
    try:
        yield
    except FAILURES as error:
        require_files(paths)
        if lacks_memory(error):
            raise out_of_memory() from None
        if isinstance(error, FileNotFoundError):
            raise vanished("A file of the frame") from None
        if where is not None and _is_of_condition(error):
            raise condition_error(duckdb.ConversionException(), where, ()) from None
        raise unreadable(what, error) from None


def unreadable(what: str, error: Exception) -> SegmentError:
    """Return the error for a source that cannot be read to the end.

    Parameters
    ----------
    what
        The source, in words.
    error
        The original exception; only its type is shown.
    """
    subject = f"{what[0].upper()}{what[1:]}"
    if isinstance(error, MemoryError | duckdb.OutOfMemoryException | pa.ArrowMemoryError):
        return SegmentError(
            f"{subject} cannot be read: there is not enough memory for it.",
            "Close other notebooks, give the machine or container more memory, or read fewer columns and rows.",
            code="out_of_memory",
        )
    if isinstance(error, PermissionError):
        return SegmentError(f"You may not read {what}.", "Ask its owner for the right to read it.", code="no_right")
    return SegmentError(
        f"{what[0].upper()}{what[1:]} cannot be read to the end ({type(error).__name__}).",
        "Is it complete, and does each line have a value of the same kind in each column?",
        code="unreadable_file",
    )


def _is_of_condition(error: Exception) -> bool:
    """Return whether the condition failed to compare a value; Arrow passes on DuckDB's message."""
    words = str(error)
    return "Conversion Error" in words and "CSV Error" not in words
