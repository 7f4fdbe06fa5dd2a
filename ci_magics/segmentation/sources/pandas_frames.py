"""pandas frames and subclasses: their columns and named index levels, converted one at a time."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow as pa

from ci_magics.segmentation.key_text import text_of_value


def is_pandas(frame: Any) -> bool:
    """Return whether a value is a pandas DataFrame or of a subclass, such as a GeoDataFrame."""
    return _pandas_class(type(frame)) is not None


def pandas_names(frame: Any) -> list[Any]:
    """Return a frame's column names, after those of its named index levels, like ``reset_index``.

    An index level that repeats a column of the same name, as after ``set_index("Id", drop=False)``, counts as that
    column. One with other values is listed too, so that two columns share a name.
    """
    frame = plain_pandas(frame)
    columns = list(frame.columns)
    levels = [name for name in frame.index.names if isinstance(name, str) and name]
    return [name for name in levels if name not in columns or not _repeats(frame, name)] + columns


def pandas_column(frame: Any, name: str) -> pa.Array | pa.ChunkedArray:
    """Convert one column or index level to Arrow.

    Values without an Arrow type become text: mixed objects, periods, intervals, complex numbers.

    Parameters
    ----------
    frame
        The pandas frame.
    name
        The column or index level.
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
    """Convert a frame to a plain pandas DataFrame, because a subclass may override column access."""
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
    """Return whether only pandas can interpret the values of a type: to Arrow, periods are numbers."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return isinstance(kind, pa.BaseExtensionType) and kind.extension_name.startswith("pandas.")


def _cuts_times(series: Any, kind: pa.DataType) -> bool:
    """Return whether Arrow truncated timestamps to dates because the first object was a date."""
    if not pa.types.is_date(kind) or series.dtype != object:
        return False
    return any(issubclass(each, dt.datetime) for each in set(map(type, series.to_numpy())))


def _as_text(value: Any) -> str | None:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else text_of_value(value)
