"""Frames of pandas, of subclasses too: their columns and named index levels, each converted by itself."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow as pa

from ci_magics.segmentation.key_text import text_of_value


def is_pandas(frame: Any) -> bool:
    """Tell whether a value is a DataFrame of pandas or of a class that is made of it, such as a GeoDataFrame."""
    return _pandas_class(type(frame)) is not None


def pandas_names(frame: Any) -> list[Any]:
    """Return the names of a frame's columns: those of its named index levels first, as ``reset_index`` puts them.

    An index level that repeats a column of the same name, as ``set_index("Id", drop=False)`` leaves it, is that
    column. One that holds other values is listed too, so that two columns share a name.
    """
    frame = plain_pandas(frame)
    columns = list(frame.columns)
    levels = [name for name in frame.index.names if isinstance(name, str) and name]
    return [name for name in levels if name not in columns or not _repeats(frame, name)] + columns


def pandas_column(frame: Any, name: str) -> pa.Array | pa.ChunkedArray:
    """Return one column, or one level of the index, as Arrow.

    What Arrow has no type for becomes text: mixed objects, periods, intervals, complex numbers.
    """
    frame = plain_pandas(frame)
    series = frame[name] if name in frame.columns else _level(frame, name)
    if str(series.dtype).startswith("Sparse"):
        series = series.sparse.to_dense()
    try:
        array = pa.array(series, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return pa.array([_as_text(value) for value in series], pa.string())
    if _is_of_pandas(array.type) or _cuts_times(series, array.type):
        return pa.array([_as_text(value) for value in series], pa.string())
    return array


def plain_pandas(frame: Any) -> Any:
    """Return a frame as pandas' own class; a subclass may do anything when a column is taken from it."""
    base = _pandas_class(type(frame))
    return frame if base is None or type(frame) is base else base(frame)


def _pandas_class(kind: type) -> Any:
    return next(
        (each for each in kind.__mro__ if each.__name__ == "DataFrame" and each.__module__.split(".")[0] == "pandas"),
        None,
    )


def _level(frame: Any, name: str) -> Any:
    return frame.index.get_level_values(name).to_series()


def _repeats(frame: Any, name: str) -> bool:
    column = frame[name]
    if column.ndim != 1:
        return False  # two columns have the name
    return bool(_level(frame, name).reset_index(drop=True).equals(column.reset_index(drop=True)))


def _is_of_pandas(kind: pa.DataType) -> bool:
    """Tell whether only pandas knows what the values of a type mean: those of periods are numbers to Arrow."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return isinstance(kind, pa.BaseExtensionType) and kind.extension_name.startswith("pandas.")


def _cuts_times(series: Any, kind: pa.DataType) -> bool:
    """Tell whether Arrow took the dates of times because the first object was a date."""
    if not pa.types.is_date(kind) or series.dtype != object:
        return False
    return any(issubclass(each, dt.datetime) for each in set(map(type, series.to_numpy())))


def _as_text(value: Any) -> str | None:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else text_of_value(value)
