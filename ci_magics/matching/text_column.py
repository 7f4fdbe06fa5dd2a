"""Any column of values as Arrow text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from ci_magics.display.numbers import pluralize
from ci_magics.errors import ArgumentError
from ci_magics.segmentation.values import is_text, readable

#: The most values in one piece: enough to make a call efficient, few enough to save memory.
PIECE = 262_144


def pieces(values: Any) -> Iterator[Any]:
    """Split a column into pieces of about the same length, a multiple of the number of processors, for `text_column`.

    The pieces are not text yet: the thread that processes a piece converts it, so all processors share the work.

    Raises
    ------
    ArgumentError
        It is not a column.
    """
    column = _column(values)
    objects = _objects(column)
    chunked = _arrow(column) if objects is None else objects
    for chunk in chunked.chunks if isinstance(chunked, pa.ChunkedArray) else [chunked]:
        size = _size(len(chunk))
        yield from (chunk[start : start + size] for start in range(0, len(chunk), size))


def _size(count: int) -> int:
    processors = pl.thread_pool_size()
    rounds = -(-count // (PIECE * processors))
    return max(-(-count // max(rounds * processors, 1)), 1)


def as_text(words: pl.Series) -> pa.StringArray:
    """Convert a Polars column to plain Arrow text, faster than Polars and without blocking other threads.

    Only for immediate use, because the result may keep the whole Polars column in memory; see `compact_text`.
    """
    return words.to_arrow(compat_level=pl.CompatLevel.newest()).cast(pa.string())


def compact_text(words: pl.Series) -> pa.StringArray:
    """Convert a Polars column to plain Arrow text that does not keep the Polars column in memory.

    Arrow's own conversion shares one buffer with the Polars column, which keeps all of it in memory.
    """
    return pa.concat_arrays([as_text(words), pa.array([], pa.string())])


def text_column(values: Any) -> pa.Array | pa.ChunkedArray:
    """Return values as text: other values become text or null, never an exception.

    Parameters
    ----------
    values
        A list, a pandas or polars Series, a numpy array, an Arrow array of any kind of text, or a frame of one column.

    Raises
    ------
    ArgumentError
        It is not a column.
    """
    array = _arrow(_column(values))
    kind = array.type
    if pa.types.is_dictionary(kind):
        array, kind = array.cast(kind.value_type), kind.value_type
    if pa.types.is_string_view(kind) or pa.types.is_null(kind):
        array, kind = array.cast(pa.large_string()), pa.large_string()
    if is_text(kind):
        return readable(array)
    return pa.array([_text(value) for value in array.to_pylist()], pa.large_string())


def _column(values: Any) -> Any:
    """Return the column that a value is or contains."""
    if isinstance(values, str | bytes) or not hasattr(values, "__len__"):
        raise ArgumentError(
            f"A {type(values).__name__} is not a column of e-mail addresses.",
            "Give a list, a Series or an Arrow column.",
            code="not_a_column",
        )
    if isinstance(values, pa.Table):
        names = values.column_names
    elif hasattr(values, "__arrow_c_stream__") and hasattr(values, "columns"):
        names = list(values.columns)
    else:
        return values
    if len(names) != 1:
        raise ArgumentError(
            f"The {type(values).__name__} has {pluralize(len(names), 'column')}, but only one is allowed.",
            'Name it, for example frame["EMail"].',
            code="not_a_column",
        )
    return pa.table(values).column(0)


def _objects(values: Any) -> list[Any] | tuple[Any, ...] | np.ndarray[Any, Any] | None:
    """Return the sequence if it holds plain Python values."""
    if isinstance(values, list | tuple):
        return values
    dtype = getattr(values, "dtype", None)
    return np.asarray(values) if dtype == np.dtype(object) or dtype == pl.Object else None


def _arrow(values: Any) -> pa.Array | pa.ChunkedArray:
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values
    if isinstance(values, pl.Series) and values.dtype != pl.Object:
        return values.to_arrow()
    try:
        return pa.array(values, from_pandas=True)
    except Exception:  # noqa: BLE001 - any object may be among them, and fail in its own way
        return pa.array([_text(value) for value in values], pa.large_string())


def _text(value: Any) -> str | None:
    """Return one value as text; None for NaT and for objects without a text form.

    NaN and NA need no special case: their texts count as missing.
    """
    if value is None:
        return None
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    try:
        text = str(value)
    except Exception:  # noqa: BLE001 - see above
        return None
    # A lone surrogate has no UTF-8 encoding. Escaped with a backslash, it is still not a valid address.
    return None if text == "NaT" else text.encode("utf-8", "backslashreplace").decode("utf-8")
